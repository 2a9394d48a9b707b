"""What counts as somebody being there; and nothing goes before a second factor is set up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from tenants.models import PortalSession

NOTED_EVERY = timedelta(minutes=1)
MUST_ENROL = "must_enrol"
"""In the session of a local account without the second factor that it must have."""
_BEFORE_ENROLLING = frozenset(
    {"security", "totp", "totp-begin", "passkey-options", "passkey-add", "recovery-codes",
     "logout", "preference", "password", "again"}
)  # fmt: skip

View = TypeVar("View", bound=Callable[..., HttpResponse])


def background(view: View) -> View:
    """For a view that pages call by themselves: it keeps no session alive."""
    view.is_background = True  # type: ignore[attr-defined]
    return view


class Activity:
    """Middleware, after authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return None
        if not getattr(view, "is_background", False):
            note_presence(request)
        return enrolment_first(request)


def note_presence(request: HttpRequest) -> None:
    """Once a minute: a write for each click would be many."""
    row = getattr(request.session, "row", None)
    now = timezone.now()
    if row is not None and now - row.seen_at > NOTED_EVERY:
        row.seen_at = now
        PortalSession.objects.filter(pk=row.pk).update(seen_at=now)


def enrolment_first(request: HttpRequest) -> HttpResponse | None:
    """Nothing but setting up a second factor, where one is required and there is none."""
    match = request.resolver_match
    name = match.url_name if match else ""
    is_optional = settings.LOCAL_SECOND_FACTOR == "optional"
    if is_optional or not request.session.get(MUST_ENROL) or name in _BEFORE_ENROLLING:
        return None
    return redirect("security")
