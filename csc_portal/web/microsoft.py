"""Signing in with Microsoft: off to the provider's directory, and back with a code."""

from __future__ import annotations

import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET

from clients.errors import ApiError
from clients.microsoft.sign_in import Flow, SignedIn, new_flow
from csc_portal import entra_people
from csc_portal.entra_people import Refused
from csc_portal.web.entering import MICROSOFT, enter, own_address, prove, refuse_stranger
from tenants.models import EntraIdentity, User

logger = logging.getLogger(__name__)

FLOW = "microsoft_flow"
LIFE_S = 600
FRESH_S = 300
"""How long ago the person may have shown Microsoft who they are, when that is asked again."""
TOLD = {
    "access_denied": "The sign-in was cancelled, or you are not assigned to the portal's app.",
    "login_required": "Microsoft wants you to sign in again.",
    "interaction_required": "Microsoft wants you to sign in again.",
    "consent_required": "Your administrator has to consent to the portal's app first.",
    "temporarily_unavailable": "Microsoft's sign-in is not available now. Try again soon.",
    "server_error": "Microsoft's sign-in has a fault. Try again soon.",
}


@login_not_required
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """A link, not a form: the policy for forms would forbid the redirect to Microsoft."""
    if not entra_people.is_configured():
        raise Http404
    again = request.user.is_authenticated and "again" in request.GET
    flow = new_flow(_redirect_uri(request))
    try:
        address = entra_people.microsoft().address(flow, again=again)
    except (ApiError, Refused) as err:
        return _sorry(request, str(err), 503)
    request.session[FLOW] = {
        "state": flow.state,
        "nonce": flow.nonce,
        "verifier": flow.verifier,
        "redirect_uri": flow.redirect_uri,
        "next": own_address(request.GET.get("next", "")),
        "again": again,
        "at": timezone.now().timestamp(),
    }
    return redirect(address)


@login_not_required
@require_GET
def done(request: HttpRequest) -> HttpResponse:
    """Microsoft sends the browser back. Everything in the address may be forged."""
    kept = request.session.pop(FLOW, None)
    if not _is_ours(request, kept):
        refuse_stranger(request, MICROSOFT, "state")
        text = (
            "This sign-in was not begun in this window, or it took too long. "
            "If you did not begin it, somebody tried to sign you in as somebody else."
        )
        return _sorry(request, text)
    if "error" in request.GET:
        refuse_stranger(request, MICROSOFT, "error")
        text = TOLD.get(request.GET["error"], "Microsoft refused the sign-in.")
        return _sorry(request, text)
    flow = Flow(kept["state"], kept["nonce"], kept["verifier"], kept["redirect_uri"])
    client = entra_people.microsoft()
    try:
        signed_in = client.redeem(flow, request.GET.get("code", ""))
        if kept["again"]:
            return _proven(request, signed_in, kept["next"])
        user = entra_people.arrive(signed_in, client)
    except ApiError as err:
        refuse_stranger(request, MICROSOFT, err.code or type(err).__name__)
        return _sorry(request, str(err))
    except Refused as err:
        refuse_stranger(request, MICROSOFT, err.code)
        return _sorry(request, str(err), 403)
    enter(request, user, MICROSOFT)
    return redirect(kept["next"] or settings.LOGIN_REDIRECT_URL)


@require_GET
def confirmed(request: HttpRequest) -> HttpResponse:
    """Where a second window ends in which somebody proved again who they are."""
    return render(request, "account/confirmed.html")


@login_not_required
@require_GET
def leave_too(request: HttpRequest) -> HttpResponse:
    """To Microsoft's own sign-out, for who shares a machine."""
    if not entra_people.is_configured():
        raise Http404
    back = request.build_absolute_uri(reverse("login"))
    try:
        return redirect(entra_people.microsoft().sign_out_address(back))
    except (ApiError, Refused) as err:
        return _sorry(request, str(err), 503)


def _is_ours(request: HttpRequest, kept: object) -> bool:
    """Whether this browser began the sign-in that comes back, some minutes ago."""
    if not isinstance(kept, dict) or timezone.now().timestamp() - kept["at"] > LIFE_S:
        return False
    return constant_time_compare(request.GET.get("state", ""), kept["state"])


def _proven(request: HttpRequest, signed_in: SignedIn, following: str) -> HttpResponse:
    """The same person, just now: not by a session that Microsoft still had. Raises Refused."""
    person = signed_in.person
    same = EntraIdentity.objects.filter(
        user_id=request.user.pk, directory_id=person.directory, object_id=person.object_id
    )
    if not isinstance(request.user, User) or not same.exists():
        raise Refused("other_person", "You signed in with Microsoft as somebody else.")
    if person.proved_at is None:
        text = "Microsoft did not say when you signed in. Add the optional claim auth_time to the "
        raise Refused("auth_time", text + "ID token of the portal's app (docs/operations.md).")
    if timezone.now().timestamp() - person.proved_at > FRESH_S:
        raise Refused("auth_time", "Microsoft did not ask you to sign in again. Try once more.")
    prove(request)
    return redirect(following or settings.LOGIN_REDIRECT_URL)


def _redirect_uri(request: HttpRequest) -> str:
    path = reverse("microsoft-done")
    if settings.PORTAL_URL.startswith("https://"):
        return f"{settings.PORTAL_URL.rstrip('/')}{path}"
    return request.build_absolute_uri(path)


def _sorry(request: HttpRequest, text: str, status: int = 400) -> HttpResponse:
    logger.info("sign-in with Microsoft refused status=%d", status)
    return render(request, "account/refused.html", {"text": text}, status=status)
