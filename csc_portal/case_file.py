"""What the database knows of a case: its head, its alerts and what they name. In the scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import Http404
from django.utils.timesince import timesince

from alerts.auto_closed import decisions_of
from alerts.chain import pillar_of
from alerts.marks import marks_of
from alerts.models import Alert, AlertEntity, Case, Decision, WriteBack
from alerts.records import Kind
from csc_portal.chain_picture import Picture, Place, draw
from tenants.models import PILLARS
from ticketing.models import Delivery, Ticket

MOST_ALERTS = 200
MOST_LINKS = 2_000
ENDED = frozenset({Decision.Outcome.CLOSED, Decision.Outcome.SUPPRESSED})


@dataclass(frozen=True, slots=True)
class CaseHead:
    """What every tab shows. `decisions`: the newest first."""

    case: Case
    ticket: Ticket | None
    deliveries: list[Delivery]
    decisions: list[Decision]

    @property
    def waiting(self) -> Delivery | None:
        """The delivery that is not done, the latest one."""
        open_states = (Delivery.State.PENDING, Delivery.State.SENDING, Delivery.State.FAILED)
        return next((d for d in reversed(self.deliveries) if d.state in open_states), None)

    @property
    def span(self) -> str:
        """From first to last activity in words; "" below a minute."""
        first, last = self.case.first_activity_at, self.case.last_activity_at
        return timesince(first, last) if last - first >= timedelta(minutes=1) else ""

    @property
    def decision(self) -> Decision | None:
        """The one that holds."""
        return self.decisions[0] if self.decisions else None

    @property
    def ending(self) -> Decision | None:
        """What closed it, if the portal did so by itself."""
        if not self.case.closed_by or self.case.is_open:
            return None
        return next((one for one in self.decisions if one.outcome in ENDED), None)

    @property
    def would_close(self) -> bool:
        found = self.decision
        is_dry = found is not None and found.outcome == Decision.Outcome.WOULD_CLOSE
        return is_dry and self.case.is_open

    @property
    def is_waiting(self) -> bool:
        found = self.decision
        is_held = found is not None and found.outcome == Decision.Outcome.WAITING
        return is_held and self.case.is_open

    @property
    def terms(self) -> list[tuple[str, int]]:
        """The table of the priority; what the bounds take off or put on is a line, too."""
        terms = [(str(words), int(points)) for _, points, words in self.case.terms]
        rest = self.case.priority - sum(points for _, points in terms)
        if not terms:
            return [("By its severity, until it has been judged", self.case.priority)]
        return [*terms, ("Kept between 0 and 100", rest)] if rest else terms


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity of the case. `alerts` counts those that name it; `marks`: its asset classes."""

    pk: int
    kind: str
    pseudonym: uuid.UUID
    pillar: str
    alerts: int
    roles: tuple[str, ...]
    verdict: str
    ties: bool
    marks: tuple[str, ...] = ()

    @property
    def label(self) -> tuple[str, uuid.UUID]:
        return (self.kind, self.pseudonym)

    @property
    def note(self) -> str:
        """Below its name in the picture."""
        counted = f"{self.alerts} alert{'' if self.alerts == 1 else 's'}"
        return " · ".join([*self.marks[:1], counted])


@dataclass(frozen=True, slots=True)
class CaseAlert:
    """An alert of the case with all that it names. `told`: what Microsoft was told of it."""

    alert: Alert
    things: tuple[Thing, ...]
    original: Alert | None = None
    told: WriteBack | None = None


@dataclass(frozen=True, slots=True)
class CaseAlerts:
    """The newest alerts of a case, and everything that they name."""

    alerts: list[CaseAlert]
    things: tuple[Thing, ...]

    @property
    def pillars(self) -> list[tuple[str, list[Thing]]]:
        return [(name, [t for t in self.things if t.pillar == name]) for name in PILLARS]

    @property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(item.alert.service_source for item in self.alerts))

    @property
    def detections(self) -> list[tuple[str, str]]:
        """(product, scrubbed title), each once."""
        pairs = ((item.alert.service_source, item.alert.title) for item in self.alerts)
        return list(dict.fromkeys(pairs))

    @property
    def categories(self) -> list[str]:
        return list(dict.fromkeys(i.alert.category for i in self.alerts if i.alert.category))

    @property
    def leading(self) -> list[tuple[Thing, int]]:
        """Of each link of the chain what matters most, and how many more there are."""
        return [(things[0], len(things) - 1) for _, things in self.pillars if things]

    @property
    def people(self) -> list[Thing]:
        return [thing for thing in self.things if thing.kind == Kind.USER.value]

    @property
    def picture(self) -> Picture:
        pillars = [
            (name, [Place(t.pk, t.kind, t.pseudonym, t.note) for t in things])
            for name, things in self.pillars
        ]
        return draw(pillars, [[thing.pk for thing in item.things] for item in self.alerts])


