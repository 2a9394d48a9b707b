"""The portal's web process: `gunicorn csc_portal.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "csc_portal.settings")
application = get_wsgi_application()
