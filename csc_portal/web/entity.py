"""The page of one entity."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from csc_portal.entity_file import find_entity, read_entity
from csc_portal.web.desk import desk_of, user_of


@require_safe
def entity_page(request: HttpRequest, pseudonym: uuid.UUID) -> HttpResponse:
    rights = desk_of(request).rights
    tenant, entity_id = find_entity(user_of(request), pseudonym, rights)
    file = read_entity(tenant, entity_id)
    context = {
        "file": file,
        "label": (file.entity.kind, file.entity.pseudonym),
        "tenant": rights.tenants[tenant.pk],
    }
    return render(request, "entity/page.html", context)
