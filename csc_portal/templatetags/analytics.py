"""How pages of analytics say times."""

from __future__ import annotations

from datetime import timedelta

from django import template

register = template.Library()


@register.filter
def lasted(time: timedelta | None) -> str:
    """ "45 s", "12 min", "3.5 h", "2.1 days"; a dash for nothing."""
    if time is None:
        return "—"
    seconds = time.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
