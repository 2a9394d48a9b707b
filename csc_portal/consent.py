"""Consent of a customer's directory: asked by a link, claimed by a redirect, proven by a token.

The redirect's address can be called by anybody with any words. Its `state` is bound to one
onboarding, one user and one session, serves once and expires; and all that even a good one does is
to make the portal ask Entra ID for a token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clients.errors import ApiError, Forbidden
from clients.failures import member
from clients.microsoft.consent import consent_url, refusal
from tenants.directories import cloud, graph_of
from tenants.models import Onboarding, User

LINK_LASTS = timedelta(hours=1)
KNOWN_EVERYWHERE_AFTER = timedelta(minutes=10)
"""So long an app that was just consented to may be unknown to parts of Entra ID."""
NOT_CONSENTED = "AADSTS700016"

UNKNOWN = (
    "This answer of Microsoft's belongs to no link that is open. A link serves once: open the "
    "onboarding and make a new one."
)
OTHER_SESSION = (
    "This answer belongs to a link that somebody else made, or that was made in another browser or "
    "session. Nothing was changed. If the customer's administrator did accept, press 'Check now'."
)
EXPIRED = "The link was made more than an hour ago. Make a new one."
OTHER_DIRECTORY = (
    "Microsoft names another directory than the one that is onboarded. The administrator was "
    "signed in at another organisation: nothing was taken over. Open the link with the right "
    "account."
)


class Refused(ValueError):
    """A redirect that is not followed; the text says why. `onboarding`: where it belongs, if so."""

    def __init__(self, text: str, onboarding: Onboarding | None = None) -> None:
        super().__init__(text)
        self.onboarding = onboarding


class Standing(StrEnum):
    PROVEN = "proven"
    ON_ITS_WAY = "on_its_way"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a token said about the consent; `text` for people."""

    standing: Standing
    text: str = ""


def make_link(
    onboarding: Onboarding, user: User, browser: str, redirect_uri: str, now: datetime
) -> str:
    """A new link; an earlier one is void. `browser`: a random word that the session holds."""
    state = secrets.token_urlsafe(32)
    Onboarding.objects.filter(pk=onboarding.pk).update(
        consent_state=_hash(state),
        consent_browser=_hash(browser),
        consent_user=user,
        consent_expires_at=now + LINK_LASTS,
        changed_at=now,
    )
    return consent_url(
        cloud().login,
        str(onboarding.directory_id),
        str(onboarding.client_id),
        redirect_uri,
        state,
        cloud().graph_scope,
    )


def take_redirect(told: Mapping[str, str], user: User, browser: str, now: datetime) -> Onboarding:
    """The onboarding whose link this answers, marked as told. Raises Refused.

    Who comes from another session can't use up the link of the one who made it.
    """
    state = told.get("state", "")
    onboarding = Onboarding.objects.filter(consent_state=_hash(state)).first() if state else None
    if onboarding is None:
        raise Refused(UNKNOWN)
    is_theirs = onboarding.consent_user_id == user.pk
    if not (is_theirs and hmac.compare_digest(onboarding.consent_browser, _hash(browser))):
        raise Refused(OTHER_SESSION)
    used = Onboarding.objects.filter(pk=onboarding.pk, consent_state=onboarding.consent_state)
    if not used.update(consent_state="", consent_browser="", changed_at=now):
        raise Refused(UNKNOWN)
    if onboarding.consent_expires_at is None or onboarding.consent_expires_at < now:
        raise Refused(EXPIRED, onboarding)
    if why := refusal(told):
        raise Refused(why, onboarding)
    if told.get("tenant", "").lower() != str(onboarding.directory_id):
        raise Refused(OTHER_DIRECTORY, onboarding)
    Onboarding.objects.filter(pk=onboarding.pk).update(consent_told_at=now)
    onboarding.consent_told_at = now
    return onboarding


def prove(onboarding: Onboarding, now: datetime) -> Proof:
    """Ask Entra ID for a new token, and Microsoft whose it is. Raises ApiError for other faults."""
    directory = str(onboarding.directory_id)
    graph = graph_of(directory, str(onboarding.client_id), onboarding.credential_secret)
    graph.forget_token()  # one from before proves nothing
    try:
        found = graph.get("/organization", family="directory").get("value")
    except Forbidden:
        # A token there is; what it may not read, the table of permissions says.
        return Proof(Standing.PROVEN)
    except ApiError as err:
        if err.code != NOT_CONSENTED:
            raise
        return _not_yet(onboarding, now)
    first = found[0] if isinstance(found, list) and found else None
    if str(member(first, "id") or "").lower() != directory:
        return Proof(Standing.MISSING, OTHER_DIRECTORY)
    return Proof(Standing.PROVEN)


def _not_yet(onboarding: Onboarding, now: datetime) -> Proof:
    told_at = onboarding.consent_told_at
    if told_at is not None and now - told_at < KNOWN_EVERYWHERE_AFTER:
        return Proof(
            Standing.ON_ITS_WAY,
            "The administrator accepted, but Entra ID does not know the app everywhere yet. That "
            "takes some seconds, seldom minutes.",
        )
    return Proof(
        Standing.MISSING,
        "Entra ID gives no token: the app has no consent in this directory. Let the customer's "
        "administrator open the link and accept.",
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
