"""What a case's page reads from Microsoft and the ticket system at this moment, and keeps nowhere.

Each reading is in the audit log. Outside of every scope. Never raises ApiError.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from django.utils import timezone

from alerts.content import read_content
from alerts.live_user import IMPATIENT, LiveUser, read_user
from alerts.models import Alert
from clients.errors import ApiError
from clients.microsoft.security import alerts_by_id
from csc_portal.comments import read_notes
from tenants.audit import record
from tenants.directories import BadSecret, graph_for, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope

MOST_ADVICE = 3
LONGEST_RAW = 300_000
GONE = "Microsoft does not have this alert any more."


@dataclass(frozen=True, slots=True)
class Advice:
    """What the product says of an alert: free text of Microsoft's."""

    title: str
    description: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """One reading; `problem` says why there is none."""

    advice: tuple[Advice, ...] = ()
    raw: str = ""
    is_cut: bool = False
    notes: tuple[str, ...] = ()
    problem: str = ""
    user: LiveUser = field(default_factory=LiveUser)


def live_advice(tenant: Tenant, case_id: int, actor: str, subject: str) -> Live:
    """Description and recommended actions of the worst alerts; each text once."""
    with scope(tenant):
        worst = Alert.objects.filter(case_id=case_id).order_by("-severity", "-activity_at", "pk")
        ids = list(worst.values_list("provider_id", flat=True)[:MOST_ADVICE])
    try:
        content = read_content(graph_for(tenant).with_policy(IMPATIENT), ids, {})
    except (ApiError, BadSecret) as err:
        return Live(problem=str(err))
    record(actor, "advice_shown", tenant, subject, {"alerts": len(content)})
    found: dict[str, Advice] = {}
    for alert in content.values():
        said = Advice(alert.title, alert.description, _lines(alert.recommended_actions))
        found.setdefault(alert.recommended_actions + alert.description, said)
    return Live(tuple(found.values()), problem="" if found else GONE)


def _lines(text: str) -> tuple[str, ...]:
    """The steps of a text of several lines, without its bullets."""
    lines = (line.strip().lstrip("-*•·").strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def live_raw(tenant: Tenant, case_id: int, alert_id: int, actor: str, subject: str) -> Live:
    """The document as Microsoft sends it now."""
    with scope(tenant):
        alert = Alert.objects.filter(case_id=case_id, pk=alert_id).first()
    if alert is None:
        return Live(problem="This alert is not in the case any more.")
    try:
        graph = graph_for(tenant).with_policy(IMPATIENT)
        answer = alerts_by_id(graph, [alert.provider_id])[alert.provider_id]
    except (ApiError, BadSecret) as err:
        return Live(problem=str(err))
    if isinstance(answer, ApiError):
        return Live(problem=str(answer))
    record(actor, "raw_shown", tenant, subject, {"alerts": 1})
    text = json.dumps(answer, indent=2, ensure_ascii=False, sort_keys=True)
    return Live(raw=text[:LONGEST_RAW], is_cut=len(text) > LONGEST_RAW)


def live_notes(tenant: Tenant, case_id: int, actor: str, subject: str) -> Live:
    """What people wrote in the ticket."""
    try:
        notes = read_notes(tenant, case_id)
    except (ApiError, BadSecret) as err:
        return Live(problem=str(err))
    record(actor, "notes_shown", tenant, subject, {"notes": len(notes)})
    return Live(notes=tuple(notes), problem="" if notes else "The ticket has no notes.")


def live_user(
    tenant: Tenant, entity_id: int, actor: str, subject: str, facts: dict[str, object]
) -> Live:
    """A person's last sign-ins, risk and directory changes."""
    try:
        graph, pseudonymiser = graph_for(tenant), pseudonymiser_for(tenant)
    except (ApiError, BadSecret) as err:
        return Live(problem=str(err))
    found = read_user(tenant, entity_id, graph, pseudonymiser, timezone.now())
    counted: dict[str, object] = {
        "sign_ins": len(found.sign_ins), "audits": len(found.audits)
    }  # fmt: skip
    record(actor, "sign_ins_shown", tenant, subject, counted | facts)
    return Live(user=found)
