"""How urgent a case is: the sum of the terms below, kept between 0 and 100.

The table is the whole rule. A tenant may give a term other points; each case stores its terms, so
that the page shows the sum line by line. docs/judgement.md repeats the table with its reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from alerts.dossier import SEVERITIES, Dossier
from enrichment.facts import Known, Mfa

LOWEST, HIGHEST = 0, 100
TICKET_STEPS = (30, 60, 85)
"""From which priority on a ticket is medium, high, urgent."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Points of a term. With `each`, they count that often, but no more than `most` in all."""

    points: int
    words: str
    each: bool = False
    most: int = 0


TABLE: Mapping[str, Weight] = {
    "severity_high": Weight(70, "Severity is high"),
    "severity_medium": Weight(50, "Severity is medium"),
    "severity_low": Weight(30, "Severity is low"),
    "severity_informational": Weight(10, "Severity is informational"),
    "severity_unknown": Weight(30, "Severity is not known, so it is taken for low"),
    "vip": Weight(15, "A VIP is concerned"),
    "crown_jewel": Weight(15, "A crown jewel is concerned"),
    "stages": Weight(5, "Further stages of an attack", each=True, most=20),
    "providers": Weight(5, "Further products report it", each=True, most=10),
    "alerts": Weight(1, "Further alerts", each=True, most=5),
    "no_mfa": Weight(10, "The sign-in succeeded without multi-factor authentication"),
    "mfa_by_claim": Weight(5, "MFA was only satisfied by a claim in the token"),
    "mfa_prompts": Weight(15, "MFA prompts were denied or not answered before it"),
    "mfa_performed": Weight(-10, "MFA was performed in the sign-in"),
    "sign_in_failed": Weight(-10, "The sign-in did not succeed"),
    "audits": Weight(10, "Risky directory changes around it", each=True, most=20),
    "watch": Weight(20, "Risky directory changes after it, found by the watch"),
    "user_risk_high": Weight(10, "Microsoft rates the user's risk as high"),
    "user_compromised": Weight(20, "The user is confirmed as compromised"),
    "seen_elsewhere": Weight(10, "Its token, session, device or address is in another open case"),
    "past_real": Weight(10, "The same was real before, for the same person or thing"),
    "past_harmless": Weight(-15, "Often judged harmless before, and never real"),
}
"""Code of a term -> its points unless the tenant says otherwise. Codes are stored: keep them."""
OFTEN = 3
"""So many harmless verdicts count as often."""


@dataclass(frozen=True, slots=True)
class Term:
    code: str
    points: int
    words: str


@dataclass(frozen=True, slots=True)
class Score:
    """`points` is the sum of the terms, between 0 and 100."""

    points: int
    terms: tuple[Term, ...]


class BadWeights(ValueError):
    """Weights that can't be used; the message says which and why."""


def check_weights(weights: object) -> dict[str, int]:
    """A tenant's own points by code. Raises BadWeights."""
    if not isinstance(weights, dict):
        raise BadWeights("Weights are points by the code of a term.")
    checked: dict[str, int] = {}
    for code, points in weights.items():
        if code not in TABLE:
            raise BadWeights(f"There is no term '{str(code)[:40]}'.")
        if isinstance(points, bool) or not isinstance(points, int) or abs(points) > HIGHEST:
            raise BadWeights(f"The points of '{code}' must be a whole number from -100 to 100.")
        if points < 0 <= TABLE[code].points:
            raise BadWeights(f"'{code}' can't lower the priority; 0 leaves it out.")
        checked[code] = points
    return checked


def score(dossier: Dossier, weights: Mapping[str, int] | None = None) -> Score:
    """The terms that hold for the case, in the order of the table, and their sum."""
    own = weights or {}
    terms = []
    for code, weight in TABLE.items():
        times = _TIMES[code](dossier)
        points = own.get(code, weight.points)
        if not times or not points:
            continue
        if weight.each:
            points = min(points * times, max(weight.most, points))
        counted = f" ({times})" if weight.each else ""
        terms.append(Term(code, points, weight.words + counted))
    return Score(clamp(sum(term.points for term in terms)), tuple(terms))


def clamp(points: int) -> int:
    return max(LOWEST, min(HIGHEST, points))


def ticket_priority(points: int) -> int:
    """1 low to 4 urgent."""
    return 1 + sum(points >= step for step in TICKET_STEPS)


def preliminary() -> list[int]:
    """By rank of severity, what a case counts until it has been judged."""
    return [TABLE[f"severity_{name}"].points for name in SEVERITIES]


# --- how often each term holds --------------------------------------------------------------------


def _severity(name: str) -> Callable[[Dossier], int]:
    rank = SEVERITIES.index(name)
    return lambda dossier: dossier.severity == rank


def _mfa(wanted: Mfa) -> Callable[[Dossier], int]:
    """Of the sign-ins that succeeded, whether one was like that."""
    return lambda dossier: any(one.mfa is wanted for one in dossier.sign_ins() if one.succeeded)


def _all_performed(dossier: Dossier) -> int:
    return _all_known(dossier) and all(
        one.succeeded and one.mfa is Mfa.PERFORMED for one in dossier.sign_ins()
    )


def _prompts(dossier: Dossier) -> int:
    return any(
        alert.facts.prompts.denied or alert.facts.prompts.unanswered for alert in dossier.alerts
    )


def _none_succeeded(dossier: Dossier) -> int:
    return _all_known(dossier) and not any(one.succeeded for one in dossier.sign_ins())


def _all_known(dossier: Dossier) -> bool:
    """The sign-in of each of its alerts is known, and there is one."""
    known = [
        alert.facts.sign_in_known is Known.YES and alert.facts.sign_in is not None
        for alert in dossier.alerts
    ]
    return bool(known) and all(known)


def _risks(dossier: Dossier) -> Iterator[tuple[str, str]]:
    for alert in dossier.alerts:
        if alert.facts.risk is not None:
            yield alert.facts.risk.level, alert.facts.risk.state


def _harmless_before(dossier: Dossier) -> int:
    past = dossier.past
    harmless = past.false_positive + past.expected
    return past.true_positive == 0 and harmless >= OFTEN


_TIMES: Mapping[str, Callable[[Dossier], int]] = {
    **{f"severity_{name}": _severity(name) for name in SEVERITIES},
    "vip": lambda dossier: dossier.is_vip,
    "crown_jewel": lambda dossier: dossier.is_crown_jewel,
    "stages": lambda dossier: max(0, len(dossier.categories) - 1),
    "providers": lambda dossier: max(0, len(dossier.sources) - 1),
    "alerts": lambda dossier: max(0, len(dossier.alerts) - 1),
    "no_mfa": _mfa(Mfa.NOT_REQUIRED),
    "mfa_by_claim": _mfa(Mfa.CLAIM),
    "mfa_prompts": _prompts,
    "mfa_performed": _all_performed,
    "sign_in_failed": _none_succeeded,
    "audits": lambda dossier: len(
        frozenset().union(*(alert.risky_operations() for alert in dossier.alerts))
    ),
    "watch": lambda dossier: len(dossier.hits) > 0,
    "user_risk_high": lambda dossier: any(level == "high" for level, _ in _risks(dossier)),
    "user_compromised": lambda dossier: any(
        state == "confirmedCompromised" for _, state in _risks(dossier)
    ),
    "seen_elsewhere": lambda dossier: len(dossier.shared_elsewhere) > 0,
    "past_real": lambda dossier: dossier.past.same_entity.true_positive > 0,
    "past_harmless": _harmless_before,
}
