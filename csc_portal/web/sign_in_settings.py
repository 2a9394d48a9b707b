"""For provider admins: which app roles and groups give which rights, and who is signed in."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Max, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from csc_portal import entra_people
from csc_portal.access import is_provider_admin
from csc_portal.web.desk import user_of
from csc_portal.web.entering import end_sessions
from csc_portal.web.reauth import recent_login
from csc_portal.web.sessions import living
from tenants.audit import record
from tenants.factors import forget_factors
from tenants.models import EntraMapping, Grant, Passkey, Tenant, TenantGroup, TotpDevice, User
from tenants.roles import CUSTOMER_ROLES

PEOPLE_A_PAGE = 50


class MappingForm(forms.ModelForm):
    """One app role or group, and what it gives."""

    where = forms.ChoiceField(label="For", required=False)

    class Meta:
        model = EntraMapping
        fields = ["kind", "value", "role"]
        labels = {"kind": "What", "value": "App role's value, or group's object id"}
        help_texts = {"value": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [(f"g:{one.slug}", one.name) for one in TenantGroup.objects.all()]
        tenants = [(f"t:{slug}", name) for slug, name in
                   Tenant.objects.order_by("name", "pk").values_list("slug", "name")]  # fmt: skip
        self.fields["where"].choices = [
            ("", "All tenants"), ("Groups", groups), ("Tenants", tenants),
        ]  # fmt: skip
        for name in ("kind", "role"):  # neither has an empty choice
            field = self.fields[name]
            field.choices = [pair for pair in field.choices if pair[0]]

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        value = str(found.get("value", "")).strip()
        if found.get("kind") == EntraMapping.Kind.GROUP:
            try:
                value = str(uuid.UUID(value))
            except ValueError:
                self.add_error("value", "A group is named by its object id, a GUID.")
        found["value"] = value
        kind, _, slug = str(found.get("where", "")).partition(":")
        found["tenant"] = Tenant.objects.filter(slug=slug).first() if kind == "t" else None
        found["group"] = TenantGroup.objects.filter(slug=slug).first() if kind == "g" else None
        if found.get("role") in CUSTOMER_ROLES and found["tenant"] is None:
            self.add_error("where", "A customer's role is for one tenant.")
        return found

    def mapping(self) -> EntraMapping:
        """Not saved yet."""
        row = self.save(commit=False)
        row.tenant, row.group = self.cleaned_data["tenant"], self.cleaned_data["group"]
        return row


@require_http_methods(["GET", "POST"])
def sign_in_settings(request: HttpRequest) -> HttpResponse:
    """The mappings; a POST adds one."""
    actor = _admin(request).get_username()
    form = MappingForm(request.POST or None)
    if request.method == "POST":
        return _add(request, actor, form)
    return _page(request, form)


@recent_login
def _add(request: HttpRequest, actor: str, form: MappingForm) -> HttpResponse:
    if not form.is_valid():
        return _page(request, form)
    try:
        with transaction.atomic():
            entra_people.save_mapping(actor, form.mapping())
    except IntegrityError:
        form.add_error(None, "This app role or group has a role there already. Remove it first.")
        return _page(request, form)
    messages.success(request, "Saved. It counts from each person's next sign-in.")
    return redirect("sign-in-settings")


@require_POST
@recent_login
def mapping_remove(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    actor = _admin(request).get_username()
    entra_people.remove_mapping(actor, get_object_or_404(EntraMapping, public_id=public_id))
    messages.success(request, "Removed. What it gave is taken back.")
    return redirect("sign-in-settings")


@require_GET
def sign_in_people(request: HttpRequest) -> HttpResponse:
    """Everybody's way to sign in and open sessions. One query for a page of people."""
    _admin(request)
    rows = (
        User.objects.annotate(
            open_sessions=Count("sessions", filter=Q(sessions__in=living(timezone.now()))),
            seen_at=Max("sessions__seen_at"),
            has_app=Exists(
                TotpDevice.objects.filter(user=OuterRef("pk")).exclude(confirmed_at=None)
            ),
            has_passkey=Exists(Passkey.objects.filter(user=OuterRef("pk"))),
        )
        .select_related("entra")
        .order_by("username", "pk")
    )
    page = Paginator(rows, PEOPLE_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "account/people.html", {"page": page})


@require_POST
def person_sign_out(request: HttpRequest, pk: int) -> HttpResponse:
    """End all sessions of a user, at once."""
    admin = _admin(request)
    person = get_object_or_404(User, pk=pk)
    count = end_sessions(person)
    record(admin.get_username(), "sessions_revoked", subject=f"user {pk}", facts={"count": count})
    messages.success(request, f"{count} sessions ended.")
    return redirect("login" if person.pk == admin.pk else "sign-in-people")


@require_POST
@recent_login
def person_reset(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a user's second factors away, for whoever lost them; and end their sessions."""
    admin = _admin(request)
    person = get_object_or_404(User, pk=pk)
    forget_factors(person)
    end_sessions(person)
    record(admin.get_username(), "factors_reset", subject=f"user {pk}")
    messages.success(request, "The second factors are gone, and the sessions ended.")
    return redirect("login" if person.pk == admin.pk else "sign-in-people")


def _page(request: HttpRequest, form: MappingForm) -> HttpResponse:
    mappings = EntraMapping.objects.select_related("tenant", "group")
    mappings = mappings.annotate(people=Count("identities"))
    context = {
        "form": form,
        "mappings": mappings,
        "roles": dict(Grant.Role.choices),
        "is_configured": entra_people.is_configured(),
    }
    return render(request, "account/mappings.html", context)


def _admin(request: HttpRequest) -> User:
    user = user_of(request)
    if not is_provider_admin(user):
        raise Http404
    return user