def read_head(case_id: int) -> CaseHead:
    """Four queries. Raises Http404 when the case was merged into another one."""
    case = Case.objects.filter(pk=case_id).exclude(status=Case.Status.MERGED).first()
    if case is None:
        raise Http404
    ticket = Ticket.objects.filter(case_id=case_id).first()
    deliveries = list(Delivery.objects.filter(case_id=case_id).order_by("pk"))
    return CaseHead(case, ticket, deliveries, decisions_of(case_id))


def read_alerts(case_id: int, *, with_marks: bool = True, with_told: bool = False) -> CaseAlerts:
    """Two queries, and one more for each of the two."""
    newest = Alert.objects.filter(case_id=case_id).order_by("-activity_at", "-pk")
    alerts = list(newest[:MOST_ALERTS])
    ids = [alert.pk for alert in alerts]
    links = AlertEntity.objects.filter(alert_id__in=ids).select_related("entity")
    named = list(links.order_by("entity_id", "alert_id")[:MOST_LINKS])
    marks = marks_of([case_id]).get(case_id, ()) if with_marks else ()
    told = WriteBack.objects.filter(alert_id__in=ids) if with_told else []
    classes: dict[uuid.UUID, list[str]] = {}
    for mark in marks:
        classes.setdefault(mark.entity, []).append(mark.asset_class)
    things = _things(named, classes)
    of_alert: dict[int, set[int]] = {}
    for link in named:
        of_alert.setdefault(link.alert_id, set()).add(link.entity_id)
    by_id = {alert.pk: alert for alert in alerts}
    writes = {row.alert_id: row for row in told}
    found = [
        CaseAlert(
            alert,
            tuple(thing for thing in things if thing.pk in of_alert.get(alert.pk, ())),
            by_id.get(alert.duplicate_of_id or 0),
            writes.get(alert.pk),
        )
        for alert in alerts
    ]
    return CaseAlerts(found, things)


def _things(named: Sequence[AlertEntity], classes: dict[uuid.UUID, list[str]]) -> tuple[Thing, ...]:
    """Those that tie and those of most alerts first."""
    by_entity: dict[int, list[AlertEntity]] = {}
    for link in named:
        by_entity.setdefault(link.entity_id, []).append(link)
    things = [_thing(links, classes) for links in by_entity.values()]
    return tuple(sorted(things, key=lambda thing: (not thing.ties, -thing.alerts, thing.pk)))


def _thing(links: Sequence[AlertEntity], classes: dict[uuid.UUID, list[str]]) -> Thing:
    entity = links[0].entity
    roles = {role for link in links for role in link.roles.split(",") if role}
    verdicts = [link.verdict for link in links if link.verdict not in ("", "unknown")]
    return Thing(
        pk=entity.pk,
        kind=entity.kind,
        pseudonym=entity.pseudonym,
        pillar=pillar_name(entity.kind),
        alerts=len(links),
        roles=tuple(sorted(roles)),
        verdict=verdicts[-1] if verdicts else "",
        ties=any(link.ties for link in links),
        marks=tuple(classes.get(entity.pseudonym, ())),
    )


def pillar_name(kind: str) -> str:
    """The link of the chain that a stored kind belongs to."""
    try:
        known = Kind(kind)
    except ValueError:
        known = Kind.UNKNOWN
    return PILLARS[pillar_of(known).bit_length() - 1]


def merged_into(case_id: int) -> list[dict[str, Any]]:
    """Cases that were merged into this one, the newest first. One query."""
    found = Case.objects.filter(merged_into_id=case_id).order_by("-changed_at", "-pk")
    return list(found.values("pk", "title", "changed_at")[:20])
