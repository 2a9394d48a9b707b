"""Was multi-factor authentication done in one sign-in, and how? From its record in /beta.

https://learn.microsoft.com/graph/api/resources/authenticationdetail and, for the texts,
https://learn.microsoft.com/entra/identity/monitoring-health/concept-sign-in-log-activity-details.
Doubt is never a yes: a text or method that nobody here knows proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from enrichment.facts import Mfa
from tenants.documents import instant, objects, text

MFA_FAILED = 500121
INTERRUPTS = frozenset({50072, 50074, 50076, 50079})
"""The user was asked for MFA, and the record ends there; the answer is in another record."""
STEP_BELONGS_WITHIN = timedelta(minutes=10)
"""An older step was done in an earlier sign-in, whatever its text says."""

# Part of the method's name -> our word for it; the first that fits counts. A code may come by text.
_METHODS = (
    ("previously satisfied", "claim"),
    ("satisfied by token", "claim"),
    ("temporary access pass", "pass"),
    ("fido", "fido2"),
    ("passkey", "fido2"),
    ("windows hello", "hello"),
    ("platform credential", "platform"),
    ("secure enclave", "platform"),
    ("certificate", "certificate"),
    ("x.509", "certificate"),
    ("x509", "certificate"),
    ("text message", "text"),
    ("sms", "text"),
    ("phone call", "call"),
    ("voice", "call"),
    ("email", ""),
    ("verification code", "code"),
    ("oath", "code"),
    ("mobile app", "app"),
    ("authenticator", "app"),
    ("phone sign-in", "app"),
    ("federated", "federated"),
    ("password", "password"),
)
_RESISTANT = frozenset({"fido2", "hello", "platform", "certificate"})
_ALONE_ENOUGH = frozenset({"fido2", "hello", "platform"})
"""Two factors in one step: something one has, opened by a gesture or PIN."""
_SECOND = _RESISTANT | {"app", "code", "text", "call"}

_ELSEWHERE = (
    "claim in the token", "claim provided by external", "satisfied by claim",
    "previously satisfied", "satisfied by token", "remembered device", "registered device",
    "skipped", "has expired",
)  # fmt: skip
_HERE = frozenset({"", "none", "oauth2", "saml20", "wsfederation", "nativeauth"})
"""Ways of signing in that end where they began. By a device code, or by a transfer from another
device, somebody else's device is signed in by the person who does MFA: a well-known trick."""
_DONE = ("mfa completed", "completed in azure ad", "completed in the cloud", "successfully complet")
_UNANSWERED = (
    "did not respond", "not respond", "no response", "voicemail", "never entered",
    "unable to reach", "unable to send", "timed out", "timeout",
)  # fmt: skip
_REFUSED = (
    "denied", "declined", "fraud", "incorrect", "invalid", "hung up", "blocked", "suspicious",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """`method` is a word of `_METHODS` or ""; both other fields belong to PERFORMED."""

    mfa: Mfa
    method: str = ""
    is_phishing_resistant: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    method: str
    detail: str
    is_second: bool
    succeeded: bool | None
    at: datetime | None


def judge(
    record: Mapping[str, object], *, at: datetime, error_code: int | None, interactive: bool | None
) -> Verdict:
    """What the record says about MFA. A v1.0 record lacks the fields: then nothing is known."""
    status = next(iter(objects(record.get("status"))), {})
    said = _folded(status.get("additionalDetails"))
    steps = [_step(one) for one in objects(record.get("authenticationDetails"))]
    if error_code is None:
        return Verdict(Mfa.UNKNOWN)
    if error_code != 0:
        return Verdict(_refusal(error_code, steps, said))
    done = [step for step in steps if _was_done(step, at)]
    if done and interactive is not False and _ended_here(record) and not _has(said, _ELSEWHERE):
        best = max(done, key=lambda step: step.method in _RESISTANT)
        return Verdict(Mfa.PERFORMED, best.method, best.method in _RESISTANT)
    if done or _has(said, _ELSEWHERE) or any(_is_elsewhere(step, at) for step in steps):
        return Verdict(Mfa.CLAIM)
    # Without a single step the record may be incomplete yet: steps arrive later than the rest.
    requirement = _folded(record.get("authenticationRequirement"))
    if steps and requirement == "singlefactorauthentication":
        return Verdict(Mfa.NOT_REQUIRED)
    return Verdict(Mfa.UNKNOWN)


def _ended_here(record: Mapping[str, object]) -> bool:
    ways = ("authenticationProtocol", "originalTransferMethod")
    return all(_folded(record.get(way)) in _HERE for way in ways)


def _step(document: Mapping[str, object]) -> _Step:
    requirement = _folded(document.get("authenticationStepRequirement")).replace("-", "")
    succeeded = document.get("succeeded")
    return _Step(
        method=_method(_folded(document.get("authenticationMethod"))),
        detail=_folded(document.get("authenticationStepResultDetail")),
        is_second="multifactor" in requirement.replace(" ", ""),
        succeeded=succeeded if isinstance(succeeded, bool) else None,
        at=instant(document.get("authenticationStepDateTime")),
    )


def _method(name: str) -> str:
    return next((word for part, word in _METHODS if part in name), "")


def _was_done(step: _Step, at: datetime) -> bool:
    if step.succeeded is not True or _is_elsewhere(step, at) or step.method == "pass":
        return False
    if step.method in _ALONE_ENOUGH:
        return True
    return step.is_second and (step.method in _SECOND or _has(step.detail, _DONE))


def _is_elsewhere(step: _Step, at: datetime) -> bool:
    """Done at another time: by claim, on a remembered device, at the identity provider."""
    if step.succeeded is False:
        return False
    is_old = step.at is not None and step.at < at - STEP_BELONGS_WITHIN
    is_claimed = step.method in ("claim", "federated") or _has(step.detail, _ELSEWHERE)
    return is_claimed or (is_old and (step.is_second or step.method in _ALONE_ENOUGH))


def _refusal(error_code: int, steps: Iterable[_Step], said: str) -> Mfa:
    """A sign-in that failed: was it the user who did not grant it?"""
    failed = [step.detail for step in steps if step.is_second and step.succeeded is False]
    if error_code != MFA_FAILED and not failed:
        return Mfa.UNKNOWN
    texts = " ".join([*failed, said])
    if _has(texts, _UNANSWERED):
        return Mfa.UNANSWERED
    is_refused = error_code == MFA_FAILED or _has(texts, _REFUSED)
    return Mfa.DENIED if is_refused else Mfa.UNKNOWN


def _has(said: str, parts: Iterable[str]) -> bool:
    return any(part in said for part in parts)


def _folded(value: object) -> str:
    return text(value).casefold()
