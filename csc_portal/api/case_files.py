"""All that the portal knows of one case in one answer; and how open cases are made up."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal import queue
from csc_portal.access import case_for
from csc_portal.api import file_shapes, shapes
from csc_portal.api.alerts import alerts_of
from csc_portal.api.bodies import Body, assignee, case_detail, decision_body, ticket_body
from csc_portal.api.documented import TENANT, errors
from csc_portal.api.filtering import may_know_people
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.case_file import Thing, read_alerts, read_head
from csc_portal.case_timeline import Step, detail_of, read_timeline
from csc_portal.people import people
from csc_portal.tallies import facet_counts
from tenants.models import PILLARS, SEVERITIES
from tenants.scope import scope


class CaseFile(ApiView):
    scope = Scope.CASES_READ

    @extend_schema(
        operation_id="get_case_file",
        summary="One case with its chain, alerts, decisions, ticket and timeline",
        description=(
            "What its page shows without names: the newest 200 alerts, the newest 500 steps. "
            "`chain` holds everything that the alerts name, by link. A merged case answers 410."
        ),
        responses={200: file_shapes.CaseFile, **errors(404, 410)},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        entry, tenant = case_for(self.owner, id, rights=self.rights)
        ref = self.rights.tenants[tenant.pk]
        with scope(tenant):
            head = read_head(entry.case_id)
            things = read_alerts(entry.case_id).pillars
            steps = read_timeline(head)
        # Outside of the scope they would look for it in vain.
        for decision in head.decisions:
            decision.case = head.case
        if head.ticket:
            head.ticket.case = head.case
        known = people([entry.assignee_id, *(step.actor_id for step in steps)])
        body = {
            "case": case_detail(entry, ref, known, head.case),
            "chain": [
                {"pillar": name, "entities": [_thing(one) for one in found]}
                for name, found in things
                if found
            ],
            "alerts": alerts_of(ref, case_id=entry.case_id),
            "decisions": [decision_body(one, ref) for one in head.decisions],
            "ticket": ticket_body(head.ticket, ref) if head.ticket else None,
            "timeline": [_step(step, assignee(step.actor_id, ref, known)) for step in steps],
        }
        return Response(body)


def _thing(one: Thing) -> Body:
    return {
        "kind": one.kind,
        "id": one.pseudonym,
        "alert_count": one.alerts,
        "roles": list(one.roles),
        "verdict": one.verdict,
        "is_tie": one.ties,
        "asset_classes": list(one.marks),
    }


def _step(step: Step, by: Body | None) -> Body:
    return {
        "at": step.at,
        "stream": step.stream,
        "kind": step.kind,
        "text": step.text,
        "detail": detail_of(step, str),
        "by": by,
        "source_ref": step.alert.provider_id if step.alert else None,
    }


class CaseFacets(ApiView):
    scope = Scope.CASES_READ
    known = frozenset({"tenant"})

    @extend_schema(
        operation_id="count_case_facets",
        summary="How open cases are made up",
        description=(
            "By severity and pillar all of them; by the other facets the newest 10,000, which "
            "`is_exact` tells. A case touches several pillars. `assignee` counts by `me`, `none` "
            "and people's numbers; for a customer's key the provider's people are all `others`."
        ),
        parameters=[TENANT],
        responses={200: shapes.Facets, **errors(400)},
    )
    def get(self, request: Request) -> Response:
        tenants = self.tenants()
        ids, knows_people = list(tenants), may_know_people(tenants.values())
        sums, newest = queue.counts(ids), facet_counts(ids, self.owner.pk)
        facets: dict[str, Counter[str]] = defaultdict(Counter)
        for (name, value), count in sorted(newest.numbers.items()):
            is_secret = name == "assignee" and value.isdecimal() and not knows_people
            facets[name]["others" if is_secret else value] += count
        body = {
            "open": sums.all_open,
            "severity": {name: sums.open(name) for name in SEVERITIES},
            "pillar": {name: sums.pillar(name) for name in PILLARS},
            **{name: facets[name] for name in FACETS},
            "is_exact": not newest.is_cut,
        }
        return Response(body)


FACETS = ("source", "verdict", "vip", "sla", "assignee", "ticket", "snoozed")
