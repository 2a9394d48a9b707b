"""The process of streams: `gunicorn csc_portal.streams.wsgi --worker-class gthread`."""

import os

from csc_portal.serving import load_application

# Not setdefault: the web process must never serve streams, nor this one pages.
os.environ["DJANGO_SETTINGS_MODULE"] = "csc_portal.streams.settings"
application = load_application()
