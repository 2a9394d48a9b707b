"""Settings: the rules by which cases are closed, raised or held."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.policy import ACTIONS, BadRule, describe_group, read_definition
from alerts.rules import (
    Draft,
    Refused,
    create_rule,
    delete_rule,
    edit_rule,
    expire_rule,
    listed,
    versions,
)
from csc_portal.access import Rights
from csc_portal.dry_run import DryRun, dry_run
from csc_portal.typed import number_of
from csc_portal.web.desk import desk_of, rights_with, user_of
from csc_portal.web.places import offered, picked
from csc_portal.web.rule_form import FIELD_CHOICES, OPERATOR_CHOICES, RuleForm, rows_of
from tenants.models import Rule, Tenant, TenantGroup
from tenants.roles import Right


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule with its scope and content in words. `may_change`: by this user."""

    rule: Rule
    scope: str
    sentence: str
    then: str
    may_change: bool

    @property
    def has_ended(self) -> bool:
        return self.rule.expires_at is not None and self.rule.expires_at <= timezone.now()


def _may_all(rights: Rights) -> bool:
    return Right.MANAGE_RULES in rights.everywhere


def _line(rule: Rule, rights: Rights, groups: Mapping[int, str]) -> RuleLine:
    try:
        definition = read_definition(rule.definition)
        sentence = describe_group(definition.when)
        then = ACTIONS[definition.then.action]
    except BadRule as err:
        sentence, then = f"It can't be read, and never holds: {err}", ""
    ref = rights.tenants.get(rule.tenant_id) if rule.tenant_id else None
    scope = ref.name if ref else groups.get(rule.group_id or 0, "All tenants")
    may = ref.may(Right.MANAGE_RULES) if ref else _may_all(rights)
    return RuleLine(rule, scope, sentence, then, may)


def _groups_of(rules: Iterable[Rule]) -> dict[int, str]:
    """The groups that the rules are for, in words."""
    ids = {rule.group_id for rule in rules if rule.group_id}
    if not ids:
        return {}
    names = dict(TenantGroup.objects.filter(pk__in=ids).values_list("pk", "name"))
    return {pk: f"Group {name}" for pk, name in names.items()}


@require_safe
def rules_page(request: HttpRequest) -> HttpResponse:
    """Those of the tenants in scope, of their groups, and those for all."""
    rights = rights_with(request, Right.MANAGE_RULES)
    ids = set(desk_of(request).ids) & set(rights.having(Right.MANAGE_RULES))
    rules = listed(sorted(ids))
    groups = _groups_of(rules)
    lines = [_line(rule, rights, groups) for rule in rules]
    return render(request, "settings/rules.html", {"lines": lines})


def _own(request: HttpRequest, public_id: uuid.UUID) -> tuple[Rights, RuleLine]:
    rights = rights_with(request, Right.MANAGE_RULES)
    ids = rights.having(Right.MANAGE_RULES)
    rule = next((one for one in listed(ids) if one.public_id == public_id), None)
    if rule is None:
        raise Http404
    return rights, _line(rule, rights, _groups_of([rule]))


def _form(rights: Rights, data: Any, initial: Mapping[str, Any] | None = None) -> RuleForm:
    ids = rights.having(Right.MANAGE_RULES)
    may_all = _may_all(rights)
    # A rule for a group without tenants would be shown to nobody.
    filled = TenantGroup.objects.filter(tenants__isnull=False).distinct().order_by("name")
    groups = filled if may_all else ()
    choices = offered(groups, (rights.tenants[pk] for pk in ids))
    return RuleForm(choices, data, initial=initial, may_all=may_all)


def _chosen(place: str) -> tuple[Tenant | None, TenantGroup | None]:
    """What the form's `For` says; it was checked against the choices."""
    tenants, groups = picked([place] if place else [])
    return next(iter(tenants), None), next(iter(groups), None)


