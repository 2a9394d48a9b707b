"""Asset classes of a tenant: who is a VIP and what a crown jewel, by list or Entra group.

A list is read in memory and never kept: uploads larger than that are not taken (settings.py).
"""

from __future__ import annotations

import uuid

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone

from alerts.assets import Refused, follow_group, make_class, remove_class, take_list
from alerts.models import AssetClass
from clients.errors import ApiError
from csc_portal.web.desk import user_of
from enrichment.lists import MOST_BYTES
from tenants.audit import record
from tenants.directories import BadSecret, pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope


class ClassForm(forms.Form):
    """A new class, or (its name is known) another filling of one."""

    name = forms.CharField(label="Name", max_length=60, initial="VIPs")
    kind = forms.ChoiceField(label="What it is for", choices=AssetClass.Kind.choices)
    holds = forms.ChoiceField(label="What it holds", choices=AssetClass.Holds.choices)
    members = forms.FileField(
        label="List (CSV)",
        required=False,
        max_length=200,
        help_text="A line each: an address or object id of a person, a device's name, an app's id. "
        "It is turned into pseudonyms at once, and not kept.",
    )
    group = forms.CharField(
        label="Or an Entra group", max_length=36, required=False, help_text="Its object id."
    )


def classes_of(tenant: Tenant) -> list[AssetClass]:
    """With the number of members. One query in the tenant's scope."""
    with scope(tenant):
        counted = AssetClass.objects.annotate(members_count=Count("members"))
        return list(counted)


def change_classes(request: HttpRequest, tenant: Tenant) -> ClassForm | None:
    """Make, fill or remove a class, as was posted; the form if something is wrong with it."""
    if request.POST.get("do") == "remove":
        _remove(request, tenant)
        return None
    form = ClassForm(request.POST, request.FILES)
    if not form.is_valid():
        return form
    try:
        told = _fill(form, tenant, request)
    except (Refused, ApiError, BadSecret) as err:
        form.add_error(None, str(err))
        return form
    facts: dict[str, object] = {"kind": form.cleaned_data["kind"]}
    record(user_of(request).username, "asset_class_changed", tenant, facts=facts)
    messages.success(request, told)
    return None


def _fill(form: ClassForm, tenant: Tenant, request: HttpRequest) -> str:
    data, now = form.cleaned_data, timezone.now()
    upload, group = data["members"], data["group"].strip()
    if bool(upload) == bool(group):
        raise Refused(f"Give a list of at most {MOST_BYTES // 1_000_000} MB, or a group; not both.")
    pseudonymiser = pseudonymiser_for(tenant)
    with scope(tenant):
        found = AssetClass.objects.filter(
            name=data["name"].strip(), kind=data["kind"], holds=data["holds"]
        ).first()
        is_new = found is None
        found = found or make_class(data["name"], data["kind"], data["holds"])
        try:
            if group:
                follow_group(found.public_id, group, pseudonymiser, now)
                return "The group's members are read in a moment, and daily from then on."
            taken = take_list(found.public_id, upload.read(), pseudonymiser, now)
        except Refused:
            if is_new:
                remove_class(found.public_id)
            raise
    for problem in taken.problems[:5]:
        messages.warning(request, problem)
    return f"{taken.members} members are in the class now."


def _remove(request: HttpRequest, tenant: Tenant) -> None:
    try:
        public_id = uuid.UUID(request.POST.get("class", ""))
        with scope(tenant):
            remove_class(public_id)
    except (ValueError, Refused):
        messages.error(request, "There is no such class any more.")
        return
    record(user_of(request).username, "asset_class_removed", tenant)
    messages.success(request, "The class is removed.")
