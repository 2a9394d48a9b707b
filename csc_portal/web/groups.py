"""Settings: groups of tenants, to look at together and to grant together."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from csc_portal.granting import Manager
from csc_portal.web.desk import desk_of, user_of
from csc_portal.web.reauth import ask_for_proof
from tenants.audit import record
from tenants.models import SLUG, Tenant, TenantGroup
from tenants.roles import Right

TAKEN = {"slug": {"unique": "There is a group with this slug already."}}


class GroupForm(forms.ModelForm):
    class Meta:
        model = TenantGroup
        fields = ["name", "slug"]
        error_messages = TAKEN
        help_texts = {"slug": "Short name in addresses. It stays as it is."}


class RenameForm(forms.ModelForm):
    class Meta:
        model = TenantGroup
        fields = ["name"]


@require_http_methods(["GET", "HEAD", "POST"])
def groups_page(request: HttpRequest) -> HttpResponse:
    """All groups, and a form for a new one."""
    manager = _manager(request)
    form = GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            group = form.save()
            record(manager.user.username, "group_made", facts={"group": group.slug})
        return redirect("group", slug=group.slug)
    groups = TenantGroup.objects.annotate(
        members=Count("tenants", distinct=True), given=Count("grants", distinct=True)
    )
    return render(request, "access/groups.html", {"groups": groups, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def group_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Its name and members. `member`: slugs, all of them; `was`: those that the page showed, so
    that what somebody else changed meanwhile stays.
    """
    manager = _manager(request)
    group = get_object_or_404(TenantGroup, slug=slug)
    form = RenameForm(request.POST or None, instance=group)
    if request.method == "POST" and (asked := ask_for_proof(request)):
        return asked
    if request.method == "POST" and form.is_valid():
        _save(request, manager, form, group)
        return redirect("group", slug=slug)
    members = set(group.tenants.values_list("pk", flat=True))
    context = {
        "group": group,
        "form": form,
        "tenants": [(ref, ref.pk in members) for ref in manager.rights.tenants.values()],
        "was": " ".join(r.slug for r in manager.rights.tenants.values() if r.pk in members),
        "members": len(members),
        "granted": group.grants.select_related("user").order_by("user__username"),
    }
    return render(request, "access/group.html", context)


def _save(request: HttpRequest, manager: Manager, form: RenameForm, group: TenantGroup) -> None:
    """A tenant that comes or goes changes rights: each is told in the tenant's own log."""
    wanted = set(request.POST.getlist("member"))
    with transaction.atomic():
        form.save()
        before = {tenant.slug: tenant for tenant in group.tenants.all()}
        shown = set(request.POST["was"].split()) if "was" in request.POST else set(before)
        stay = (before.keys() | (wanted - shown)) - (shown - wanted)
        after = {
            tenant.slug: tenant
            for tenant in Tenant.objects.filter(slug__in=[s for s in stay if _is_slug(s)])
        }
        group.tenants.set(after.values())
        for action, slugs in (
            ("group_joined", after.keys() - before.keys()),
            ("group_left", before.keys() - after.keys()),
        ):
            for slug in sorted(slugs):
                tenant = after.get(slug) or before[slug]
                record(manager.user.username, action, tenant, facts={"group": group.slug})
    messages.success(request, "Saved.")


@require_POST
def group_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """With the roles that were granted for it."""
    manager = _manager(request)
    group = get_object_or_404(TenantGroup, slug=slug)
    if asked := ask_for_proof(request):
        return asked
    with transaction.atomic():
        facts: dict[str, object] = {"group": slug, "grants": group.grants.count()}
        record(manager.user.username, "group_deleted", facts=facts)
        group.delete()
    messages.success(request, "The group is gone; its tenants are as they were.")
    return redirect("groups")


def _is_slug(text: str) -> bool:
    return SLUG.regex.search(text) is not None


def _manager(request: HttpRequest) -> Manager:
    manager = Manager(user_of(request), desk_of(request).rights)
    if Right.MANAGE_GROUPS not in manager.rights.everywhere:
        raise Http404
    return manager
