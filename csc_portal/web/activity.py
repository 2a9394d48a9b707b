"""What counts as somebody being there; and nothing goes before a second factor is set up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone

from csc_portal.typed import split_address
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
        response = self.get_response(request)
        is_away = response.status_code == 302 and _is_sign_in(response.headers["Location"])
        return sent_to_sign_in(request, response) if is_away else response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return None
        if not getattr(view, "is_background", False):
            note_presence(request)
        return enrolment_first(request)


def sent_to_sign_in(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Tell why, if a session ended; and let htmx go there instead of showing it in the page."""
    address = response.headers["Location"]
    had_session = settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.is_empty()
    had_session = had_session and "?next=" in address
    if had_session:
        address = f"{address}&ended=1"
        response.headers["Location"] = address
    if not request.headers.get("HX-Request"):
        return response
    here = split_address(request.headers.get("HX-Current-URL", ""))
    following = f"{here.path}?{here.query}" if here.query else here.path
    query = {"next": following or "/", **({"ended": "1"} if had_session else {})}
    target = f"{resolve_url(settings.LOGIN_URL)}?{urlencode(query)}"
    return HttpResponse(status=204, headers={"HX-Redirect": target})


def _is_sign_in(address: str) -> bool:
    return address.partition("?")[0] == resolve_url(settings.LOGIN_URL)


def note_presence(request: HttpRequest) -> None:
    """Once a minute: a write for each click would be many."""
    row = getattr(request.session, "row", None)
    now = timezone.now()
    if row is not None and now - row.seen_at > NOTED_EVERY:
        row.seen_at = now
        PortalSession.objects.filter(pk=row.pk).update(seen_at=now)


def must_enrol(request: HttpRequest) -> bool:
    """Whether the account has to have a second factor, and has none."""
    return settings.LOCAL_SECOND_FACTOR != "optional" and bool(request.session.get(MUST_ENROL))


def enrolment_first(request: HttpRequest) -> HttpResponse | None:
    """Nothing but setting up a second factor, where one is required and there is none."""
    match = request.resolver_match
    name = match.url_name if match else ""
    if not must_enrol(request) or name in _BEFORE_ENROLLING:
        return None
    return redirect("security")
