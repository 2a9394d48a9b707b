"""Settings of the internet-facing process: no sessions, no portal, no API, no templates."""

from typing import Any

from csc_portal.settings import *  # noqa: F403
from csc_portal.settings import LOGGING, env

ROOT_URLCONF = "csc_portal.ingress.urls"
WSGI_APPLICATION = "csc_portal.ingress.wsgi.application"
MIDDLEWARE = ["csc_portal.ingress.bounds.Bounds"]
TEMPLATES = []
# It makes no links and reads no Host, so any name that leads here is right.
ALLOWED_HOSTS = ["*"]

# Proxies in front, each of which adds an address to X-Forwarded-For. 0: that header is ignored.
INGRESS_PROXIES = env.int("INGRESS_PROXIES", default=0)

# A refused post is no news: strangers choose its path and could fill the log with it.
_logging: dict[str, Any] = LOGGING
_logging["filters"]["faults"] = {"()": "csc_portal.ingress.bounds.OnlyFaults"}
_logging["loggers"]["django.request"] = {"filters": ["faults"]}
