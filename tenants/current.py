"""In whose scope this thread of work stands, for log lines."""

from contextvars import ContextVar

current_slug: ContextVar[str] = ContextVar("current_slug", default="-")
