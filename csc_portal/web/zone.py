"""Times on pages are those of the user's own zone."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone


class UserZone:
    """Middleware, after authentication. What is stored and exported stays UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        preferences = getattr(request.user, "preferences", None) or {}
        with timezone.override(_zone(preferences.get("time_zone", ""))):
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo:
    """UTC for no name, and for one that this machine does not know."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
