"""A finding as the subject of a ticket: one for all things that it is about.

What is stored names nothing. The ticket is the place for names, so they are read when it is
written; where that fails, it says what is known without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clients.errors import ApiError
from posture.findings import publish
from posture.live_names import LiveNames, read_names
from posture.models import AzureResource, Finding
from tenants.directories import BadSecret, arm_for, pseudonymiser_for
from tenants.models import SEVERITIES, Tenant
from tenants.pseudonyms import label
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem
from ticketing.finding_drafts import FindingFacts, draft_finding, draft_finding_note
from ticketing.mapping import priority_for
from ticketing.models import Delivery, Ticket
from ticketing.subjects import Outlet

LINES_IN_TICKET = 40
Kind = Finding.Kind
ADVICE = {
    Kind.UNWATCHED: "Give these resources the tag that the monitoring asks for, or exempt them.",
    Kind.SCORE_DROPPED: "See which controls lost points, and whether that was meant.",
    Kind.EXPLOITED: "Install the updates first for these: attackers use them today.",
}


class FindingSubject:
    """See ticketing.subjects.Subject."""

    is_merged = False

    def __init__(self, outlet: Outlet, finding: Finding) -> None:
        self._outlet, self._finding = outlet, finding
        self.key: Mapping[str, int] = {"finding_id": finding.pk}
        self.reference = finding.reference
        self.growth = finding.growth
        self.is_open = finding.is_open

    def system(self) -> TicketSystem:
        return self._outlet.system

    def draft(self) -> TicketDraft:
        draft = draft_finding(self._facts(), self.reference, self._link())
        severity = SEVERITIES[self._finding.severity]
        return replace(draft, priority=priority_for(self._outlet.mapping, severity, draft.priority))

    def note(self, delivery: Delivery, ticket: Ticket) -> str:
        return draft_finding_note(self._facts(), self._link())

    def take(self, found: TicketRef) -> None:
        row = Finding.objects.filter(pk=self._finding.pk)
        row.update(ticket_ref=found.id, ticket_url=found.url)
        publish(list(row))

    def tell(self, kind: str, facts: dict[str, object]) -> None:
        """A finding keeps no history of its own; the audit log has what people did."""

    def _link(self) -> str:
        portal = self._outlet.portal_url.rstrip("/")
        return f"{portal}/findings/{self._finding.public_id}/" if portal else ""

    def _facts(self) -> FindingFacts:
        finding = self._finding
        lines, problem = _lines(self._outlet.tenant, finding)
        is_known = finding.kind in Kind.values
        return FindingFacts(
            kind=str(Kind(finding.kind).label) if is_known else finding.kind,
            tenant=self._outlet.tenant.name,
            severity=finding.severity,
            summary=finding.summary,
            opened_at=finding.opened_at,
            size=finding.size,
            lines=lines,
            advice=ADVICE[Kind(finding.kind)] if is_known else "",
            problem=problem,
        )


def _lines(tenant: Tenant, finding: Finding) -> tuple[list[tuple[str, str]], str]:
    if finding.kind == Kind.UNWATCHED:
        return _resources(tenant, finding.key)
    if finding.kind == Kind.EXPLOITED:
        return [_weakness(one) for one in finding.facts.get("weaknesses", [])], ""
    controls = finding.facts.get("controls", [])
    return [(one["title"] or one["name"], f"{one['points']:+.1f} points") for one in controls], ""


def _weakness(one: Mapping[str, object]) -> tuple[str, str]:
    products = one.get("products")
    named = ", ".join(map(str, products)) if isinstance(products, list) else ""
    by = "; used by ransomware" if one.get("ransomware") else ""
    return str(one.get("cve")), f"{one.get('devices')} devices; {named or 'product unknown'}{by}"


def _resources(tenant: Tenant, provider: str) -> tuple[list[tuple[str, str]], str]:
    """The newest of a provider's resources that nobody watches, with names if Azure tells them."""
    found = AzureResource.objects.filter(state="unwatched", type__startswith=f"{provider}/")
    resources = list(found.order_by("-first_seen_at", "pseudonym")[:LINES_IN_TICKET])
    try:
        live = read_names(arm_for(tenant), pseudonymiser_for(tenant), resources)
    except (ApiError, BadSecret) as err:
        live = LiveNames(problem=str(err))
    return [
        (
            live.names.get(one.pseudonym) or label("cloud_resource", one.pseudonym),
            f"{one.type} in {live.names.get(one.subscription) or 'a subscription'}",
        )
        for one in resources
    ], live.problem
