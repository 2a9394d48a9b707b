"""What part of the queue is wanted: read from a query string, written back to one, put into SQL.

An unknown value is a problem that the page shows; it never widens what is asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from alerts.models import Case
from tenants.models import PILLARS, SEVERITIES, QueueEntry

ANY = "any"
STATUSES = {"new": 0, "in_progress": 1, "resolved": 2}
SEVERITY_RANKS = {name: rank for rank, name in enumerate(SEVERITIES)}
PILLAR_BITS = {name: 1 << bit for bit, name in enumerate(PILLARS)}
VERDICTS = {"none": "", **{value: value for value in Case.Verdict.values}}
ASSIGNEES = ("me", "none", "anyone")
DEFAULT_STATUSES = ("new", "in_progress")
DEFAULT_SEVERITIES = ("unknown", "low", "medium", "high")
"""Without unknown ones a case whose severity can't be read would be seen by nobody."""
LONGEST_TEXT = 100
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "status": (*STATUSES, ANY),
    "severity": (*SEVERITIES, ANY),
    "pillar": PILLARS,
    "verdict": tuple(VERDICTS),
    "assignee": ASSIGNEES,
    "ticket": ("yes", "no"),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Fields are the parameters of the query string; empty means the default or no restriction.

    `tenant` holds slugs, which the caller resolves. `problems` are sentences for people.
    """

    tenant: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    pillar: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    assignee: str = ""
    ticket: str = ""
    q: str = ""
    entity: str = ""
    since: str = ""
    until: str = ""
    problems: tuple[str, ...] = field(default=(), compare=False)

    @property
    def statuses(self) -> tuple[str, ...]:
        """Status names in effect; all of them for `any`."""
        if ANY in self.status:
            return tuple(STATUSES)
        return self.status or DEFAULT_STATUSES

    @property
    def severities(self) -> tuple[str, ...]:
        if ANY in self.severity:
            return tuple(SEVERITIES)
        return self.severity or DEFAULT_SEVERITIES

    @property
    def is_default(self) -> bool:
        """Nothing but the tenants was chosen."""
        return replace(self, tenant=()) == Filter()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of the query string, as a form sends them."""
        return [
            (f.name, value)
            for f in fields(self)
            if f.name != "problems"
            for value in _as_tuple(getattr(self, f.name))
        ]

    @property
    def cleared(self) -> str:
        """The query string with the tenants alone."""
        return Filter(tenant=self.tenant).query()

    def query(self, **changes: Any) -> str:
        """The query string, with some fields changed; "" for the default."""
        return urlencode(replace(self, **changes).pairs)

    def toggled(self, name: str, value: str) -> str:
        """The query string with one choice of a field added or taken away."""
        current = getattr(self, name)
        if name in ("status", "severity") and (not current or ANY in current):
            current = self.statuses if name == "status" else self.severities
        if not isinstance(current, tuple):
            return self.query(**{name: "" if current == value else value})
        kept = tuple(item for item in current if item != value)
        return self.query(**{name: kept if len(kept) < len(current) else (*current, value)})


def parse(query: QueryDict) -> Filter:
    """A filter and its problems. Never raises."""
    problems: list[str] = []
    values: dict[str, Any] = {
        "tenant": tuple(dict.fromkeys(query.getlist("tenant")))[:200],
        "source": tuple(dict.fromkeys(map(_plain, query.getlist("source"))))[:20],
    }
    for name in ("status", "severity", "pillar", "verdict"):
        given = tuple(dict.fromkeys(filter(None, query.getlist(name))))
        values[name] = tuple(item for item in given if _is_choice(name, item, problems))
    for name in ("assignee", "ticket"):
        given_one = query.get(name, "")
        values[name] = given_one if given_one and _is_choice(name, given_one, problems) else ""
    values["q"] = _plain(query.get("q", ""))
    values["entity"] = _entity(query.get("entity", ""), problems)
    for name in ("since", "until"):
        values[name] = _time(name, query.get(name, ""), problems)
    return Filter(**values, problems=tuple(problems))


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL over `q`, the queue's rows, and its parameters. Made of constants; values are bound."""

    sql: str = "true"
    parameters: tuple[object, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        parts = [part for part in (self.sql, other.sql) if part != "true"]
        return Condition(" AND ".join(parts) or "true", self.parameters + other.parameters)


def walked(wanted: Filter, me: int) -> Condition:
    """What an index serves. `me` is the user for whom `assignee=me` holds."""
    met = _status(wanted)
    if wanted.assignee == "me":
        met &= Condition("q.assignee_id = %s", (me,))
    if wanted.since:
        met &= Condition("q.last_activity_at >= %s", (datetime.fromisoformat(wanted.since),))
    if wanted.until:
        met &= Condition("q.last_activity_at < %s", (datetime.fromisoformat(wanted.until),))
    return met


def checked(wanted: Filter) -> Condition:
    """What each row has to be looked at for."""
    met = Condition()
    ranks = sorted(SEVERITY_RANKS[name] for name in wanted.severities)
    if len(ranks) < len(SEVERITIES):
        met &= Condition("q.severity = ANY(%s)", (ranks,))
    if wanted.pillar:
        bits = sum(PILLAR_BITS[name] for name in wanted.pillar)
        met &= Condition("q.pillars & %s > 0", (bits,))
    if wanted.source:
        met &= Condition("q.source = ANY(%s)", (list(wanted.source),))
    if wanted.verdict:
        met &= Condition("q.verdict = ANY(%s)", ([VERDICTS[name] for name in wanted.verdict],))
    if wanted.assignee in ("none", "anyone"):
        nobody = "" if wanted.assignee == "none" else "NOT "
        met &= Condition(f"q.assignee_id IS {nobody}NULL")
    if wanted.ticket:
        met &= Condition(f"q.ticket_ref {'<>' if wanted.ticket == 'yes' else '='} ''")
    if wanted.q:
        met &= Condition("q.title ILIKE %s", (_like(wanted.q),))
    return met


def _status(wanted: Filter) -> Condition:
    """One predicate at most: a second one on the same column misleads the planner."""
    numbers = sorted(STATUSES[name] for name in wanted.statuses)
    if numbers == [QueueEntry.Status.NEW, QueueEntry.Status.IN_PROGRESS]:
        return Condition("q.status < 2")
    if len(numbers) == 1:
        return Condition(f"q.status = {numbers[0]}")  # constant: partial indexes can be used
    return Condition("q.status = ANY(%s)", (numbers,)) if len(numbers) == 2 else Condition()


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _plain(text: str) -> str:
    """Postgres has no NUL in texts."""
    return text.replace("\0", "").strip()[:LONGEST_TEXT]


def _as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if value else ()


def _is_choice(name: str, value: str, problems: list[str]) -> bool:
    if value in _CHOICES[name]:
        return True
    problems.append(f"'{value[:30]}' is no {name}. Choose of: {', '.join(_CHOICES[name])}.")
    return False


def _entity(text: str, problems: list[str]) -> str:
    if not text:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        problems.append("The entity in the address is not a pseudonym.")
        return ""


def _time(name: str, text: str, problems: list[str]) -> str:
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return (at.astimezone(UTC) + timedelta(0)).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        problems.append(f"'{name}' is no time. Write it as 2026-11-20T08:00:00Z.")
        return ""
