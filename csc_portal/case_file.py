"""Everything that the database knows of a case, read in its tenant's scope in six queries."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.http import Http404
from django.utils.timesince import timesince

from alerts.chain import pillar_of
from alerts.models import Alert, AlertEntity, Case, CaseEvent
from alerts.records import Kind
from tenants.models import PILLARS, Tenant
from tenants.scope import scope
from ticketing.models import Delivery, Ticket

MOST_ALERTS = 200
MOST_LINKS = 2_000
MOST_EVENTS = 300
SEVERITY_POINTS = (10, 10, 30, 50, 70)


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity of the case. `alerts` counts those that name it."""

    pk: int
    kind: str
    pseudonym: uuid.UUID
    pillar: str
    alerts: int
    roles: tuple[str, ...]
    verdict: str
    ties: bool

    @property
    def label(self) -> tuple[str, uuid.UUID]:
        return (self.kind, self.pseudonym)


@dataclass(frozen=True, slots=True)
class CaseAlert:
    """An alert and why it is in this case."""

    alert: Alert
    things: tuple[Thing, ...]
    same_incident: bool
    shared: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline. `kind` is an event's kind, "alert" or "delivery"."""

    at: datetime
    kind: str
    actor_id: int | None = None
    facts: dict[str, object] = field(default_factory=dict)
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class CaseFile:
    case: Case
    alerts: list[CaseAlert]
    pillars: list[tuple[str, list[Thing]]]
    timeline: list[Step]
    ticket: Ticket | None
    deliveries: list[Delivery]
    reasons: list[tuple[str, int]]

    @property
    def waiting(self) -> Delivery | None:
        """The delivery that is not done, the latest one."""
        open_states = (Delivery.State.PENDING, Delivery.State.SENDING, Delivery.State.FAILED)
        return next((d for d in reversed(self.deliveries) if d.state in open_states), None)

    @property
    def hidden_alerts(self) -> int:
        return max(0, self.case.alert_count - len(self.alerts))

    @property
    def span(self) -> str:
        """From first to last activity in words; "" below a minute."""
        first, last = self.case.first_activity_at, self.case.last_activity_at
        return timesince(first, last) if last - first >= timedelta(minutes=1) else ""

    @property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(item.alert.service_source for item in self.alerts))


def read_case(tenant: Tenant, case_id: int) -> CaseFile:
    """Raises Http404 when the case was merged into another one."""
    with scope(tenant):
        case = Case.objects.filter(pk=case_id).exclude(status=Case.Status.MERGED).first()
        if case is None:
            raise Http404
        newest = Alert.objects.filter(case_id=case_id).order_by("-activity_at", "-pk")
        alerts = list(newest[:MOST_ALERTS])
        links = AlertEntity.objects.filter(alert_id__in=[alert.pk for alert in alerts])
        named = list(links.select_related("entity").order_by("entity_id", "alert_id")[:MOST_LINKS])
        events = list(
            CaseEvent.objects.filter(case_id=case_id).order_by("-at", "-pk")[:MOST_EVENTS]
        )
        ticket = Ticket.objects.filter(case_id=case_id).first()
        deliveries = list(Delivery.objects.filter(case_id=case_id).order_by("pk"))
    things = _things(named)
    joined = _joined(alerts, named, things)
    steps = [Step(event.at, event.kind, event.actor_id, event.facts) for event in events]
    steps += [Step(alert.activity_at, "alert", alert=alert) for alert in alerts]
    steps.sort(key=lambda step: step.at, reverse=True)
    providers = {alert.service_source for alert in alerts}
    return CaseFile(
        case,
        joined,
        [(name, [t for t in things.values() if t.pillar == name]) for name in PILLARS],
        steps,
        ticket,
        deliveries,
        priority_reasons(case, len(providers)),
    )


def _things(named: Sequence[AlertEntity]) -> dict[int, Thing]:
    """Entity id -> thing, those that tie and those of most alerts first."""
    by_entity: dict[int, list[AlertEntity]] = {}
    for link in named:
        by_entity.setdefault(link.entity_id, []).append(link)
    things = [_thing(links) for links in by_entity.values()]
    things.sort(key=lambda thing: (not thing.ties, -thing.alerts, thing.pk))
    return {thing.pk: thing for thing in things}


def _thing(links: Sequence[AlertEntity]) -> Thing:
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
    )


def pillar_name(kind: str) -> str:
    """The link of the chain that a stored kind belongs to."""
    try:
        known = Kind(kind)
    except ValueError:
        known = Kind.UNKNOWN
    return PILLARS[pillar_of(known).bit_length() - 1]


def _joined(
    alerts: Sequence[Alert], named: Sequence[AlertEntity], things: dict[int, Thing]
) -> list[CaseAlert]:
    """Why each alert is here: the same incident, or entities that tie it to another alert."""
    incidents = Counter(alert.incident_id for alert in alerts if alert.incident_id)
    tied = Counter(link.entity_id for link in named if link.ties)
    of_alert: dict[int, list[AlertEntity]] = {}
    for link in named:
        of_alert.setdefault(link.alert_id, []).append(link)
    found = []
    for alert in alerts:
        links = of_alert.get(alert.pk, [])
        ids = [link.entity_id for link in links]
        shared = [link.entity_id for link in links if link.ties and tied[link.entity_id] > 1]
        found.append(
            CaseAlert(
                alert,
                tuple(thing for pk, thing in things.items() if pk in ids),
                incidents[alert.incident_id] > 1,
                tuple(thing for pk, thing in things.items() if pk in shared),
            )
        )
    return found


def priority_reasons(case: Case, providers: int) -> list[tuple[str, int]]:
    """What adds up to the priority (see alerts.refresh). What is left over is named as such."""
    links = int(case.pillars).bit_count()
    reasons = [
        ("Severity of its worst alert", SEVERITY_POINTS[case.severity]),
        (f"{links} links of the chain touched", 5 * max(0, links - 1)),
        (f"{providers} products agree", 5 * max(0, providers - 1)),
        (f"{case.alert_count} alerts", min(10, max(0, case.alert_count - 1))),
    ]
    counted = [(text, points) for text, points in reasons if points]
    rest = case.priority - sum(points for _, points in counted)
    return [*counted, ("Limit of 100", rest)] if rest else counted
