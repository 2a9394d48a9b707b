"""Settings of the process of streams: the API's events, no pages, no sessions."""

from csc_portal.settings import *  # noqa: F403

ROOT_URLCONF = "csc_portal.streams.urls"
WSGI_APPLICATION = "csc_portal.streams.wsgi.application"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
TEMPLATES = []
SERVES_STREAMS = True
