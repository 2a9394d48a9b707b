"""What Microsoft's feed can't show us for a tenant, in plain words, with what to do about it.

What the feed leaves out: https://learn.microsoft.com/graph/api/resources/security-alert
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from alerts.models import Alert, SourceAbility
from clients.errors import ApiError, Forbidden
from clients.http import Policy
from clients.microsoft.defender import NOT_LICENSED
from clients.microsoft.graph import Graph
from clients.microsoft.permissions import PERMISSIONS
from clients.microsoft.security import Ability, probe
from tenants.directories import defender_for
from tenants.models import Tenant
from tenants.scope import scope

State = SourceAbility.State

ONE_TRY = Policy(read_s=10, deadline_s=15, attempts=1)
SEEN_WITHIN = timedelta(days=30)
CHECKED_EVERY = timedelta(days=7)
NO_PREMIUM = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"

PRODUCTS = {
    "microsoftDefenderForEndpoint": "Defender for Endpoint",
    "microsoftDefenderForIdentity": "Defender for Identity",
    "microsoftDefenderForOffice365": "Defender for Office 365",
    "microsoftDefenderForCloudApps": "Defender for Cloud Apps",
    "microsoftDefenderForCloud": "Defender for Cloud",
    "dataLossPrevention": "Data Loss Prevention",
}
"""By `serviceSource`; Sentinel and ID Protection have sentences of their own."""

CONSEQUENCES = {
    "alerts": ("SecurityAlert.Read.All", "no alert comes at all"),
    "incidents": (
        "SecurityIncident.Read.All",
        "merges of Microsoft's incidents are not followed: cases that belong together stay apart",
    ),
    "sign-ins": (
        "AuditLog.Read.All",
        "nothing can prove that a sign-in was confirmed by MFA, and no identity alert is closed "
        "by such proof",
    ),
    "audits": (
        "AuditLog.Read.All",
        "changes that follow an odd sign-in (a new MFA method, a role, a consent) are not noticed",
    ),
    "secure-score": ("SecurityEvents.Read.All", "the Secure Score is not shown"),
    "weaknesses": (
        "Vulnerability.Read.All",
        "nothing can be said of weak software on devices, nor whether attackers use it now",
    ),
    "users": ("User.Read.All", "VIPs can't be told by their titles and departments"),
}
"""Source -> (permission, what is missing without it)."""

LICENCES = {"weaknesses": "Defender for Endpoint Plan 2 or Defender Vulnerability Management"}
NEVER_CHECKED = (
    "It has not been checked yet what can be read for this tenant. Run `manage.py probe` for it, "
    "or wait for the weekly check."
)
SENTINEL_SEEN = (
    "Sentinel: at least one workspace is connected, because its alerts come. Workspaces that are "
    "not connected to the Defender portal send nothing, and can't be seen from here. Compare "
    "Defender portal > Settings > Microsoft Sentinel with the workspaces that the customer has."
)
SENTINEL_UNSEEN = (
    "No alert of Microsoft Sentinel in 30 days. Alerts of a workspace that is not connected to the "
    "Defender portal never come, and nothing here can tell whether there is one. Connect it under "
    "Defender portal > Settings > Microsoft Sentinel."
)
STRUCTURAL = (
    "Alerts that a tuning (suppression) rule hides never come, and nothing here can tell whether "
    "there are such rules. Look at Defender portal > Settings > Microsoft Defender XDR > Alert "
    "tuning.",
    "Some things never come through this feed: Intune alerts, minor Exchange events (an inbox rule "
    "that was made, delayed mail), and detections that Defender put into no incident. Watch them "
    "in their own portals if they matter.",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the last probe found for one source. `problem`: in our words, for State.UNKNOWN."""

    source: str
    state: str
    problem: str
    checked_at: datetime


def describe(findings: Iterable[Finding], seen: Collection[str], now: datetime) -> list[str]:
    """Sentences, most serious first. `seen`: service sources of the last 30 days. Pure."""
    by_source = {finding.source: finding for finding in findings}
    if not by_source:
        return [NEVER_CHECKED, *_products(seen, {}), *STRUCTURAL]
    sentences = [
        sentence
        for source in CONSEQUENCES
        if source in by_source and (sentence := _about(by_source[source]))
    ]
    oldest = min(finding.checked_at for finding in by_source.values())
    if now - oldest > 2 * CHECKED_EVERY:
        sentences.append(
            f"The last complete check was on {oldest:%d %B %Y}; what follows from it may be out of "
            "date. Run `manage.py probe`."
        )
    return [*sentences, *_products(seen, by_source), *STRUCTURAL]


