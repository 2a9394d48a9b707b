"""Before something dangerous: show again who you are, unless you did so some minutes ago.

    @recent_login  (under @require_POST), or ask_for_proof(request) inside the view

A page (GET) sends the browser to prove it and back. A form (POST) is answered with a page that
holds what was posted in hidden fields and asks for the proof: nothing of it is kept here, and
nothing happens before the person presses the button of that page. With htmx that page replaces the
whole body, and its form is sent without htmx to the same address, so the view must answer both.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from csc_portal import entra_people
from csc_portal.passkeys import BadPasskey
from csc_portal.typed import split_address
from csc_portal.web import challenges
from csc_portal.web.desk import user_of
from csc_portal.web.entering import is_local, own_address, prove, proved_at, refuse
from csc_portal.web.throttle import Guesses, address_of
from tenants.audit import record

RECENT = timedelta(minutes=10)
AGAIN = "again"
_OURS = frozenset({"csrfmiddlewaretoken", "again", "again-password", "answer"})

View = Callable[..., HttpResponse]


def is_recent(request: HttpRequest, within: timedelta = RECENT) -> bool:
    """Whether the person showed in this session, not long ago, who they are."""
    at = proved_at(request)
    return at is not None and timezone.now() - at < within


def recent_login(view: View) -> View:
    """Decorator of a view."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return ask_for_proof(request) or view(request, *args, **kwargs)

    return guarded


def ask_for_proof(request: HttpRequest) -> HttpResponse | None:
    """The answer that asks for it; None if the view may go on."""
    if is_recent(request):
        return None
    if request.method != "POST" or request.FILES:
        return _away(request)
    error = _prove(request) if AGAIN in request.POST else ""
    if AGAIN in request.POST and not error and is_recent(request):
        return None
    return _page(request, request.get_full_path(), _carried(request), error)


@require_http_methods(["GET", "POST"])
def again(request: HttpRequest) -> HttpResponse:
    """The same on a page of its own, then back to `next`."""
    following = own_address(request.POST.get("next") or request.GET.get("next", ""))
    following = following or reverse(settings.LOGIN_REDIRECT_URL)
    error = ""
    if request.method == "POST":
        error = _prove(request)
        if not error and is_recent(request):
            return redirect(following)
    return _page(request, reverse("again"), [("next", following)], error)


def _prove(request: HttpRequest) -> str:
    """Check the password or passkey that came with the form; what is wrong, "" if nothing is."""
    user = user_of(request)
    guesses = Guesses.of_factor(user.pk, address_of(request))
    minutes = guesses.wait_minutes()
    if minutes:
        return f"Too many wrong passwords. Try again in {minutes} minutes."
    if request.POST.get("answer"):
        try:
            challenges.check(request, user)
        except BadPasskey as err:
            return _wrong(request, guesses, str(err))
    elif request.POST.get("again-password"):
        if not user.check_password(request.POST["again-password"]):
            return _wrong(request, guesses, "The password is wrong.")
    else:
        return "" if is_recent(request) else "You have not shown yet who you are."
    guesses.forget()
    prove(request)
    record(user.get_username(), "proved_again")
    return ""


def _wrong(request: HttpRequest, guesses: Guesses, text: str) -> str:
    guesses.add()
    refuse(user_of(request), AGAIN, "again")
    return text


def _carried(request: HttpRequest) -> list[tuple[str, str]]:
    """What was posted, for the page that asks; it lives in that page alone."""
    pairs = [(name, value) for name, values in request.POST.lists() for value in values]
    return [(name, value) for name, value in pairs if name not in _OURS]


def _page(
    request: HttpRequest, action: str, fields: list[tuple[str, str]], error: str
) -> HttpResponse:
    user = user_of(request)
    context = {
        "action": action,
        "fields": fields,
        "error": error,
        "is_local": is_local(user),
        "has_passkey": user.passkeys.exists(),
        "has_microsoft": entra_people.is_configured() and not is_local(user),
    }
    answer = render(request, "account/again.html", context)
    if request.headers.get("HX-Request"):
        answer.headers["HX-Retarget"] = "body"
        answer.headers["HX-Reswap"] = "innerHTML show:top"
    return answer


def _away(request: HttpRequest) -> HttpResponse:
    """To the page of its own; then back to the page that was looked at."""
    following = request.get_full_path()
    if request.headers.get("HX-Request") or request.method != "GET":
        current = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
        parts = split_address(current)
        here = parts.netloc in ("", request.get_host())
        following = (f"{parts.path}?{parts.query}" if parts.query else parts.path) if here else "/"
    address = f"{reverse('again')}?{urlencode({'next': own_address(following) or '/'})}"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)
