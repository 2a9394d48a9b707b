"""All that is stored of a tenant, for its customer: a line of JSON each, without any secret.

What is stored is metadata and pseudonyms, so that is what the file holds. The provider's people are
not named in it. What only keeps the reading going (windows, subscriptions, keys) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from django.db.models import Model

from alerts.models import (
    Alert,
    AlertEntity,
    AlertFact,
    Case,
    CaseEvent,
    Decision,
    Entity,
    Suppression,
    WriteBack,
)
from csc_portal.audit_log import customers_reader
from posture.models import (
    AzureResource,
    AzureSubscription,
    ControlProfile,
    Exemption,
    Finding,
    ScoreDay,
    WatchRule,
    Weakness,
)
from reports.models import Report
from tenants.models import AuditEntry, Tenant
from tenants.scope import scope
from ticketing.models import Delivery, Ticket

AT_ONCE = 2000
OF_TENANT = (
    "public_id", "slug", "name", "state", "directory_id", "client_id", "created_at", "sla",
    "auto_close", "sources_off",
)  # fmt: skip

TABLES: dict[str, type[Model]] = {
    "case": Case, "alert": Alert, "entity": Entity, "named": AlertEntity, "facts": AlertFact,
    "event": CaseEvent, "decision": Decision, "suppression": Suppression, "write_back": WriteBack,
    "ticket": Ticket, "delivery": Delivery, "finding": Finding, "score_day": ScoreDay,
    "control": ControlProfile, "watch_rule": WatchRule, "exemption": Exemption,
    "subscription": AzureSubscription, "resource": AzureResource, "weakness": Weakness,
    "report": Report,
}  # fmt: skip


def export_lines(tenant: Tenant) -> Iterator[bytes]:
    """{"kind": ..., ...} a line: the tenant, its rows of TABLES, its audit entries.

    What a row has as its own `kind` is called `event_kind` and so on.
    """
    yield _line("tenant", {name: getattr(tenant, name) for name in OF_TENANT})
    for kind, model in TABLES.items():
        yield from _rows(tenant, kind, model)
    reader, after = customers_reader({tenant.pk: tenant}), 0
    while rows := list(
        AuditEntry.objects.filter(tenant_id=tenant.pk, pk__gt=after).order_by("pk").values(
            "pk", "at", "actor", "action", "subject", "facts"
        )[:AT_ONCE]
    ):  # fmt: skip
        after = rows[-1]["pk"]
        yield b"".join(_line("audit", row | {"actor": reader.name(row["actor"])}) for row in rows)


def _rows(tenant: Tenant, kind: str, model: type[Model]) -> Iterator[bytes]:
    """In pages by key, each in a scope of its own: a slow reader holds nothing."""
    after: Any = None
    while True:
        with scope(tenant):
            found = model._default_manager.order_by("pk")
            found = found if after is None else found.filter(pk__gt=after)
            rows = list(found.values()[:AT_ONCE])
        if not rows:
            return
        last = tuple(rows[-1][field.attname] for field in model._meta.pk_fields)
        after = last if len(last) > 1 else last[0]
        yield b"".join(_line(kind, row) for row in rows)


def _line(kind: str, values: dict[str, Any]) -> bytes:
    named = {f"{kind}_kind" if name == "kind" else name: one for name, one in values.items()}
    return orjson.dumps({"kind": kind, **named}, default=_text) + b"\n"


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
