"""Forms for giving roles: which role, and where."""

from __future__ import annotations

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.http import HttpRequest

from csc_portal.access import groups_of
from csc_portal.granting import Manager
from tenants.grants import BadGrant, Where
from tenants.models import Grant, Tenant, TenantGroup
from tenants.roles import CUSTOMER_ROLES, RIGHTS

MOST_OPTIONS = 200
ROLE_LABELS = dict(Grant.Role.choices)


class GrantForm(forms.Form):
    """A role and where. With very many tenants the slug is typed instead of chosen."""

    role = forms.ChoiceField()
    place = forms.ChoiceField(label="Where", required=False)
    tenant = forms.SlugField(max_length=40, required=False, label="Or tenant (slug)")

    def __init__(self, *args: object, manager: Manager, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        places = _places(manager)
        self.fields["role"].choices = roles_of(manager)
        self.fields["place"].choices = places
        if len(_tenants(manager)) <= MOST_OPTIONS:
            del self.fields["tenant"]
            self.fields["place"].required = True


class PersonForm(GrantForm):
    username = forms.CharField(
        max_length=150, label="User name", validators=[UnicodeUsernameValidator()]
    )
    field_order = ["username", "role", "place", "tenant"]

    def clean(self) -> dict[str, object]:
        given = super().clean() or {}
        return {"tenant": "", "place": "", **given}


def where_of(manager: Manager, text: str) -> Where:
    """Of "all", "group:SLUG" or "tenant:SLUG". Raises BadGrant."""
    kind, _, slug = text.partition(":")
    if kind == "all":
        return Where()
    if kind == "group" and manager.is_everywhere:
        group = TenantGroup.objects.filter(slug=slug).first()
        if group is not None:
            return Where(group=group)
    if kind == "tenant":
        refs = manager.rights.by_slug([slug])
        if refs:
            return Where(Tenant.objects.get(pk=refs[0].pk))
    raise BadGrant("Choose a tenant or a group that there is.")


def posted_place(request: HttpRequest) -> str:
    typed = request.POST.get("tenant", "").strip()
    return f"tenant:{typed}" if typed else request.POST.get("place", "")


def roles_of(manager: Manager) -> list[tuple[str, str]]:
    """Those that the manager may give somewhere."""
    for_all = manager.is_everywhere or bool(manager.tenant_ids)
    return [(role, ROLE_LABELS[role]) for role in RIGHTS if for_all or role in CUSTOMER_ROLES]


def _tenants(manager: Manager) -> list[tuple[str, str]]:
    ids = {*manager.tenant_ids, *manager.customer_ids}
    return [
        (f"tenant:{ref.slug}", ref.name) for ref in manager.rights.tenants.values() if ref.pk in ids
    ]


def _places(manager: Manager) -> list[tuple[str, str]]:
    places: list[tuple[str, str]] = []
    if manager.is_everywhere:
        groups = groups_of(manager.user, manager.rights)
        places += [("all", "All tenants")]
        places += [(f"group:{group.slug}", f"Group {group.name}") for group in groups]
    tenants = _tenants(manager)
    return places + tenants if len(tenants) <= MOST_OPTIONS else places
