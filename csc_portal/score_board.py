"""What the pages of the Secure Score show: the ranked list, a tenant's score, a control live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, FloatField, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from clients.errors import ApiError, Forbidden
from clients.http import Policy
from clients.microsoft.graph import Graph
from clients.microsoft.security import control_profile, set_control_state
from posture.findings import open_findings
from posture.models import ControlProfile, Finding
from posture.score_documents import plain, read_state
from posture.scores import Profile, Score, Step, change, steps
from posture.secure_score import HISTORY_DAYS, KIND, profiles_by_name, score_days
from tenants.documents import instant, objects, text
from tenants.models import ScoreBand, Tenant
from tenants.scope import scope

IMPATIENT = Policy(read_s=10, deadline_s=12, attempts=1, retry_after_cap_s=2, governor_wait_s=4)
"""Somebody waits in front of the page."""
WRITE_PERMISSION = (
    "The app may not change controls: it has no SecurityEvents.ReadWrite.All. Add that application "
    "permission to the app registration, and let the customer's admin consent to it again."
)
ORDERS = ("percent", "week", "month", "name")


def ranked(tenant_ids: Sequence[int], order: str) -> QuerySet[Tenant]:
    """Whose score needs somebody first: the lowest, or the one that fell most."""
    found = Tenant.objects.filter(pk__in=tenant_ids).exclude(state=Tenant.State.OFFBOARDED)
    if order in ("week", "month"):
        key = {"week": "change_7", "month": "change_30"}[order]
        value = Cast(KeyTextTransform(key, "score_standing"), FloatField())
        return found.order_by(value.asc(nulls_last=True), "name", "pk")
    if order == "name":
        return found.order_by("name", "pk")
    return found.order_by(F("score_percent").asc(nulls_last=True), "name", "pk")


@dataclass(frozen=True)
class TenantScore:
    """One tenant's score. `days` oldest first; `steps` best first; `band` None: too few others."""

    days: list[Score]
    steps: list[Step]
    band: ScoreBand | None
    findings: list[Finding]

    @property
    def newest(self) -> Score | None:
        return self.days[-1] if self.days else None

    @property
    def changes(self) -> list[tuple[int, float | None]]:
        return [(back, change(self.days, back)) for back in (7, 30, 90)]


def tenant_score(tenant: Tenant, now: datetime) -> TenantScore:
    """Three queries in the tenant's scope and one for those of its size."""
    with scope(tenant):
        days = score_days(now.date() - timedelta(days=HISTORY_DAYS + 10))
        profiles = profiles_by_name() if days else {}
        findings = open_findings(KIND)
    name = str(tenant.score_standing.get("band") or "")
    band = ScoreBand.objects.filter(name=name).first() if name else None
    return TenantScore(days, steps(days[-1], profiles) if days else [], band, findings)


def control_of(tenant: Tenant, name: str) -> Profile | None:
    """What is stored of a control."""
    if "\0" in name:  # which Postgres can't even look for
        return None
    with scope(tenant):
        return profiles_by_name([name]).get(name)


@dataclass(frozen=True, slots=True)
class StateChange:
    """One entry of a control's history at Microsoft. Names: for one answer only."""

    at: datetime | None
    state: str
    by: str
    assigned_to: str
    comment: str


@dataclass(frozen=True, slots=True)
class LiveControl:
    """Texts of a control as they are at Microsoft now, without markup. Never stored."""

    remediation: str
    impact: str
    url: str
    state: str
    history: tuple[StateChange, ...]


def live_control(graph: Graph, name: str) -> LiveControl:
    """Raises ApiError. One request."""
    document = control_profile(graph.with_policy(IMPATIENT), name)
    url = text(document.get("actionUrl"))[:1000]
    history = tuple(
        StateChange(
            instant(row.get("updatedDateTime")),
            text(row.get("state"))[:60],
            text(row.get("updatedBy"))[:200],
            text(row.get("assignedTo"))[:200],
            plain(text(row.get("comment")), 1000),
        )
        for row in objects(document.get("controlStateUpdates"))[-20:]
    )
    return LiveControl(
        plain(_raw(document.get("remediation"))),
        plain(_raw(document.get("remediationImpact"))),
        url if url.startswith("https://") else "",
        read_state(document)[0],
        tuple(reversed(history)),
    )


def _raw(value: object) -> str:
    """Line breaks stand between steps, so they are kept."""
    return "\n".join(map(text, value.splitlines())) if isinstance(value, str) else ""


class NoWriteAccess(ApiError):
    """The app may read controls, but not change them. The text says what to do."""


def change_state(tenant: Tenant, graph: Graph, name: str, state: str, comment: str) -> str:
    """Set a control's state at Microsoft, then here; the state from before.

    Raises NoWriteAccess, and other ApiErrors as the client does. The comment is not kept here.
    """
    try:
        set_control_state(graph.with_policy(IMPATIENT), name, state, comment)
    except Forbidden as err:
        raise NoWriteAccess(WRITE_PERMISSION, status=err.status) from err
    with scope(tenant):
        row = ControlProfile.objects.filter(name=name)
        before = row.values_list("state", flat=True).first() or ""
        row.update(state=state)
    return before
