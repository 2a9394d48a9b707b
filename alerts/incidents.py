"""Reads what Microsoft did to its incidents, and takes merges alone: the alerts of a merged
incident join the other's, and so do the cases. Incidents are otherwise not stored.

https://learn.microsoft.com/graph/api/resources/security-incident (status, redirectIncidentId)
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from alerts.blind_spots import note_abilities
from alerts.grow import grow_cases
from alerts.ingest import Counts
from alerts.models import Alert, Cursor, Poll, SourceAbility
from alerts.normalise.fields import incident_id
from alerts.redirects import Redirection, learn
from alerts.refresh import publish, summarise
from alerts.windows import Source, read_source
from clients.errors import Forbidden
from clients.microsoft.graph import Graph
from clients.microsoft.security import INCIDENTS, incident_pages
from tenants.documents import instant, text
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

SOURCE = "incidents"
BEGINS = timedelta(days=30)
"""How far back the first read goes; older alerts have come with the incident that they are in."""
AFTER_CHANGES = timedelta(minutes=10)
AT_REST = timedelta(hours=4)
REFUSED_FOR = timedelta(days=1)
MAY_BE_MERGED = frozenset({"redirected", "unknownfuturevalue", ""})
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """What a page of incidents says. `unread`: how many documents could not be understood."""

    redirections: tuple[Redirection, ...]
    newest: datetime | None
    unread: int


def read_incidents(
    tenant: Tenant, graph: Graph, *, since: datetime | None = None, until: datetime | None = None
) -> Counts:
    """Follow every merge since the last time; `updated` counts the alerts that were moved.

    Raises Forbidden, which is noted, if the permission is missing, and other ApiErrors as
    `read_source` does.
    """
    source = Source(
        SOURCE,
        INCIDENTS,
        "incidents",
        incident_pages,
        lambda documents: take_incidents(tenant, documents),
        is_optional=True,
    )
    now = timezone.now()
    try:
        counts = read_source(tenant, graph, source, since=since, until=until, begins=now - BEGINS)
    except Forbidden as err:
        note_abilities(tenant, [(SOURCE, err)], now)
        raise
    note_abilities(tenant, [(SOURCE, None)], now)
    return counts


def is_due(now: datetime, *, changed: bool) -> bool:
    """Whether reading is worth a request. `changed`: alerts did just now. In the tenant's scope.

    Only open cases can be merged. Where nothing happens, a look now and then does. Alerts that are
    read for the first time name the right incident, so that the first look can wait as well.
    """
    reads = Poll.objects.filter(source=SOURCE, is_extra=False, finished_at__isnull=False)
    last = reads.order_by("-pk").values_list("finished_at", flat=True).first()
    if last is None:
        last = Poll.objects.order_by("pk").values_list("started_at", flat=True).first()
    if last is None or last > now - (AFTER_CHANGES if changed else AT_REST):
        return False
    refusals = (SourceAbility.State.NO_PERMISSION, SourceAbility.State.NO_LICENCE)
    ability = SourceAbility.objects.filter(source=SOURCE, state__in=refusals)
    if ability.filter(checked_at__gt=now - REFUSED_FOR).exists():
        return False
    return Alert.objects.filter(case__status__lt=2).exclude(incident_id="").exists()


def take_incidents(tenant: Tenant, documents: list[object]) -> tuple[Counts, datetime | None]:
    """Follow the merges of one page; counts and newest change."""
    page = read_page(documents)
    if page.unread:
        logger.warning("incidents not understood count=%d", page.unread)
    moved = 0
    if page.redirections:
        with scope(tenant):
            moved = follow_merges(tenant.pk, page.redirections)
    return Counts(fetched=len(documents), updated=moved), page.newest


def follow_merges(tenant_id: int, redirections: Collection[Redirection]) -> int:
    """Move the alerts and grow their cases together, as one page of the ingest; alerts moved."""
    with transaction.atomic():
        Cursor.objects.select_for_update().get(source="lock")
        moved = learn(redirections)
        if moved:
            grown = grow_cases(moved, tenant_id)
            summarise(grown.touched - set(grown.merged))
            publish(tenant_id, grown.touched)
    return len(moved)


def read_page(documents: list[object]) -> Page:
    """The merges among raw incidents. Pure."""
    found: list[Redirection] = []
    newest: datetime | None = None
    unread = 0
    for document in documents:
        incident = document if isinstance(document, dict) else {}
        source = incident_id(incident.get("id"), NOTHING)
        updated_at = instant(incident.get("lastUpdateDateTime"))
        if not source or updated_at is None:
            unread += 1
            continue
        newest = max(newest or updated_at, updated_at)
        if text(incident.get("status")).casefold() not in MAY_BE_MERGED:
            continue
        target = incident_id(incident.get("redirectIncidentId"), NOTHING)
        if target and target != source:
            found.append(Redirection(source, target, updated_at))
        elif text(incident.get("status")).casefold() == "redirected":
            unread += 1
    return Page(tuple(found), newest, unread)
