"""Settings of the internet-facing process: no sessions, no portal, no API, no templates."""

from csc_portal.settings import *  # noqa: F403

ROOT_URLCONF = "csc_portal.ingress.urls"
WSGI_APPLICATION = "csc_portal.ingress.wsgi.application"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
TEMPLATES = []
