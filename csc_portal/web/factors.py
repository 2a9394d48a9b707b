"""My sign-in: second factors of a local account, and the sessions that are open."""

from __future__ import annotations

import io
import uuid

import segno
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from clients.errors import ApiError
from csc_portal import passkeys
from csc_portal.web import challenges
from csc_portal.web.activity import MUST_ENROL, must_enrol
from csc_portal.web.desk import user_of
from csc_portal.web.entering import METHODS, end_sessions, is_local, leave
from csc_portal.web.reauth import is_recent, recent_login
from csc_portal.web.sessions import digest_of, living
from tenants import totp
from tenants.audit import record
from tenants.directories import BadSecret
from tenants.factors import (
    begin_totp,
    confirm_totp,
    has_second_factor,
    new_recovery_codes,
    pending_totp,
)
from tenants.models import RecoveryCode, TotpDevice, User

NO_KEY = (
    "Second factors can't be set up yet: the vault has no usable secret csc-sign-in-key. "
    "Ask whoever runs the portal (docs/operations.md)."
)


@require_GET
def security(request: HttpRequest) -> HttpResponse:
    """What one signs in with, and where one is signed in."""
    user = user_of(request)
    here = digest_of(request.session.session_key or "")
    rows = living(timezone.now()).filter(user=user)
    context = {
        "is_local": is_local(user),
        "must_enrol": must_enrol(request),
        "app": TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).first(),
        "passkeys": list(user.passkeys.all()),
        "codes_left": RecoveryCode.objects.filter(user=user, used_at=None).count(),
        "sessions": [
            {"row": row, "method": METHODS.get(row.method, "Other"), "is_here": row.pk == here}
            for row in rows
        ],
    }
    return render(request, "account/security.html", context)


@require_POST
@recent_login
def totp_begin(request: HttpRequest) -> HttpResponse:
    user = _local(request)
    if TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).exists():
        return redirect("security")
    try:
        begin_totp(user)
    except (BadSecret, ApiError):
        messages.warning(request, NO_KEY)
        return redirect("security")
    return redirect("totp")


class DigitsForm(forms.Form):
    code = forms.CharField(
        max_length=10,
        label="The six digits that the app shows",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@require_http_methods(["GET", "POST"])
@recent_login
def totp_page(request: HttpRequest) -> HttpResponse:
    """Scan, type the digits once, done."""
    user = _local(request)
    secret = pending_totp(user)
    if secret is None:
        return redirect("security")
    form = DigitsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if confirm_totp(user, form.cleaned_data["code"], timezone.now()):
            record(user.get_username(), "factor_added", facts={"factor": "app"})
            return _enrolled(request, user)
        form.add_error("code", "These digits are wrong. Is the clock of your phone right?")
    address = totp.address(secret, user.get_username(), "CSC Portal")
    context = {"form": form, "picture": picture(address), "typed": totp.typed_secret(secret)}
    return render(request, "account/totp.html", context)


@require_POST
@recent_login
def totp_remove(request: HttpRequest) -> HttpResponse:
    user = _local(request)
    if TotpDevice.objects.filter(user=user).delete()[0]:
        record(user.get_username(), "factor_removed", facts={"factor": "app"})
        _changed(request, user)
    return redirect("security")


@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What the browser needs to make a passkey. Asked for by script, so no page comes back."""
    user = _local(request)
    if not is_recent(request):
        return JsonResponse({"again": True}, status=403)
    challenge = challenges.remember(request)
    return JsonResponse(passkeys.options_to_add(user, passkeys.place_of(request), challenge))


@require_POST
@recent_login
def passkey_add(request: HttpRequest) -> HttpResponse:
    user = _local(request)
    answer = request.POST.get("answer", "")
    name = request.POST.get("name", "").replace("\0", "").strip()
    try:
        challenge = challenges.taken(request)
        passkeys.add(user, passkeys.place_of(request), answer, challenge, name)
    except passkeys.BadPasskey as err:
        messages.warning(request, str(err))
        return redirect("security")
    record(user.get_username(), "factor_added", facts={"factor": "passkey"})
    return _enrolled(request, user)


@require_POST
@recent_login
def passkey_remove(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    user = _local(request)
    get_object_or_404(user.passkeys, public_id=public_id).delete()
    record(user.get_username(), "factor_removed", facts={"factor": "passkey"})
    _changed(request, user)
    return redirect("security")


@require_POST
@recent_login
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New ones, shown this once."""
    user = _local(request)
    return _show_codes(request, user)


@require_POST
def session_end(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One of my own sessions; ending this one signs me out."""
    user = user_of(request)
    row = get_object_or_404(user.sessions, public_id=public_id)
    record(user.get_username(), "session_revoked", subject=f"session {public_id}")
    if row.pk == digest_of(request.session.session_key or ""):
        leave(request)
        return redirect("login")
    row.delete()
    return redirect("security")


@require_POST
def sessions_end(request: HttpRequest) -> HttpResponse:
    """All of my sessions: `all` this one too, else only the others."""
    user = user_of(request)
    everywhere = "all" in request.POST
    here = "" if everywhere else digest_of(request.session.session_key or "")
    count = end_sessions(user, but=here)
    record(user.get_username(), "sessions_revoked", facts={"count": count})
    if everywhere:
        leave(request)
        return redirect("login")
    return redirect("security")


def picture(text: str) -> SafeString:
    """A QR code as inline SVG, dark on white in every theme, without a style of its own."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", scale=5, border=3, light="#fff", dark="#000", xmldecl=False,
        svgns=False, title="QR code for your authenticator app", svgclass="qr", lineclass=None,
    )  # fmt: skip
    return mark_safe(drawn.getvalue().decode())  # noqa: S308 - numbers and our own words


def _local(request: HttpRequest) -> User:
    """Whoever comes from the directory proves themselves there: a key of ours would go round it."""
    user = user_of(request)
    if not is_local(user):
        raise Http404
    return user


def _enrolled(request: HttpRequest, user: User) -> HttpResponse:
    """A factor was added: codes for the day it is lost, if there are none yet."""
    _changed(request, user)
    if RecoveryCode.objects.filter(user=user, used_at=None).exists():
        return redirect("security")
    return _show_codes(request, user)


def _show_codes(request: HttpRequest, user: User) -> HttpResponse:
    try:
        codes = new_recovery_codes(user)
    except (BadSecret, ApiError):
        messages.warning(request, NO_KEY)
        return redirect("security")
    record(user.get_username(), "recovery_codes_made", facts={"count": len(codes)})
    return render(request, "account/codes.html", {"codes": codes})


def _changed(request: HttpRequest, user: User) -> None:
    """What opens the account has changed: this session goes on under a new key."""
    request.session.cycle_key()
    if has_second_factor(user):
        request.session.pop(MUST_ENROL, None)
    else:
        request.session[MUST_ENROL] = True