def _about(finding: Finding) -> str:
    permission, consequence = CONSEQUENCES[finding.source]
    what = finding.source.replace("-", " ").capitalize()
    if finding.state == State.NO_LICENCE:
        licence = LICENCES.get(finding.source, "Entra ID P1 or P2")
        return (
            f"{what} can't be read because the directory has no {licence} licence: "
            f"{consequence}. The portal finds out by itself when it is there."
        )
    if finding.state == State.NO_PERMISSION:
        return (
            f"{what} can't be read: {consequence}. Grant the app {permission} and let an "
            "administrator of the customer consent again; if it is granted, the directory lacks "
            "the product."
        )
    if finding.state == State.UNKNOWN:
        return f"{what}: it is not known whether they can be read. {finding.problem}"
    return ""


def _products(seen: Collection[str], findings: Mapping[str, Finding]) -> list[str]:
    """What the absence of a product's alerts means, and that it may mean nothing."""
    sentences = [SENTINEL_SEEN if "microsoftSentinel" in seen else SENTINEL_UNSEEN]
    sign_ins = findings.get("sign-ins")
    if "azureAdIdentityProtection" not in seen:
        sentences.append(
            "No alert of Entra ID Protection in 30 days. Without Entra ID P2 it reports little; "
            + (
                "the directory has no such licence."
                if sign_ins and sign_ins.state == State.NO_LICENCE
                else "whether the directory has P2 can't be told from here. Look at its licences "
                "in the Entra admin center."
            )
        )
    silent = [name for source, name in PRODUCTS.items() if source not in seen]
    if silent:
        sentences.append(
            f"No alert in 30 days of {', '.join(silent)}. Either nothing happened there, or the "
            "product is not licensed or not set up; from here the two look the same. Ask the "
            "customer which of them are in use."
        )
    return sentences


# --- the tenant's rows ----------------------------------------------------------------------------


def blind_spots(tenant: Tenant) -> list[str]:
    """The sentences for a tenant's page. Two queries in the tenant's scope."""
    now = timezone.now()
    with scope(tenant):
        findings = [
            Finding(row.source, row.state, row.problem, row.checked_at)
            for row in SourceAbility.objects.all()
        ]
        recent = Alert.objects.filter(updated_at__gte=now - SEEN_WITHIN).order_by()
        seen = set(recent.values_list("service_source", flat=True).distinct())
    return describe(findings, seen, now)


def check_sources(tenant: Tenant, graph: Graph, now: datetime) -> list[Ability]:
    """Probe every source and keep what was found. Raises ApiError if there is no token at all."""
    abilities = [*probe(graph), probe_weaknesses(tenant)]
    note_abilities(tenant, [(ability.source, ability.error) for ability in abilities], now)
    return abilities


def probe_weaknesses(tenant: Tenant) -> Ability:
    """Defender's own API, which has a token of its own: to get none there says as much."""
    error: ApiError | None = None
    try:
        defender_for(tenant).with_policy(ONE_TRY).probe()
    except ApiError as err:
        error = err
    return Ability("weaknesses", "Vulnerability.Read.All", error)


def is_check_due(tenant: Tenant, now: datetime) -> bool:
    """Whether the last complete probe is a week old."""
    with scope(tenant):
        checked = list(SourceAbility.objects.values_list("checked_at", flat=True))
    return len(checked) < len(CONSEQUENCES) or min(checked) < now - CHECKED_EVERY


def note_abilities(
    tenant: Tenant, results: Iterable[tuple[str, ApiError | None]], now: datetime
) -> None:
    """Keep what a probe found: (source, error or None) each.

    A fault of the moment replaces nothing that is known.
    """
    rows = [
        SourceAbility(
            source=source,
            state=state_of(error),
            problem=str(error)[:300] if error else "",
            checked_at=now,
        )
        for source, error in results
    ]
    with scope(tenant):
        SourceAbility.objects.bulk_create(
            [row for row in rows if row.state != State.UNKNOWN],
            update_conflicts=True,
            unique_fields=["source"],
            update_fields=["state", "problem", "checked_at"],
        )
        unknown = [row for row in rows if row.state == State.UNKNOWN]
        SourceAbility.objects.bulk_create(unknown, ignore_conflicts=True)
        states = dict(SourceAbility.objects.values_list("source", "state"))
    Tenant.objects.filter(pk=tenant.pk).update(
        missing_permissions=[
            permission.name
            for permission in PERMISSIONS
            if any(states.get(source) == State.NO_PERMISSION for source in permission.sources)
        ],
        unlicensed=sorted(name for name, state in states.items() if state == State.NO_LICENCE),
        permissions_checked_at=now,
    )


def state_of(error: ApiError | None) -> str:
    """What an answer means, as State. Only a 403 proves that something is missing."""
    if error is None:
        return State.THERE
    if error.code == NO_PREMIUM or error.code in NOT_LICENSED:
        return State.NO_LICENCE
    return State.NO_PERMISSION if isinstance(error, Forbidden) else State.UNKNOWN
