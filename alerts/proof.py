"""Whether a case is proven harmless: every alert is about a sign-in with MFA performed in it.

The only way in which the portal closes anything by itself without a person's rule. Each condition
stands alone with its code and sentence; all must hold. What is not known refuses, except while it
can still become known. docs/judgement.md lists the conditions for people.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alerts.dossier import HIGH, Dossier, JudgedAlert, Reason
from enrichment.facts import Known, MatchedBy, Mfa, SignInFacts

PROVABLE: Mapping[str, frozenset[str]] = {
    "azureadidentityprotection": frozenset({
        "unfamiliar sign-in properties", "atypical travel", "impossible travel", "new country",
    }),
    "microsoftdefenderforcloudapps": frozenset({
        "impossible travel activity", "impossible travel", "activity from infrequent country",
        "activity from an infrequent country",
    }),
}  # fmt: skip
"""Detections that only say 'this sign-in looks odd', by product: that can be answered by MFA.

Everything else is not listed on purpose: of a stolen token, an adversary in the middle, leaked
credentials, a spray, an anonymous address or a mailbox rule MFA proves nothing.
"""
HARMLESS_RISKS = frozenset(
    {
        "unfamiliarfeatures",
        "unlikelytravel",
        "impossibletravel",
        "newcountry",
        "mcasimpossibletravel",
    }
)
"""Risk detections of Microsoft's that may stand beside; any other refuses, `generic` too, because
that is one which the licence hides."""
USER_LEVELS = frozenset({"none", "low", "medium"})
USER_STATES = frozenset({"none", "atRisk", "remediated", "dismissed", "confirmedSafe"})
SIGN_IN_RISKS = frozenset({"none", "low", "medium"})
PROVING_METHODS = frozenset({"fido2", "hello", "platform", "certificate", "app", "code"})
"""Words of enrichment.mfa. Not text messages and calls: a number can be moved to another SIM."""
UNTOUCHED = frozenset({"new", "resolved"})
"""States of an alert at Microsoft that do not say that somebody works on it."""


class Standing(StrEnum):
    PROVEN = "proven"
    PENDING = "pending"
    """Nothing speaks against it, but facts are missing that can still come."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SignInProof:
    """The sign-in that proves an alert harmless. `request`: pseudonym of its id."""

    alert_id: int
    request: uuid.UUID | None
    at: datetime
    matched_by: MatchedBy
    method: str
    is_phishing_resistant: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """`reasons` say what is missing or speaks against it; none if it is proven."""

    standing: Standing
    reasons: tuple[Reason, ...] = ()
    sign_ins: tuple[SignInProof, ...] = ()


def prove(dossier: Dossier) -> Proof:
    """The proof for a case, or everything that is missing."""
    refused = tuple(_refusals(dossier))
    if refused:
        return Proof(Standing.REFUSED, refused)
    pending = tuple(_pending(dossier))
    if pending:
        return Proof(Standing.PENDING, pending)
    return Proof(Standing.PROVEN, (), tuple(_sign_in_proofs(dossier)))


def is_provable(source: str, detection: str) -> bool:
    """Whether a detection is one that MFA in the sign-in can answer."""
    return detection.strip().casefold() in PROVABLE.get(source.casefold(), frozenset())


def _refusals(dossier: Dossier) -> Iterator[Reason]:
    for code, (holds, words) in CASE_CONDITIONS.items():
        if not holds(dossier):
            yield Reason(code, words)
    told = set()
    for alert in dossier.alerts:
        for code, (fits, words) in ALERT_CONDITIONS.items():
            if code not in told and not fits(alert):
                told.add(code)
                yield Reason(code, words)
    if "several_addresses" not in told and not _addresses_are_clear(dossier):
        yield Reason("several_addresses", SEVERAL_ADDRESSES)


def _pending(dossier: Dossier) -> Iterator[Reason]:
    for code, (read, words) in ASKED.items():
        if any(not read(alert).is_final for alert in dossier.alerts):
            yield Reason(f"{code}_pending", f"{words} is not known yet.")


def _sign_in_proofs(dossier: Dossier) -> Iterator[SignInProof]:
    for alert in dossier.alerts:
        one = alert.facts.sign_in
        if one is not None and one.matched_by is not None:
            yield SignInProof(
                alert.id, one.request, one.at, one.matched_by, one.method, one.is_phishing_resistant
            )


# --- conditions of the case -----------------------------------------------------------------------


def _one_user(dossier: Dossier) -> bool:
    users = {alert.facts.user for alert in dossier.alerts if not _is_unasked(alert)}
    return len(users) <= 1 and None not in users


def _past_is_clean(dossier: Dossier) -> bool:
    return dossier.past.same_entity.true_positive == 0


CASE_CONDITIONS: Mapping[str, tuple[Callable[[Dossier], bool], str]] = {
    "touched": (lambda d: not d.was_touched, "A person has worked on the case."),
    "reopened": (lambda d: not d.was_reopened, "The case was opened again."),
    "ticketed": (lambda d: not d.has_ticket, "A ticket was opened, so people know of it."),
    "no_alerts": (lambda d: bool(d.alerts), "The case has no alerts."),
    "severity": (
        lambda d: d.severity < HIGH and all(alert.severity for alert in d.alerts),
        "The severity is high, or not known.",
    ),
    "vip": (lambda d: not d.is_vip, "A VIP is concerned."),
    "crown_jewel": (lambda d: not d.is_crown_jewel, "A crown jewel is concerned."),
    "several_users": (_one_user, "The alerts are not all about one and the same user."),
    "seen_elsewhere": (
        lambda d: not d.shared_elsewhere,
        "Its token, session, device or address is in another open case.",
    ),
    "neighbour": (
        lambda d: not d.has_neighbour,
        "Another case, open or real, is about the same person, about that time.",
    ),
    "watch": (lambda d: not d.hits, "A risky directory change followed."),
    "past_real": (_past_is_clean, "The same was real before, for the same person or thing."),
}
"""Code -> (what must hold, what is said if it does not)."""


