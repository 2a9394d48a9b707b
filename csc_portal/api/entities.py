"""Entities, by pseudonym. Names go in and out through POST alone, and each use is recorded."""

from __future__ import annotations

import uuid

from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from csc_portal import names
from csc_portal.access import Rights
from csc_portal.api import shapes
from csc_portal.api.asked import Lookup
from csc_portal.api.documented import errors
from csc_portal.api.problems import FieldError, Problem
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.entity_file import find_entity, read_entity
from csc_portal.lookup import look_up
from tenants.audit import record
from tenants.roles import Right


class OneEntity(ApiView):
    scope = Scope.CASES_READ

    @extend_schema(
        operation_id="get_entity",
        summary="An entity: its alerts, cases and what it was seen with",
        responses={200: shapes.EntityShape, **errors()},
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        tenant, entity_id = find_entity(id, self.rights)
        file = read_entity(tenant, entity_id)
        body = {
            "id": file.entity.pseudonym,
            "kind": file.entity.kind,
            "tenant": tenant.slug,
            "alert_count": file.alert_count,
            "is_vip": file.is_vip,
            "cases": [case.public_id for case in file.cases],
            "seen_with": [
                {
                    "id": link.pseudonym,
                    "kind": link.kind,
                    "count": link.count,
                    "first_at": link.first_at,
                    "last_at": link.last_at,
                }
                for link in file.seen_with
            ],
        }
        return Response(body)


class EntityLookup(ApiView):
    scope = Scope.NAMES_READ

    @extend_schema(
        operation_id="look_up_entities",
        summary="Find entities by a real name, address, account or host",
        description=(
            "The text is turned into pseudonyms in memory and kept nowhere; that somebody looked "
            "is in the audit log, for every tenant that was looked through."
        ),
        request=Lookup,
        responses={200: shapes.Found, **errors(post=True)},
    )
    def post(self, request: Request) -> Response:
        asked = Lookup(data=request.data)
        asked.is_valid(raise_exception=True)
        return self._found(asked.validated_data["text"], asked.validated_data.get("tenants"))

    @sensitive_variables("text")
    def _found(self, text: str, slugs: list[str] | None) -> Response:
        allowed = {pk: self.rights.tenants[pk] for pk in self.rights.having(Right.SHOW_NAMES)}
        if slugs:
            known = {ref.slug for ref in allowed.values()}
            if not set(slugs) <= known:
                told = "This key has no such tenant."
                raise Problem(404, told, (FieldError("tenants", told),))
            allowed = {pk: ref for pk, ref in allowed.items() if ref.slug in slugs}
        found = look_up(text, Rights(allowed), list(allowed), self.owner.pk)
        facts = {
            "tenants": sorted(ref.slug for ref in allowed.values())[:200],
            "found": len(found.entities),
            "key": self.key.prefix,
        }
        record(self.owner.username, "searched", subject="api", facts=facts)
        items = [
            {
                "id": one.pseudonym,
                "kind": one.kind,
                "tenant": one.tenant.slug,
                "alert_count": one.alerts,
            }
            for one in found.entities
        ]
        return Response({"items": items, "problem": found.problem})


class EntityName(ApiView):
    scope = Scope.NAMES_READ

    @extend_schema(
        operation_id="show_entity_name",
        summary="The name behind a pseudonym, read from Microsoft now",
        request=None,
        responses={200: shapes.Name, **errors(413, 415)},
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        tenant, entity_id = find_entity(id, self.rights, Right.SHOW_NAMES)
        reading = names.of_entity(tenant, entity_id)
        subject = f"entity {id} by {self.key.prefix}"
        shown = names.show([reading], self.owner.username, subject)
        name = shown.names.get(id) or next(iter(shown.names.values()), None)
        problem = next(iter(shown.problems.values()), "")
        return Response({"id": id, "name": name, "problem": problem})
