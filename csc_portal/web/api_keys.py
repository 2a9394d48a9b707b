"""Settings: keys to the API, each shown once, applications of the provider's directory, what both
were used for; and the API's endpoints.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from csc_portal.access import Group, Rights, groups_of
from csc_portal.api.keys import LONGEST_DAYS, BadKey, NewKey, create_key, revoke_key
from csc_portal.api.schema import document
from csc_portal.api.scopes import APP_ROLES, EXPLAINED, RIGHT_OF
from csc_portal.api.throttle import SHOWN_DAYS, Use, requests_a_day, used_by_day
from csc_portal.api.tokens import audiences
from csc_portal.day_bars import bars
from csc_portal.own_directory import issuer_url
from csc_portal.web.desk import rights_with, user_of
from csc_portal.web.places import offered, picked
from csc_portal.web.reauth import ask_for_proof
from tenants.models import ApiKey
from tenants.roles import Right

SHOWN = 200


class KeyForm(forms.Form):
    name = forms.CharField(label="Name", max_length=60, help_text="What it is for, in your words.")
    scopes = forms.MultipleChoiceField(
        label="Scopes",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="A key never may more than you may.",
    )
    places = forms.MultipleChoiceField(
        label="Tenants",
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text="None chosen: all of yours, also later ones.",
    )
    days = forms.IntegerField(
        label="Days until it ends", min_value=1, max_value=LONGEST_DAYS, initial=LONGEST_DAYS
    )
    requests_a_day = forms.IntegerField(
        label="Requests a day",
        required=False,
        min_value=1,
        help_text="Empty: as many as every key may.",
    )

    def __init__(
        self, data: Any, rights: Rights, groups: tuple[Group, ...], prefix: str | None = None
    ) -> None:
        super().__init__(data, prefix=prefix)
        usable = set(rights.having(Right.MANAGE_KEYS)) & set(rights.having(Right.USE_API))
        self.fields["scopes"].choices = [
            (one.value, f"{told} ({one.value})")
            for one, told in EXPLAINED.items()
            if rights.may_somewhere(RIGHT_OF[one])
        ]
        tenants = (ref for pk, ref in rights.tenants.items() if pk in usable)
        self.fields["places"].choices = offered(groups, tenants)

    def order(self) -> NewKey:
        tenants, groups = picked(self.cleaned_data["places"])
        return NewKey(
            self.cleaned_data["name"],
            self.cleaned_data["scopes"],
            tenants,
            groups,
            self.cleaned_data["days"],
            self.cleaned_data.get("application"),
            self.cleaned_data["requests_a_day"],
        )


class ApplicationForm(KeyForm):
    """A program that Entra ID knows: the same, and which one it is."""

    application = forms.UUIDField(
        label="Application (client) id",
        help_text="Of the program's app registration in your own directory.",
    )
    field_order = ("name", "application")


@dataclass(frozen=True, slots=True)
class KeyLine:
    """`used`: the last seven days, today last; None where nobody can tell now."""

    key: ApiKey
    used: list[Use] | None

    @property
    def is_alive(self) -> bool:
        return self.key.revoked_at is None and self.key.expires_at > timezone.now()

    @property
    def today(self) -> int | None:
        return self.used[-1].requests if self.used else None

    @property
    def week(self) -> int | None:
        return sum(one.requests for one in self.used) if self.used else None


def _visible(request: HttpRequest) -> QuerySet[ApiKey]:
    """One's own; who may manage keys everywhere sees everybody's."""
    is_wide = Right.MANAGE_KEYS in rights_with(request, Right.MANAGE_KEYS).everywhere
    mine = Q() if is_wide else Q(owner=user_of(request))
    return ApiKey.objects.select_related("owner").filter(mine)


@require_http_methods(["GET", "HEAD", "POST"])
def keys_page(request: HttpRequest) -> HttpResponse:
    """Those there are with their use, and a form for a new one, which the answer shows once."""
    rights, user = rights_with(request, Right.MANAGE_KEYS), user_of(request)
    groups = groups_of(user, rights)
    # Both forms are posted here; their fields have names of their own.
    of_application = "app-name" in request.POST
    takes_tokens = _takes_tokens(rights)
    if of_application and not takes_tokens:
        raise Http404
    data = request.POST or None
    form = KeyForm(None if of_application else data, rights, groups)
    app_form = ApplicationForm(data if of_application else None, rights, groups, prefix="app")
    used_form = app_form if of_application else form
    if request.method == "POST" and used_form.is_valid():
        if asked := ask_for_proof(request):
            return asked
        try:
            now = timezone.now()
            key, whole = create_key(user, used_form.order(), actor=user.username, now=now)
        except BadKey as err:
            used_form.add_error(None, str(err))
        else:
            if not whole:
                messages.success(request, f"{key.name} may come with a token, as {key.prefix}.")
                return redirect("api-tokens")
            context = {"key": key, "whole": whole}
            return render(request, "settings/api_key.html", context)
    keys = list(_visible(request).prefetch_related("tenants", "groups")[:SHOWN])
    used = used_by_day([key.pk for key in keys])
    context = {
        "lines": [KeyLine(key, used.get(key.pk) if used is not None else None) for key in keys],
        "form": form,
        "app_form": app_form if takes_tokens else None,
        "audiences": audiences(),
        "app_roles": APP_ROLES,
    }
    status = 422 if used_form.errors else 200
    return render(request, "settings/api_keys.html", context, status=status)


def _takes_tokens(rights: Rights) -> bool:
    """The directory is the provider's: its programs are let in by the provider's admins."""
    return Right.MANAGE_KEYS in rights.everywhere and bool(issuer_url() and audiences())


@require_safe
def key_use(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What a key was used for, day by day."""
    key = get_object_or_404(_visible(request), public_id=public_id)
    used = used_by_day([key.pk], SHOWN_DAYS)
    days = used[key.pk] if used is not None else None
    context = {
        "key": key,
        "a_minute": settings.API_REQUESTS_PER_MINUTE,
        "a_day": requests_a_day(key),
        "bars": bars([(one.day, one.requests) for one in days or ()]),
        "days": days and [one for one in reversed(days) if one.requests or one.throttled],
    }
    return render(request, "settings/api_key_use.html", context)


@require_POST
def key_revoke(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """At once."""
    key = get_object_or_404(_visible(request), public_id=public_id)
    if revoke_key(key, actor=user_of(request).username, now=timezone.now()):
        messages.success(request, f"{key.prefix} opens nothing any more.")
    return redirect("api-tokens")


@require_safe
def endpoints_page(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document for people: no script, no style of others."""
    found = document()
    groups: dict[str, list[dict[str, Any]]] = {}
    for address, methods in found["paths"].items():
        for method, operation in methods.items():
            line = {"method": method.upper(), "address": address, **operation}
            line["examples"] = _examples(operation)
            line["statuses"] = list(operation["responses"])
            groups.setdefault(operation["tags"][0], []).append(line)
    context = {"groups": groups, "told": found["info"]["description"], "scopes": EXPLAINED}
    return render(request, "settings/api_endpoints.html", context)


def _examples(operation: dict[str, Any]) -> list[str]:
    """Bodies to send, as JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    return [
        json.dumps(example["value"], indent=2)
        for media in content.values()
        for example in media.get("examples", {}).values()
    ]
