"""Log lines: ids and counts, with the tenant; a trace without the values it stumbled over."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from tenants.current import current_slug


class AddTenant(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.tenant = current_slug.get()
        return True


class SafeFormatter(logging.Formatter):
    """Where an exception happened and of which type; its text may quote what Microsoft sent."""

    def formatException(self, ei: Any) -> str:
        kind, _, trace = ei
        frames = traceback.extract_tb(trace)
        places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-6:]))
        return f"{kind.__name__} at {places}"
