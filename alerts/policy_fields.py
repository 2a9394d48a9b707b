"""What rules may ask about a case: each fact with its kind and how it is read. Unknown is None.

A fact about several alerts is only known when it is known of all of them, so that a rule never
closes on half of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alerts.dossier import SEVERITIES, Dossier, JudgedAlert
from enrichment.facts import Known

Value = bool | int | frozenset[str]
PILLARS = ("identity", "device", "app", "data", "infrastructure")


@dataclass(frozen=True, slots=True)
class Field:
    """`kind`: flag, number, rank (a severity) or words (a set of them, compared without case; with
    "" in it where one alert says nothing).

    `choices`: the only words that make sense, if that is a closed list.
    """

    kind: str
    words: str
    read: Callable[[Dossier], Value | None]
    choices: tuple[str, ...] = ()


def _known(
    read: Callable[[JudgedAlert], Known], value: Callable[[Dossier], Value | None]
) -> Callable[[Dossier], Value | None]:
    """The value, if the question was answered for each alert of the case, and it has some."""

    def known(dossier: Dossier) -> Value | None:
        is_known = [read(alert) is Known.YES for alert in dossier.alerts]
        return value(dossier) if is_known and all(is_known) else None

    return known


def _of_sign_ins(value: Callable[[Dossier], Value | None]) -> Callable[[Dossier], Value | None]:
    return _known(lambda alert: alert.facts.sign_in_known, value)


def _every_sign_in(name: str) -> Callable[[Dossier], Value | None]:
    """A yes-or-no of the sign-ins: yes if it is yes for each; unknown if it is of one."""

    def read(dossier: Dossier) -> Value | None:
        found = [getattr(one, name) for one in dossier.sign_ins()]
        is_complete = len(found) == len(dossier.alerts) and None not in found
        return all(found) if found and is_complete else None

    return _known(lambda alert: alert.facts.sign_in_known, read)


def _words(dossier: Dossier, name: str) -> frozenset[str]:
    return frozenset(str(getattr(alert, name)) for alert in dossier.alerts)


def _risk_levels(dossier: Dossier) -> frozenset[str]:
    return frozenset(alert.facts.risk.level for alert in dossier.alerts if alert.facts.risk)


FIELDS: Mapping[str, Field] = {
    "severity": Field("rank", "severity", lambda d: d.severity, SEVERITIES),
    "detections": Field("words", "detections", lambda d: _words(d, "detection")),
    "sources": Field("words", "products", lambda d: d.sources),
    "categories": Field("words", "attack stages", lambda d: _words(d, "category")),
    "techniques": Field(
        "words",
        "techniques",
        lambda d: frozenset(one for alert in d.alerts for one in alert.techniques),
    ),
    "pillars": Field(
        "words",
        "parts of the chain",
        lambda d: frozenset(name for bit, name in enumerate(PILLARS) if d.pillars & 1 << bit),
        PILLARS,
    ),
    "alerts": Field("number", "number of alerts", lambda d: len(d.alerts)),
    "products": Field("number", "number of products", lambda d: len(d.sources)),
    "vip": Field("flag", "a VIP is concerned", lambda d: d.is_vip),
    "crown_jewel": Field("flag", "a crown jewel is concerned", lambda d: d.is_crown_jewel),
    "asset_classes": Field(
        "words", "asset classes", lambda d: frozenset(mark.asset_class for mark in d.marks)
    ),
    "entities": Field(
        "words", "people and things", lambda d: frozenset(str(one) for one in d.entities)
    ),
    "mfa": Field(
        "words",
        "MFA of the sign-ins",
        _of_sign_ins(lambda d: frozenset(one.mfa.value for one in d.sign_ins())),
        ("performed", "claim", "not_required", "denied", "unanswered", "unknown"),
    ),
    "methods": Field(
        "words",
        "methods of MFA",
        _of_sign_ins(lambda d: frozenset(one.method for one in d.sign_ins())),
    ),
    "signed_in": Field("flag", "every sign-in succeeded", _every_sign_in("succeeded")),
    "managed_device": Field(
        "flag", "every sign-in came from a managed device", _every_sign_in("is_managed_device")
    ),
    "phishing_resistant": Field(
        "flag", "every sign-in was phishing-resistant", _every_sign_in("is_phishing_resistant")
    ),
    "countries": Field(
        "words",
        "countries of the sign-ins",
        _of_sign_ins(lambda d: frozenset(one.country for one in d.sign_ins())),
    ),
    "prompts": Field(
        "number",
        "MFA prompts denied or unanswered before",
        _of_sign_ins(
            lambda d: max(a.facts.prompts.denied + a.facts.prompts.unanswered for a in d.alerts)
        ),
    ),
    "user_risk": Field(
        "words", "user's risk", _known(lambda alert: alert.facts.risk_known, _risk_levels)
    ),
    "audits": Field(
        "words",
        "directory changes",
        _known(lambda alert: alert.facts.audits_known, lambda d: frozenset(d.operations())),
    ),
    "watch_hits": Field("number", "changes found by the watch", lambda d: len(d.hits)),
    "seen_elsewhere": Field(
        "flag", "its traces are in another open case", lambda d: bool(d.shared_elsewhere)
    ),
    "past_real": Field("number", "earlier real cases", lambda d: d.past.true_positive),
    "past_harmless": Field(
        "number",
        "earlier harmless cases",
        lambda d: d.past.false_positive + d.past.expected,
    ),
}
"""Name in a rule -> the fact. Names are stored in rules: keep them."""


def facts_of(dossier: Dossier) -> dict[str, Value | None]:
    """All facts of the case, for the rules and for the decision's record."""
    return {name: field.read(dossier) for name, field in FIELDS.items()}


def stored(facts: Mapping[str, Value | None]) -> dict[str, object]:
    """The same as JSON: sets as sorted lists; without the entities, which the case has anyway."""
    return {
        name: sorted(filter(None, value)) if isinstance(value, frozenset) else value
        for name, value in facts.items()
        if name != "entities"
    }
