"""STIX 2.1 of one case: what others can look for. These are names, so read live and recorded."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from clients.errors import ApiError, Rejected
from csc_portal.access import case_for
from csc_portal.api import file_shapes
from csc_portal.api.documented import errors
from csc_portal.api.formats.stix import MEDIA_TYPE
from csc_portal.api.problems import NOT_HERE, Problem
from csc_portal.api.scopes import Scope
from csc_portal.api.view import ApiView
from csc_portal.case_stix import read_bundle
from tenants.directories import BadSecret
from tenants.roles import Right


class Stix(JSONRenderer):
    media_type = MEDIA_TYPE


class CaseStix(ApiView):
    scope = Scope.NAMES_READ
    renderer_classes = [Stix, JSONRenderer]

    @extend_schema(
        operation_id="export_case_stix",
        summary="Indicators and sightings of a case as a STIX 2.1 bundle",
        description=(
            "Public addresses, URLs, domains and hashes of files that the newest 100 "
            "alerts name now, read from Microsoft and kept nowhere; marked TLP:AMBER. It takes the "
            "scope `export`, too, and is recorded as names shown."
        ),
        request=None,
        responses={
            (200, MEDIA_TYPE): file_shapes.StixBundle,
            **errors(404, 410, 413, 415, 422, 503),
        },
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        entry, tenant = case_for(self.owner, id, Right.SHOW_NAMES, self.rights)
        if not self.rights.tenants[tenant.pk].may(Right.EXPORT):
            raise Problem(404, f"{NOT_HERE} It takes the scope {Scope.EXPORT.value}.")
        subject = f"case {id} by {self.key.prefix}"
        try:
            found = read_bundle(tenant, entry, self.owner.username, subject)
        except (ApiError, BadSecret) as err:
            raise Problem(503 if _may_pass(err) else 422, str(err)) from None
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{id}.json"',
        }
        return Response(found, headers=headers)


def _may_pass(err: ApiError | BadSecret) -> bool:
    """What a directory refuses is told apart from an outage, though `read_content` waits for it."""
    return isinstance(err, ApiError) and err.retryable and not isinstance(err.__cause__, Rejected)
