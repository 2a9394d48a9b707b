"""What part of the queue is wanted: read from a query string, written back to one, put into SQL.

An unknown value is a problem that the page shows; it never widens what is asked for.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from alerts.models import Case
from csc_portal.ordering import NEWEST, ORDERINGS, Ordering
from tenants.models import PILLARS, SEVERITIES, QueueEntry

ANY = "any"
STATUSES = {"new": 0, "in_progress": 1, "resolved": 2}
SEVERITY_RANKS = {name: rank for rank, name in enumerate(SEVERITIES)}
PILLAR_BITS = {name: 1 << bit for bit, name in enumerate(PILLARS)}
VERDICTS = {"none": "", **{value: value for value in Case.Verdict.values}}
ASSIGNEES = ("me", "none", "anyone")
USER_ID = r"[1-9][0-9]{0,8}"
"""Besides these, somebody's number is an assignee."""
DUE = {
    "breached": "q.due_at < now()",
    "soon": "q.due_at >= now() AND q.due_at < now() + interval '1 hour'",
    "fine": "(q.due_at >= now() + interval '1 hour' OR q.due_at IS NULL)",
}
IS_SNOOZED = "q.snoozed_until > now()"
DEFAULT_STATUSES = ("new", "in_progress")
DEFAULT_SEVERITIES = ("unknown", "low", "medium", "high")
"""Without unknown ones a case whose severity can't be read would be seen by nobody."""
LONGEST_TEXT = 100
CHOICES: Mapping[str, tuple[str, ...]] = {
    "status": (*STATUSES, ANY),
    "severity": (*SEVERITIES, ANY),
    "pillar": PILLARS,
    "verdict": tuple(VERDICTS),
    "assignee": ASSIGNEES,
    "ticket": ("yes", "no"),
    "vip": ("yes", "no"),
    "also": PILLARS,
    "sla": tuple(DUE),
    "closed_by": tuple(Case.ClosedBy.values),
    "snoozed": ("yes", ANY),
    "sort": tuple(ORDERINGS),
}
"""Parameter -> the values that it may have, for those with a closed list."""
_MANY = ("status", "severity", "pillar", "also", "verdict", "sla", "closed_by")
_SINGLE = ("assignee", "ticket", "vip", "snoozed", "sort")


@dataclass(frozen=True, slots=True)
class Filter:
    """Fields are the parameters of the query string; empty means the default or no restriction.

    `tenant` and `group` hold slugs, which the caller resolves. A case touches one of `pillar`, and
    all of `also`. `closed_by`: what the portal closed by itself, of any severity. `view`: the saved
    view that this came from. `problems`: sentences for people.
    """

    tenant: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    pillar: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    assignee: str = ""
    ticket: str = ""
    vip: str = ""
    sla: tuple[str, ...] = ()
    closed_by: tuple[str, ...] = ()
    snoozed: str = ""
    q: str = ""
    entity: str = ""
    since: str = ""
    until: str = ""
    sort: str = ""
    view: str = ""
    problems: tuple[str, ...] = field(default=(), compare=False)

    @property
    def statuses(self) -> tuple[str, ...]:
        """Status names in effect; all of them for `any`."""
        if ANY in self.status:
            return tuple(STATUSES)
        return self.status or (("resolved",) if self.closed_by else DEFAULT_STATUSES)

    @property
    def severities(self) -> tuple[str, ...]:
        if ANY in self.severity or (self.closed_by and not self.severity):
            return tuple(SEVERITIES)
        return self.severity or DEFAULT_SEVERITIES

    @property
    def is_default(self) -> bool:
        """Nothing but the tenants, the order and the view was chosen."""
        return replace(self, tenant=(), group=(), sort="", view="") == Filter()

    @property
    def ordering(self) -> Ordering:
        """The order in effect: closed cases are many, and only by time is there an index."""
        if "resolved" in self.statuses and not ORDERINGS.get(self.sort, NEWEST).is_by_time:
            return NEWEST
        return ORDERINGS.get(self.sort, NEWEST)

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
        """The query string with the tenants and the order alone."""
        view = ANY if self.view else ""  # else the view that the queue opens with would be back
        return Filter(self.tenant, self.group, sort=self.sort, view=view).query()

    @property
    def without_tenants(self) -> str:
        """What a saved view keeps."""
        return self.query(tenant=(), group=(), view="", since="", until="")

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
        "group": tuple(dict.fromkeys(query.getlist("group")))[:200],
        "source": tuple(dict.fromkeys(map(_plain, query.getlist("source"))))[:20],
    }
    for name in _MANY:
        given = tuple(dict.fromkeys(filter(None, query.getlist(name))))
        values[name] = tuple(item for item in given if _is_choice(name, item, problems))
    for name in _SINGLE:
        given_one = query.get(name, "")
        values[name] = given_one if given_one and _is_choice(name, given_one, problems) else ""
    values["q"] = _plain(query.get("q", ""))
    values["entity"] = _pseudonym(query.get("entity", ""), problems)
    values["view"] = _view(query.get("view", ""))
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
    if wanted.assignee and wanted.assignee not in ("none", "anyone"):
        person = me if wanted.assignee == "me" else int(wanted.assignee)
        met &= Condition("q.assignee_id = %s", (person,))
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
    if wanted.also:
        bits = sum(PILLAR_BITS[name] for name in wanted.also)
        met &= Condition("q.pillars & %s = %s", (bits, bits))
    if wanted.source:
        met &= Condition("q.source = ANY(%s)", (list(wanted.source),))
    if wanted.verdict:
        met &= Condition("q.verdict = ANY(%s)", ([VERDICTS[name] for name in wanted.verdict],))
    if wanted.assignee in ("none", "anyone"):
        nobody = "" if wanted.assignee == "none" else "NOT "
        met &= Condition(f"q.assignee_id IS {nobody}NULL")
    if wanted.ticket:
        met &= Condition(f"q.ticket_ref {'<>' if wanted.ticket == 'yes' else '='} ''")
    if wanted.vip:
        met &= Condition(f"{'' if wanted.vip == 'yes' else 'NOT '}q.is_vip")
    if wanted.sla:
        met &= Condition(f"({' OR '.join(DUE[name] for name in wanted.sla)})")
    if wanted.closed_by:
        met &= Condition("q.closed_by = ANY(%s)", (list(wanted.closed_by),))
    if wanted.snoozed == "yes":
        met &= Condition(IS_SNOOZED)
    elif not wanted.snoozed:
        met &= Condition(f"({IS_SNOOZED}) IS NOT TRUE")
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
    if value in CHOICES[name] or (name == "assignee" and re.fullmatch(USER_ID, value)):
        return True
    problems.append(f"'{value[:30]}' is no {name}. Choose of: {', '.join(CHOICES[name])}.")
    return False


def _view(text: str) -> str:
    """The id of a saved view, or ANY for the queue as it is without one; others are ignored."""
    try:
        return text if text in ("", ANY) else str(uuid.UUID(text))
    except ValueError:
        return ""


def _pseudonym(text: str, problems: list[str]) -> str:
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
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        problems.append(f"'{name}' is no time. Write it as 2026-11-20T08:00:00Z.")
        return ""
