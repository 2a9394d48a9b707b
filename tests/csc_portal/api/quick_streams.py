"""The process of streams, in a hurry: for gunicorn, which tests start."""

from csc_portal.streams.wsgi import application

from csc_portal.api import events  # isort: skip - after Django was set up
from csc_portal.streams import news  # isort: skip

events.AT_ONCE = 2
news.NEWS.fresh_s = 0.05
events.EVERY_S, events.CHECK_S, events.BEAT_S = 0.2, 0.4, 1.0
__all__ = ["application"]
