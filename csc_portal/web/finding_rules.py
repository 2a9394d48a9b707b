"""Settings: which findings get a ticket, for all tenants or for one."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from csc_portal.access import Rights
from csc_portal.finding_tickets import plan_finding_tickets
from csc_portal.web.desk import rights_with, user_of
from posture.models import Finding
from tenants.audit import record
from tenants.models import FindingRule, Tenant
from tenants.roles import Right

ALL = "all"
"""No slug can be this."""
SEVERITIES = ((2, "Low or higher"), (3, "Medium or higher"), (4, "High"))


class FindingRuleForm(forms.Form):
    """A rule for a kind and place; saving one that is there changes it."""

    place = forms.ChoiceField(label="For")
    kind = forms.ChoiceField(label="Kind of finding", choices=Finding.Kind.choices)
    is_on = forms.ChoiceField(
        label="Ticket", choices=(("yes", "Open one ticket"), ("no", "Never a ticket"))
    )
    min_severity = forms.TypedChoiceField(label="From severity", choices=SEVERITIES, coerce=int)
    min_size = forms.IntegerField(
        label="From size", min_value=1, max_value=1_000_000, initial=1,
        help_text="Weaknesses, resources, or percentage points.",
    )  # fmt: skip

    def __init__(self, places: Sequence[tuple[str, str]], *args: object, **more: object) -> None:
        super().__init__(*args, **more)
        self.fields["place"].choices = places


def _may_all(rights: Rights) -> bool:
    return Right.MANAGE_RULES in rights.everywhere


def _places(rights: Rights) -> list[tuple[str, str]]:
    places = [(ALL, "All tenants")] if _may_all(rights) else []
    ids = rights.having(Right.MANAGE_RULES)
    return places + [(rights.tenants[pk].slug, rights.tenants[pk].name) for pk in ids]


@require_http_methods(["GET", "HEAD", "POST"])
def finding_rules_page(request: HttpRequest) -> HttpResponse:
    """Rules for all tenants and for those of the user, and a form for one more."""
    rights = rights_with(request, Right.MANAGE_RULES)
    places = _places(rights)
    if request.method == "POST" and request.POST.get("place") not in dict(places):
        raise Http404
    form = FindingRuleForm(places, request.POST or None)
    if request.method == "POST" and form.is_valid():
        _save(request, form.cleaned_data)
        messages.success(request, "Saved. It holds for findings that are open now, too.")
        return redirect("finding-rules")
    ids = rights.having(Right.MANAGE_RULES)
    found = [
        rule
        for rule in FindingRule.objects.all()
        if rule.tenant_id is None or rule.tenant_id in ids
    ]
    lines = [
        (
            rule,
            rights.tenants[rule.tenant_id].name if rule.tenant_id else "All tenants",
            dict(Finding.Kind.choices).get(rule.kind, rule.kind),
            dict(SEVERITIES).get(rule.min_severity, "Any"),
            bool(rule.tenant_id) or _may_all(rights),
        )
        for rule in found
    ]
    context = {"lines": lines, "form": form}
    return render(
        request, "settings/finding_rules.html", context, status=422 if form.errors else 200
    )


def _save(request: HttpRequest, data: dict[str, object]) -> None:
    place = data["place"]
    tenant = None if place == ALL else Tenant.objects.get(slug=place)
    values = {
        "is_on": data["is_on"] == "yes",
        "min_severity": data["min_severity"],
        "min_size": data["min_size"],
    }
    with transaction.atomic():
        rule, _ = FindingRule.objects.update_or_create(
            tenant=tenant, kind=data["kind"], defaults=values
        )
        record(user_of(request).username, "finding_rule_set", tenant, f"finding rule {rule.pk}",
               {"kind": rule.kind, **values})  # fmt: skip
    if tenant is not None:  # all the others are looked at within the hour
        plan_finding_tickets(tenant)


@require_POST
def finding_rule_drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Tickets that are there stay, and are told what becomes of their findings."""
    rights = rights_with(request, Right.MANAGE_RULES)
    rule = FindingRule.objects.select_related("tenant").filter(pk=pk).first()
    if rule is None:
        raise Http404
    allowed = rule.tenant_id in rights.having(Right.MANAGE_RULES) if rule.tenant_id else None
    if not (_may_all(rights) if allowed is None else allowed):
        raise Http404
    with transaction.atomic():
        record(user_of(request).username, "finding_rule_dropped", rule.tenant,
               f"finding rule {rule.pk}", {"kind": rule.kind})  # fmt: skip
        rule.delete()
    return redirect("finding-rules")
