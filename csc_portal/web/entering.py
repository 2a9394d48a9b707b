"""The last step of every way to sign in: the session becomes a person's, and that is recorded."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth import login, logout
from django.http import HttpRequest
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from csc_portal.web.activity import MUST_ENROL
from csc_portal.web.sessions import CLIENT, METHOD, SIGNED_IN_AT, client_of
from csc_portal.web.throttle import address_of, refused_too_often
from tenants.audit import record
from tenants.factors import has_second_factor
from tenants.models import PortalSession, User

BACKEND = "django.contrib.auth.backends.ModelBackend"
PROVED_AT = "proved_at"
PASSWORD, SECOND, RECOVERY = "password", "password+code", "password+recovery"
PASSKEY, MICROSOFT = "passkey", "microsoft"
METHODS = {
    PASSWORD: "Password",
    SECOND: "Password and app",
    RECOVERY: "Password and recovery code",
    PASSKEY: "Passkey",
    MICROSOFT: "Microsoft",
}


def enter(request: HttpRequest, user: User, method: str) -> None:
    """Sign in. The session gets a new key, so that one planted before is worth nothing."""
    now = timezone.now()
    request.session.flush()
    login(request, user, backend=BACKEND)
    request.session[METHOD] = method
    request.session[SIGNED_IN_AT] = now.isoformat()
    request.session[CLIENT] = client_of(request.headers.get("User-Agent", ""))
    if method == PASSWORD and not has_second_factor(user):
        request.session[MUST_ENROL] = True
    record(user.get_username(), "signed_in", facts={"method": method})


def leave(request: HttpRequest) -> str:
    """Sign out; the method by which the person had come, "" if nobody was signed in."""
    method = str(request.session.get(METHOD, ""))
    if request.user.is_authenticated:
        record(request.user.get_username(), "signed_out")
    logout(request)
    return method


def refuse(user: User | None, method: str, reason: str) -> None:
    """Record a sign-in that failed. What was typed as a name is not kept: it may be a password."""
    actor = user.get_username() if user else "somebody"
    record(actor, "sign_in_failed", facts={"method": method, "reason": reason})


def refuse_stranger(request: HttpRequest, method: str, reason: str) -> None:
    """The same for somebody who may be anybody. From one address only so often: nobody can take
    anything out of the audit log, so nobody may fill it.
    """
    if not refused_too_often(address_of(request)):
        refuse(None, method, reason)


def prove(request: HttpRequest) -> None:
    """The person just showed again who they are: note it, under a new key."""
    request.session.cycle_key()
    request.session[PROVED_AT] = timezone.now().isoformat()


def proved_at(request: HttpRequest) -> datetime | None:
    """When the person last showed who they are: since then, or by signing in."""
    text = request.session.get(PROVED_AT)
    if isinstance(text, str):
        return datetime.fromisoformat(text)
    row: PortalSession | None = getattr(request.session, "row", None)
    return row.signed_in_at if row else None


def is_local(user: User) -> bool:
    """Whether a person has a password here, rather than coming from the directory alone."""
    return user.has_usable_password()


def end_sessions(user: User, *, but: str = "") -> int:
    """Sign the user out everywhere, at once; `but`: the digest of one to keep. How many ended."""
    rows = PortalSession.objects.filter(user=user).exclude(session_key=but)
    return rows.delete()[0]


def own_address(address: str) -> str:
    """The address if it is a path of the portal, else "". The root says no more than nothing:
    where a person begins depends on who they are (`home`).
    """
    if address == "/":
        return ""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_path and url_has_allowed_host_and_scheme(address, None) else ""
