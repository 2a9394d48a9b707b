"""The ingress process: `gunicorn csc_portal.ingress.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

# Not setdefault: this process must never serve the portal, whatever the environment says.
os.environ["DJANGO_SETTINGS_MODULE"] = "csc_portal.ingress.settings"
application = get_wsgi_application()
