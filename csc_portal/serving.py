"""What every web process does before its first request."""

from __future__ import annotations

import atexit
import gc
from importlib import import_module

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application


def load_application() -> WSGIHandler:
    """The WSGI application, with all that its addresses need loaded.

    Else the first request waits for it; and modules stay for good, so that looking for garbage
    among them would only hold up one request in twenty for a fifth of a second.
    """
    application = get_wsgi_application()
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # else DuckDB complains of what it finds left at the end
    return application