def _draft(form: RuleForm, tenant: Tenant | None, group: TenantGroup | None = None) -> Draft:
    data = form.cleaned_data
    return Draft(
        data["name"], data["reason"], data["definition"], tenant, group,
        expires_at=form.expires_at, is_enabled=data["is_enabled"],
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def rule_new(request: HttpRequest) -> HttpResponse:
    rights, user = rights_with(request, Right.MANAGE_RULES), user_of(request)
    form = _form(rights, request.POST if request.method == "POST" else None)
    if form.is_valid():
        tenant, group = _chosen(form.cleaned_data["tenant"])
        if request.POST.get("do") == "dry":
            dry = _dry_run(form, rights, tenant and tenant.pk, group and group.pk)
            return _page(request, form, None, dry)
        try:
            create_rule(
                _draft(form, tenant, group),
                actor=user.username,
                owner_id=user.pk,
                now=timezone.now(),
            )
        except (Refused, BadRule) as err:
            form.add_error(None, str(err))
        else:
            messages.success(request, "The rule holds from the next case on.")
            return redirect("rules")
    return _page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def rule_page(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One rule; each change is a new version, and a change by somebody else is told."""
    rights, line = _own(request, public_id)
    rule, user = line.rule, user_of(request)
    stored = rows_of(rule.definition)
    if request.method == "POST" and not (line.may_change and stored):
        raise Http404
    form = _form(rights, request.POST if request.method == "POST" else None, _initial(rule, stored))
    form.fields["tenant"].disabled = True
    form.fields["tenant"].required = False
    form.fields["tenant"].choices = [("", line.scope)]
    if stored and not form.is_bound:
        form.rows = stored[1]
    if form.is_valid() and request.POST.get("do") == "dry":
        dry = _dry_run(form, rights, rule.tenant_id, rule.group_id)
        return _page(request, form, line, dry)
    if form.is_valid():
        rule.version = _version(request)
        tenant = Tenant.objects.filter(pk=rule.tenant_id).first() if rule.tenant_id else None
        try:
            edit_rule(rule, _draft(form, tenant), actor=user.username, owner_id=user.pk,
                      now=timezone.now())  # fmt: skip
        except (Refused, BadRule) as err:
            form.add_error(None, str(err))
        else:
            messages.success(request, "Saved as a new version.")
            return redirect("rules")
    return _page(request, form, line)


def _initial(rule: Rule, stored: tuple[str, Any] | None) -> dict[str, Any]:
    then = rule.definition.get("then", {})
    return {
        "name": rule.name,
        "reason": rule.reason,
        "tenant": "",
        "joint": stored[0] if stored else "all",
        "expires": rule.expires_at.date() if rule.expires_at else None,
        "is_enabled": rule.is_enabled,
        **{name: then.get(name) for name in ("action", "verdict", "points", "hours")},
    }


DRY_TENANTS = 25
"""A dry run reads each tenant's cases; more tenants than these would take too long for a page."""


def _dry_run(form: RuleForm, rights: Rights, tenant_id: int | None, group_id: int | None) -> DryRun:
    """Over the rule's tenant, or the first of its group or of the user's own."""
    ids = [tenant_id] if tenant_id else list(rights.having(Right.MANAGE_RULES))
    tenants = Tenant.objects.filter(pk__in=ids).order_by("pk")
    if group_id:
        tenants = tenants.filter(groups=group_id)
    tenants = tenants[:DRY_TENANTS]
    return dry_run(form.cleaned_data["definition"], tenants, timezone.now())


def _page(
    request: HttpRequest, form: RuleForm, line: RuleLine | None, dry: DryRun | None = None
) -> HttpResponse:
    context = {
        "dry": dry,
        "form": form,
        "line": line,
        "is_nested": line is not None and rows_of(line.rule.definition) is None,
        "versions": versions(line.rule) if line else [],
        "fields": FIELD_CHOICES,
        "operators": OPERATOR_CHOICES,
    }
    return render(request, "settings/rule.html", context, status=422 if form.errors else 200)


@require_POST
def rule_end(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do`: expire, from now on; delete, which also takes it out of the list."""
    _, line = _own(request, public_id)
    act = {"expire": expire_rule, "delete": delete_rule}.get(request.POST.get("do", ""))
    if not line.may_change or act is None:
        raise Http404
    line.rule.version = _version(request)
    try:
        act(line.rule, actor=user_of(request).username, now=timezone.now())
    except Refused as err:
        messages.error(request, str(err))
    else:
        messages.success(request, "The rule holds no longer.")
    return redirect("rules")


def _version(request: HttpRequest) -> int:
    version = number_of(request.POST.get("version", ""))
    if not version:
        raise Http404
    return version
