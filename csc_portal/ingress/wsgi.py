"""The ingress process: `gunicorn csc_portal.ingress.wsgi`."""

import os

from csc_portal.serving import load_application

# Not setdefault: this process must never serve the portal, whatever the environment says.
os.environ["DJANGO_SETTINGS_MODULE"] = "csc_portal.ingress.settings"
application = load_application()
