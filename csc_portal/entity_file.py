"""One entity, by the pseudonym that pages show: its alerts and cases in time."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.http import Http404

from alerts.by_hand import class_for
from alerts.links import Link, seen_with
from alerts.marks import marks_of_entities
from alerts.models import Alert, AlertEntity, AlertFact, Case, Entity, Hub, Watch
from alerts.records import Kind
from alerts.rows import run
from csc_portal import queue
from csc_portal.access import Rights
from csc_portal.case_file import pillar_name
from csc_portal.day_bars import Bar, bars
from enrichment.facts import AlertFacts, AssetMark
from enrichment.stored import from_json
from tenants.models import PILLARS, Tenant
from tenants.roles import Right
from tenants.scope import scope

SHOWN = 200
SIGN_INS = 20
DAYS = 30
SECONDS = {
    "identity": "People", "device": "Devices", "app": "Apps", "data": "Data",
    "infrastructure": "Addresses and other",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntityFile:
    """`links` are its newest alerts with their cases; `alert_count` counts all of them.

    `seen_with`: people, devices, apps and data, most often first; `marks`: its asset classes;
    `watched_until`: its directory audits are being read until then; `facts`: what was found out
    about its newest alerts, for a person; `hub`: what was learned or said about its tying cases.
    """

    entity: Entity
    links: list[AlertEntity]
    cases: list[Case]
    alert_count: int
    seen_with: list[Link]
    marks: tuple[AssetMark, ...]
    watched_until: datetime | None
    facts: list[tuple[Alert, AlertFacts]]
    hub: Hub | None

    @property
    def ties_nothing(self) -> bool:
        return self.hub is not None and self.hub.is_hub

    @property
    def is_vip(self) -> bool:
        return any(mark.kind == "vip" for mark in self.marks)

    @property
    def is_person(self) -> bool:
        return self.entity.kind == Kind.USER.value

    @property
    def can_be(self) -> str:
        """ "vip", "crown_jewel" or ""."""
        return class_for(self.entity.kind)

    @property
    def is_marked(self) -> bool:
        return any(mark.kind == self.can_be for mark in self.marks)

    @property
    def groups(self) -> list[tuple[str, list[Link]]]:
        """What it was seen with, by link of the chain."""
        return [
            (SECONDS[name], found)
            for name in PILLARS
            if (found := [link for link in self.seen_with if pillar_name(link.kind) == name])
        ]

    def days(self, now: datetime) -> list[Bar]:
        """Alerts of each of the last 30 days; the newest 200 alerts are counted."""
        counts = Counter(link.at.date() for link in self.links)
        days = [(now - timedelta(days=DAYS - 1 - number)).date() for number in range(DAYS)]
        return bars([(day, counts[day]) for day in days])


def find_entity(
    pseudonym: uuid.UUID, rights: Rights, right: Right = Right.SEE_CASES
) -> tuple[Tenant, int]:
    """(tenant, entity id). A pseudonym belongs to one tenant only. Raises Http404."""
    found = queue.find_entities([pseudonym], rights.having(right), 1)
    if not found:
        raise Http404
    tenant_id, entity_id = found[0]
    return Tenant.objects.get(pk=tenant_id), entity_id


def read_entity(tenant: Tenant, entity_id: int) -> EntityFile:
    """Eight queries in the tenant's scope."""
    with scope(tenant):
        entity = Entity.objects.filter(pk=entity_id).first()
        if entity is None:
            raise Http404
        named = AlertEntity.objects.filter(entity_id=entity_id)
        links = list(named.select_related("alert", "alert__case").order_by("-at")[:SHOWN])
        count = named.count()
        together = seen_with(entity_id)
        marks = marks_of_entities([entity_id]).get(entity_id, ())
        watches = Watch.objects.filter(alert__links__entity_id=entity_id, next_at__isnull=False)
        until = watches.aggregate(until=Max("until"))["until"]
        facts = _facts([link.alert for link in links[:SIGN_INS]])
        hub = Hub.objects.filter(pk=entity_id).first()
    cases = {link.alert.case_id: link.alert.case for link in links if link.alert.case_id}
    found = list(cases.values())
    return EntityFile(entity, links, found, count, together, marks, until, facts, hub)


def _facts(alerts: Sequence[Alert]) -> list[tuple[Alert, AlertFacts]]:
    """Those of which a sign-in was asked for."""
    rows = {row.alert_id: row for row in AlertFact.objects.filter(alert__in=alerts)}
    return [
        (alert, from_json(alert.pk, rows[alert.pk].facts)) for alert in alerts if alert.pk in rows
    ]


# --- what is seen most ----------------------------------------------------------------------------

NEWEST_ALERTS = 5_000
MOST = 60
LARGEST_TENANTS = 3

SEEN_MOST = """
SELECT n.kind, n.pseudonym, n.cases, n.alerts, n.last_at, EXISTS (
  SELECT FROM alerts_entitykey k
  JOIN alerts_assetmember m ON m.pseudonym = k.pseudonym
  JOIN alerts_assetclass c ON c.id = m.asset_class_id AND c.kind IN ('vip', 'crown_jewel')
  WHERE k.entity_id = n.id)
FROM (
SELECT e.id, e.kind, e.pseudonym, count(DISTINCT a.case_id) AS cases, count(*) AS alerts,
  max(l.at) AS last_at
FROM (SELECT id, case_id FROM alerts_alert ORDER BY id DESC LIMIT %s) AS a
JOIN alerts_alertentity l ON l.alert_id = a.id AND l.at >= %s
JOIN alerts_entity e ON e.id = l.entity_id AND (%s = '' OR e.kind = ANY(%s))
GROUP BY e.id ORDER BY alerts DESC, cases DESC, e.id LIMIT %s
) AS n ORDER BY n.alerts DESC, n.cases DESC, n.id
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """An entity of the newest alerts. `matters`: a VIP or a crown jewel."""

    tenant_id: int
    kind: str
    pseudonym: uuid.UUID
    cases: int
    alerts: int
    last_at: datetime
    matters: bool

    @property
    def label(self) -> tuple[str, uuid.UUID]:
        return (self.kind, self.pseudonym)


def seen_most(tenant_ids: Sequence[int], pillar: str, now: datetime) -> list[Seen]:
    """Of the tenants with most open cases, what the last 30 days name most; one query a tenant.

    `pillar`: only that link of the chain; "" for all.
    """
    largest = [pk for pk, _ in queue.busiest(tenant_ids, LARGEST_TENANTS)]
    kinds = [kind.value for kind in Kind if pillar_name(kind.value) == pillar]
    found: list[Seen] = []
    since = now - timedelta(days=DAYS)
    for tenant in Tenant.objects.filter(pk__in=largest).order_by("pk"):
        with scope(tenant):
            rows = run(SEEN_MOST, [NEWEST_ALERTS, since, pillar, kinds, MOST])
        found += [Seen(tenant.pk, *row) for row in rows]
    return sorted(found, key=lambda one: (-one.alerts, -one.cases, one.pseudonym))[:MOST]
