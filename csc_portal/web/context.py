"""What every page's frame shows. Nothing is read before a template asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from csc_portal.web.desk import Desk, desk_of
from tenants.roles import Right

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the navigation. `key` follows `g` on the keyboard."""

    label: str
    url: str
    icon: str
    key: str
    is_current: bool


PAGES = (
    ("Queue", "queue", "inbox", "q", ("queue", "case", "entity")),
    ("Chain", "chain", "link", "c", ("chain",)),
    ("Tenants", "tenants", "building", "t", ("tenants", "tenant", "tenant-new")),
    ("Health", "health", "activity", "h", ("health",)),
)
AUDIT = ("Audit", "audit", "history", "a", ("audit",))


class Frame:
    """Lazy, so that a fragment pays for nothing that it does not show."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def desk(self) -> Desk:
        return desk_of(self._request)

    @property
    def navigation(self) -> list[Entry]:
        match = self._request.resolver_match
        current = match.url_name if match else ""
        query = f"?{self.desk.query}" if self.desk.query else ""
        pages = [*PAGES, AUDIT] if self.sees_audit else PAGES
        return [
            Entry(label, reverse(name) + query, icon, key, current in names)
            for label, name, icon, key, names in pages
        ]

    @property
    def sees_audit(self) -> bool:
        return self.desk.rights.may_somewhere(Right.SEE_AUDIT)

    @property
    def theme(self) -> str:
        return self._preference("theme", THEMES)

    @property
    def themes(self) -> tuple[tuple[str, str], ...]:
        """Each with its icon."""
        return tuple(zip(THEMES, ("sun-moon", "sun", "moon"), strict=True))

    @property
    def density(self) -> str:
        return self._preference("density", DENSITIES)

    @property
    def has_single_keys(self) -> bool:
        return bool(self._preferences.get("single_keys", True))

    @property
    def shows_names(self) -> bool:
        return bool(self._request.session.get("show_names"))

    @property
    def now(self) -> datetime:
        return timezone.now()

    @property
    def address(self) -> str:
        """This page with its filter, for forms that come back here."""
        return self._request.get_full_path()

    @property
    def _preferences(self) -> dict[str, Any]:
        return getattr(self._request.user, "preferences", None) or {}

    def _preference(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._preferences.get(name)
        return value if value in choices else choices[0]


def frame(request: HttpRequest) -> dict[str, object]:
    """Context processor."""
    return {"frame": Frame(request)}
