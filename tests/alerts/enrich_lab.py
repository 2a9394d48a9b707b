"""A tenant, and a directory of the simulator that is its own, for enrichment."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.enrich import Enriched, enrich, next_due
from alerts.facts_of import facts_of
from alerts.feed import Content
from alerts.ingest import store_page
from alerts.models import Alert
from alerts.prepare import prepare_page
from clients.errors import RateLimited
from clients.http import Http
from clients.microsoft.graph import Graph
from enrichment.facts import AlertFacts, Known
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope
from tests.alerts.documents import PREFIX, address, alert, stamp
from tests.alerts.test_ledger import Token
from tests.enrichment.records import APP

NOW = datetime.now(UTC).replace(microsecond=0)
AT = NOW - timedelta(minutes=30)
ROLES = [
    "SecurityAlert.Read.All", "AuditLog.Read.All", "IdentityRiskEvent.Read.All",
    "IdentityRiskyUser.Read.All", "GroupMember.Read.All",
]  # fmt: skip
IP = "203.0.113.7"


def oid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def person(name: str) -> dict[str, Any]:
    return {
        "@odata.type": PREFIX + "userEvidence",
        "userAccount": {"azureAdUserId": oid(name), "userPrincipalName": f"{name}@contoso.com"},
    }


def request_of(key: str) -> dict[str, Any]:
    return {"@odata.type": PREFIX + "cloudLogonRequestEvidence", "requestId": key}


def odd(key: str, name: str, *evidence: dict[str, Any], at: datetime = AT, **more: Any) -> dict:
    times = dict.fromkeys(
        ("createdDateTime", "firstActivityDateTime", "lastActivityDateTime"), stamp(at)
    )
    changed = {**times, "lastUpdateDateTime": stamp(at + timedelta(minutes=2)), **more}
    return alert(key, person(name), address(IP), *evidence, **changed)


def sign_in(key: str, name: str, at: datetime = AT, **more: Any) -> dict[str, Any]:
    error = more.pop("error", 0)
    steps = [{**one, "authenticationStepDateTime": stamp(at)} for one in more.pop("steps", [APP])]
    return {
        "id": key,
        "createdDateTime": stamp(at),
        "userId": oid(name),
        "userPrincipalName": f"{name}@contoso.com",
        "correlationId": f"c-{key}",
        "appId": oid("app"),
        "ipAddress": IP,
        "isInteractive": True,
        "signInEventTypes": ["interactiveUser"],
        "authenticationRequirement": "multiFactorAuthentication",
        "authenticationDetails": steps,
        "sessionId": f"s-{key}",
        "uniqueTokenIdentifier": f"T-{key}",
        "riskLevelDuringSignIn": "low",
        "status": {"errorCode": error},
        "deviceDetail": {"deviceId": oid("pc"), "isManaged": True},
        "location": {"countryOrRegion": "DE"},
        **more,
    }


def audit(name: str, by: str, of: str, at: datetime = AT) -> dict[str, Any]:
    return {
        "id": f"Directory_{name}_{by}_{at}",
        "activityDisplayName": name,
        "activityDateTime": stamp(at),
        "result": "success",
        "initiatedBy": {"app": None, "user": {"id": oid(by)}},
        "targetResources": [{"id": oid(of), "type": "User", "modifiedProperties": []}],
    }


class Empty:
    """A governor whose bucket for the logs is empty."""

    def acquire(self, key: str, family: str, *, wait_s: float, cost: int = 1) -> str:
        if family == "audit_logs":
            raise RateLimited("full", code="throttled_here", retry_after_s=11)
        return ""

    def release(self, key: str, family: str, slot: str) -> None: ...

    def pause(self, key: str, family: str, seconds: float) -> None: ...

    def back_off(self, key: str, family: str, seconds: float) -> float:
        return seconds


class Lab:
    """The tenant `qa` and a directory of the simulator that is its own."""

    def __init__(self, tenant: Tenant, simulator: Any, pseudonymiser: Pseudonymiser) -> None:
        self.tenant, self.control, self.url = tenant, simulator.control, simulator.url
        self.pseudonymiser = pseudonymiser
        given = self.control.add_directory(populate=False)
        self.directory = given["directory"]
        self.graph = self.graph_with(ROLES)

    def graph_with(self, roles: list[str]) -> Graph:
        token = self.control.token(directory=self.directory, roles=roles)
        return Graph(Http(self.url), Token(token))

    def has(self, table: str, *rows: dict[str, Any]) -> None:
        self.control.add_rows(self.directory, table, list(rows))

    def take(self, *documents: dict[str, Any]) -> Content:
        """Stored here and at Microsoft; the records, as a poll keeps them."""
        self.control.add_alerts(self.directory, list(documents))
        page = prepare_page(documents, self.pseudonymiser)
        with scope(self.tenant):
            store_page(self.tenant.pk, page, self.pseudonymiser.version)
        return page.records

    def enrich(self, content: Content | None = None, now: datetime = NOW, **more: Any) -> Enriched:
        graph = more.pop("graph", self.graph)
        return enrich(self.tenant, graph, self.pseudonymiser, content or {}, now, **more)

    def facts(self, key: str) -> AlertFacts:
        with scope(self.tenant):
            found = Alert.objects.get(provider_id=key)
            evidence = facts_of([found.case_id])[found.case_id]
        return next(one for one in evidence.alerts if one.alert_id == found.pk)

    def due(self) -> datetime | None:
        with scope(self.tenant):
            return next_due()

    def requests(self) -> Counter[str]:
        """By family; batches are counted by what is in them."""
        rows = self.control.requests(directory=self.directory, service="graph")
        return Counter(row["family"] for row in rows if row["family"] != "batch")


def known(facts: AlertFacts) -> tuple[Known, Known, Known]:
    return facts.sign_in_known, facts.risk_known, facts.audits_known
