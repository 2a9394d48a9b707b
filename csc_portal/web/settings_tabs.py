"""The tabs of Settings. To add one, add a line; it shows as soon as its address exists."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from csc_portal.access import Rights
from tenants.roles import Right


@dataclass(frozen=True, slots=True)
class SettingsTab:
    """`name`: of the address. `is_wide`: the right has to be granted for all tenants."""

    name: str
    label: str
    icon: str
    right: Right
    is_wide: bool = False


TABS = (
    SettingsTab("access", "People and roles", "users", Right.MANAGE_CUSTOMERS),
    SettingsTab("groups", "Tenant groups", "building", Right.MANAGE_GROUPS, is_wide=True),
    SettingsTab("rules", "Rules", "list-details", Right.MANAGE_RULES),
    SettingsTab("finding-rules", "Tickets of findings", "ticket", Right.MANAGE_RULES),
    SettingsTab("detections", "Equal detections", "git-merge", Right.MANAGE_RULES),
    SettingsTab("api-tokens", "API keys", "key", Right.MANAGE_KEYS),
    SettingsTab("webhooks", "Webhooks", "plug", Right.MANAGE_KEYS),
    SettingsTab("feeds", "Lists and news", "world", Right.MANAGE_PORTAL, is_wide=True),
    SettingsTab("sign-in-settings", "Sign-in", "login", Right.MANAGE_PORTAL, is_wide=True),
    SettingsTab("sign-in-people", "Sessions", "devices", Right.MANAGE_PORTAL, is_wide=True),
    SettingsTab("branding", "Branding", "star", Right.MANAGE_PORTAL, is_wide=True),
    SettingsTab("installation", "Installation", "server", Right.MANAGE_PORTAL, is_wide=True),
)


@dataclass(frozen=True, slots=True)
class Shown:
    label: str
    icon: str
    name: str
    url: str


def tabs_for(rights: Rights) -> list[Shown]:
    """Those that the user has the right to, and whose pages are there."""
    found = []
    for tab in TABS:
        has = tab.right in rights.everywhere if tab.is_wide else rights.may_somewhere(tab.right)
        if not has:
            continue
        try:
            found.append(Shown(tab.label, tab.icon, tab.name, reverse(tab.name)))
        except NoReverseMatch:
            continue
    return found
