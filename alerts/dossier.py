"""Everything that the judgement of one case reads, as frozen values.

Metadata and pseudonyms only. `alerts.dossiers` reads them from the database.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from enrichment.facts import AlertFacts, AssetMark, PastVerdicts, SharedTrace, SignInFacts

VIP, CROWN_JEWEL = "vip", "crown_jewel"
TAME = frozenset(
    {"account_updated", "account_disabled", "role_removed", "sessions_revoked", "device_deleted"}
)
"""Directory changes (enrichment.audits.Operation) that are everyday work, or take rights away.
Every other one counts as risky, also one that is not known here."""
SEVERITIES = ("unknown", "informational", "low", "medium", "high")
"""By rank, as rows hold it."""
MEDIUM = SEVERITIES.index("medium")
HIGH = SEVERITIES.index("high")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was decided: a code that never changes, and a sentence for people."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class JudgedAlert:
    """What is stored of an alert. `detection`: its scrubbed title. `severity`: 0 unknown to 4 high.

    `addresses`, `users`: how many of them it names by now.
    """

    id: int
    source: str
    detection: str
    category: str
    severity: int
    status: str
    facts: AlertFacts
    addresses: int = 0
    users: int = 1
    techniques: tuple[str, ...] = ()

    def risky_operations(self) -> frozenset[str]:
        """What was done in the directory by or to its user, without the everyday."""
        return frozenset(one.operation for one in self.facts.audits) - TAME


@dataclass(frozen=True, slots=True)
class Hit:
    """A risky directory change that a watch found. `operation`: our word for it."""

    operation: str
    at: datetime
    is_success: bool = True


@dataclass(frozen=True, slots=True)
class Dossier:
    """One case. `was_touched`: a person has worked on it, here, at Microsoft or in its ticket.

    `has_neighbour`: another case, open and of weight or judged real, is about the same person,
    about that time.
    `was_reopened`: somebody or something opened it again. `entities`: all pseudonyms of all things
    that its alerts name, with those that every one of its alerts names apart in `shared_entities`.
    `held_growth` and `held_severity`: what it was when it was snoozed or closed.
    """

    case_id: int
    alerts: tuple[JudgedAlert, ...]
    severity: int = 0
    pillars: int = 0
    status: int = 0
    growth: int = 1
    marks: tuple[AssetMark, ...] = ()
    past: PastVerdicts = field(default_factory=PastVerdicts)
    shared_elsewhere: tuple[SharedTrace, ...] = ()
    hits: tuple[Hit, ...] = ()
    has_neighbour: bool = False
    entities: frozenset[uuid.UUID] = frozenset()
    shared_entities: frozenset[uuid.UUID] = frozenset()
    was_touched: bool = False
    was_reopened: bool = False
    has_ticket: bool = False
    closed_by: str = ""
    snoozed_until: datetime | None = None
    held_growth: int = 0
    held_severity: int = 0
    opened_at: datetime | None = None

    @property
    def is_vip(self) -> bool:
        return any(mark.kind == VIP for mark in self.marks)

    @property
    def is_crown_jewel(self) -> bool:
        return any(mark.kind == CROWN_JEWEL for mark in self.marks)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(alert.source for alert in self.alerts)

    @property
    def categories(self) -> frozenset[str]:
        """Attack stages: Microsoft's categories are the tactics of MITRE ATT&CK."""
        return frozenset(alert.category for alert in self.alerts if alert.category)

    @property
    def has_moved(self) -> bool:
        """Alerts joined, or it became more severe, since it was snoozed or closed."""
        return self.growth > self.held_growth or self.severity > self.held_severity

    def sign_ins(self) -> tuple[SignInFacts, ...]:
        """The sign-ins that its alerts are about, as far as they are known."""
        found = (alert.facts.sign_in for alert in self.alerts)
        return tuple(one for one in found if one is not None)

    def operations(self) -> tuple[str, ...]:
        """Directory changes by or to its people, from enrichment and from the watch, each once."""
        seen = [audit.operation for alert in self.alerts for audit in alert.facts.audits]
        return tuple(dict.fromkeys([*seen, *(hit.operation for hit in self.hits)]))


def sentence_of(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    listed = list(words)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"
