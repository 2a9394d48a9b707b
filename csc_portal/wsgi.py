"""The portal's web process: `gunicorn csc_portal.wsgi`."""

import os

from csc_portal.serving import load_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "csc_portal.settings")
application = load_application()