# --- conditions of each alert ---------------------------------------------------------------------

ASKED: Mapping[str, tuple[Callable[[JudgedAlert], Known], str]] = {
    "sign_in": (lambda alert: alert.facts.sign_in_known, "The sign-in"),
    "risk": (lambda alert: alert.facts.risk_known, "The user's risk"),
    "audits": (lambda alert: alert.facts.audits_known, "What followed in the directory"),
}


def _is_unasked(alert: JudgedAlert) -> bool:
    """Nothing has been found out about it yet, not even which user it names."""
    return alert.facts.user is None and alert.facts.sign_in_known is Known.PENDING


def _answered(code: str) -> Callable[[JudgedAlert], bool]:
    """Known, or it can still become known."""
    read, _ = ASKED[code]
    return lambda alert: read(alert) is Known.YES or not read(alert).is_final


def _if_known(holds: Callable[[SignInFacts], bool]) -> Callable[[JudgedAlert], bool]:
    """Of the sign-in, once it is known; a known one that is not there refuses."""

    def fits(alert: JudgedAlert) -> bool:
        if alert.facts.sign_in_known is not Known.YES:
            return True
        return alert.facts.sign_in is not None and holds(alert.facts.sign_in)

    return fits


def _user_is_fine(alert: JudgedAlert) -> bool:
    risk = alert.facts.risk
    if alert.facts.risk_known is not Known.YES:
        return True
    return risk is not None and risk.level in USER_LEVELS and risk.state in USER_STATES


def _risks_are_fine(alert: JudgedAlert) -> bool:
    risk = alert.facts.risk
    return risk is None or all(one.casefold() in HARMLESS_RISKS for one in risk.detections)


def _was_prompted_once(alert: JudgedAlert) -> bool:
    return not alert.facts.prompts.denied and not alert.facts.prompts.unanswered


ALERT_CONDITIONS: Mapping[str, tuple[Callable[[JudgedAlert], bool], str]] = {
    "detection": (
        lambda alert: is_provable(alert.source, alert.detection),
        "An alert is of a kind that MFA in the sign-in can't answer.",
    ),
    "state": (
        lambda alert: alert.status in UNTOUCHED,
        "Somebody works on an alert at Microsoft, or its state is not known.",
    ),
    "user_count": (
        lambda alert: alert.users <= 1 and (alert.facts.user_count == 1 or _is_unasked(alert)),
        "An alert names no user, or several.",
    ),
    "sign_in": (_answered("sign_in"), "The very sign-in could not be found."),
    "risk": (_answered("risk"), "The user's risk could not be read."),
    "audits": (_answered("audits"), "What followed in the directory could not be read."),
    "matched": (
        _if_known(lambda one: one.matched_by is not None),
        "It is not sure that the sign-in found is the very one.",
    ),
    "failed": (_if_known(lambda one: one.succeeded), "The sign-in did not succeed."),
    "interactive": (
        _if_known(lambda one: one.is_interactive is True),
        "Nobody sat before the sign-in: it was not interactive.",
    ),
    "mfa": (
        _if_known(lambda one: one.mfa is Mfa.PERFORMED),
        "MFA was not performed in this very sign-in.",
    ),
    "method": (
        _if_known(lambda one: one.method in PROVING_METHODS),
        "The method of MFA is not known, or can be taken over (text message, call).",
    ),
    "sign_in_risk": (
        _if_known(lambda one: one.risk in SIGN_IN_RISKS),
        "Microsoft rates the sign-in's risk as high, or does not say.",
    ),
    "prompts": (_was_prompted_once, "MFA prompts were denied or not answered before it."),
    "user_risk": (_user_is_fine, "The user's risk is high or confirmed, or hidden."),
    "risk_detections": (
        _risks_are_fine,
        "Microsoft sees another risk of the user, where MFA proves nothing.",
    ),
    "risky_audits": (
        lambda alert: not alert.risky_operations(),
        "Risky directory changes by or to the user stand around it.",
    ),
}
"""Code -> (what must hold for each alert, what is said if it does not)."""
SEVERAL_ADDRESSES = "An alert names several addresses, and which sign-in it means is not sure."


def _addresses_are_clear(dossier: Dossier) -> bool:
    """'Impossible travel' is about two sign-ins, of which one may be found by mistake: the one at
    home. So it counts only beside another alert about the very same sign-in, or by its id.
    """
    sure = {
        alert.facts.sign_in.request
        for alert in dossier.alerts
        if alert.facts.sign_in is not None and _is_one_sign_in(alert)
    }
    return all(
        alert.facts.sign_in is None
        or _is_one_sign_in(alert)
        or (alert.facts.sign_in.request is not None and alert.facts.sign_in.request in sure)
        for alert in dossier.alerts
    )


def _is_one_sign_in(alert: JudgedAlert) -> bool:
    sign_in = alert.facts.sign_in
    by_id = sign_in is not None and sign_in.matched_by is not MatchedBy.ADDRESS_AND_TIME
    return by_id or alert.addresses <= 1
