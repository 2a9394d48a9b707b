"""What has to be done to a text before a spreadsheet may open it. Pure."""

from __future__ import annotations


def no_formula(value: object) -> object:
    """Text that a spreadsheet would run gets an apostrophe in front. See OWASP, CSV injection."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
