"""A case as the subject of a ticket: its alerts in full, read from memory or from Microsoft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from alerts.content import read_content
from alerts.feed import Content, provider_ids
from alerts.models import Case, CaseEvent
from alerts.records import AlertRecord
from alerts.refresh import publish
from tenants.models import SEVERITIES
from ticketing.adapters import TicketDraft, TicketRef, TicketSystem
from ticketing.drafts import CaseFacts, draft_merge_note, draft_note, draft_ticket
from ticketing.mapping import first_pillar, priority_for
from ticketing.models import Delivery, Ticket
from ticketing.plan import MERGED_GROWTH
from ticketing.subjects import Outlet

ALERTS_IN_TICKET = 40


class CaseSubject:
    """See ticketing.subjects.Subject. `known`: content that is in memory anyway."""

    def __init__(self, outlet: Outlet, case: Case, known: Content) -> None:
        self._outlet, self._case, self._known = outlet, case, known
        self.key: Mapping[str, int] = {"case_id": case.pk}
        self.reference = case.reference
        self.growth = case.growth
        self.is_open = case.is_open
        self.is_merged = case.status == Case.Status.MERGED

    def system(self) -> TicketSystem:
        return self._outlet.by_pillar.get(first_pillar(self._case.pillars), self._outlet.system)

    def draft(self) -> TicketDraft:
        records = self._read(provider_ids(self._case.pk, ALERTS_IN_TICKET))
        draft = draft_ticket(self._facts(), records, self.reference, self._link())
        severity = SEVERITIES[self._case.severity]
        return replace(draft, priority=priority_for(self._outlet.mapping, severity, draft.priority))

    def note(self, delivery: Delivery, ticket: Ticket) -> str:
        if delivery.growth == MERGED_GROWTH:
            other = Ticket.objects.filter(case=self._case.merged_into).first()
            return draft_merge_note(other.reference if other else "", other.url if other else "")
        ids = list(
            self._case.alerts.filter(case_growth__gt=ticket.covers_growth)
            .order_by("activity_at", "pk")
            .values_list("provider_id", flat=True)[:ALERTS_IN_TICKET]
        )
        return draft_note(self._facts(), self._read(ids), self._link())

    def take(self, found: TicketRef) -> None:
        case = self._case
        Case.objects.filter(pk=case.pk).update(ticket_ref=found.id, ticket_url=found.url)
        self.tell("ticket", {"ticket": found.id})
        publish(self._outlet.tenant.pk, [case.pk])

    def tell(self, kind: str, facts: dict[str, object]) -> None:
        CaseEvent.objects.create(case=self._case, kind=kind, facts=facts)

    def _read(self, ids: list[str]) -> list[AlertRecord]:
        content = read_content(self._outlet.graph, ids, self._known)
        return [content[key] for key in ids if key in content]

    def _link(self) -> str:
        portal = self._outlet.portal_url.rstrip("/")
        return f"{portal}/cases/{self._case.public_id}/" if portal else ""

    def _facts(self) -> CaseFacts:
        case = self._case
        return CaseFacts(
            number=case.pk,
            tenant=self._outlet.tenant.name,
            title=case.title,
            severity=case.severity,
            priority=case.priority,
            category=case.category,
            alert_count=case.alert_count,
            first_activity_at=case.first_activity_at,
            last_activity_at=case.last_activity_at,
        )
