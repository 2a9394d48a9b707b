"""Posture of a tenant without anybody's cloud: a score, resources and findings, as rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from posture.findings import Found, settle
from posture.models import (
    AzureResource,
    AzureSubscription,
    ControlProfile,
    Finding,
    InventoryRead,
    ScoreDay,
    WatchRule,
)
from posture.secure_score import KIND, profiles_by_name, score_days
from posture.standing import standing
from posture.tally import new_since, tally
from tenants.models import Tenant
from tenants.scope import scope

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date()
VAULT, NET = "microsoft.keyvault/vaults", "microsoft.network/virtualnetworks"


@dataclass(frozen=True, slots=True)
class Posture:
    """What another tenant must not see: ids of findings, of resources and of subscriptions."""

    findings: dict[str, uuid.UUID]
    resources: list[uuid.UUID]
    subscription: uuid.UUID

    @property
    def traces(self) -> list[str]:
        ids = (*self.findings.values(), *self.resources, self.subscription)
        return [str(one) for one in ids]


def make_posture(tenant: Tenant, resources: int = 3, days: int = 12) -> Posture:
    with scope(tenant):
        place, pseudonyms = _azure(resources)
        _score(days)
        dropped = settle(KIND, [DROP], NOW)
        unwatched = settle(str(Finding.Kind.UNWATCHED), [UNWATCHED], NOW - timedelta(hours=1))
        known, counts = score_days(TODAY - timedelta(days=100)), tally(new_since(NOW))
        found = standing(known, profiles_by_name())
    Tenant.objects.filter(pk=tenant.pk).update(
        score_percent=known[-1].percent,
        score_read_at=NOW,
        score_standing=found,
        coverage={**counts.as_json(), "read_at": NOW.isoformat()},
    )
    findings = {KIND: dropped.opened[0], "unwatched_resources": unwatched.opened[0]}
    return Posture(findings, pseudonyms, place)


DROP = Found(
    "score", 3, "70.0 to 60.0 percent since yesterday: 1 control lost points",
    {"since": str(TODAY), "before": 70.0, "now": 60.0, "own": -10.0, "microsofts": 0.0},
)  # fmt: skip
UNWATCHED = Found("microsoft.keyvault", 2, "1 Azure resource is not watched", {"count": 1})


def _azure(count: int) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """The first is not watched; the others are. The newest reading was of everything."""
    place = uuid.uuid4()
    WatchRule.objects.create(pk=1, tags=[["monitored", ["true"]]], changed_at=NOW)
    early = NOW - timedelta(days=3)
    InventoryRead.objects.create(is_full=True, began_at=early, ended_at=early, is_complete=True)
    AzureSubscription.objects.create(pseudonym=place, plans={"VirtualMachines": True}, seen_at=NOW)
    rows = [
        AzureResource(
            pseudonym=uuid.uuid4(), subscription=place, type=NET if number else VAULT,
            location="westeurope", state="watched" if number else "unwatched",
            why="tag" if number else "missing", generation=1, first_seen_at=early, changed_at=early,
        )
        for number in range(count)
    ]  # fmt: skip
    AzureResource.objects.bulk_create(rows)
    return place, [row.pseudonym for row in rows]


def _score(days: int) -> None:
    """AdminMFA gives 6 of 10, DLPEnabled 2 of 5; OneAdmin is ignored. One point more a day."""
    for name, most, state in (("AdminMFA", 10, "Default"), ("DLPEnabled", 5, "Default"),
                              ("OneAdmin", 5, "Ignored")):  # fmt: skip
        ControlProfile.objects.create(
            name=name, title=f"Title of {name}", category="Identity", cost="Low", impact="Low",
            tier="Core", most=most, state=state, read_at=NOW,
        )  # fmt: skip
    controls = {"AdminMFA": [6, 10], "DLPEnabled": [2, 5], "OneAdmin": [0, 5]}
    for back in range(days):
        ScoreDay.objects.create(
            day=TODAY - timedelta(days=back), current=60 - back, most=100, controls=controls,
            averages={"AllTenants": 45.0}, read_at=NOW,
        )  # fmt: skip
