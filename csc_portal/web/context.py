"""What every page's frame shows. Nothing is read before a template asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from csc_portal.typed import split_address
from csc_portal.web.desk import Desk, desk_of
from tenants.roles import Right

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")
TOUR_ENDS = ("done", "again")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the navigation. `key` follows `g` on the keyboard; `names` are the addresses below
    it; `right`: only who has it somewhere sees the entry.
    """

    label: str
    name: str
    icon: str
    key: str
    names: tuple[str, ...] = ()
    right: Right | None = None


SETTINGS = (
    "rules", "rule", "rule-new", "detections", "detection", "detection-new", "installation",
    "access", "access-roles", "person", "person-new", "groups", "group", "feeds", "finding-rules",
    "branding", "api-tokens", "api-key-use", "api-endpoints", "webhooks", "webhook", "webhook-do",
    "sign-in-settings", "sign-in-people",
)  # fmt: skip
PAGES = (
    Page("Queue", "queue", "inbox", "q", ("case",)),
    Page("Findings", "findings", "alert-triangle", "f", ("finding",), Right.SEE_POSTURE),
    Page("Chain", "chain", "link", "c"),
    Page("Entities", "entities", "fingerprint", "e", ("entity",)),
    Page(
        "Tenants",
        "tenants",
        "building",
        "t",
        ("tenant", "tenant-setup", "tenant-end", "tenant-new", "onboarding-step"),
    ),
    Page(
        "Secure Score",
        "secure-score",
        "chart-bar",
        "o",
        ("score-tenant", "score-control", "score-state"),
    ),
    Page("Vulnera\u00adbilities", "vulnerabilities", "bug", "v", ("vulnerabilities-tenant",)),
    Page("News", "news", "news", "n", ("news-tenant",)),
    Page("Analytics", "analytics", "dashboard", "y", ("analytics-tab",)),
    Page("Azure coverage", "azure", "cloud", "z", ("azure-tenant", "azure-names")),
    Page("Reports", "reports", "file", "p", ("report-tenant", "report"), Right.REPORT),
    Page("Health", "health", "activity", "h", right=Right.SEE_HEALTH),
    Page("Audit", "audit", "history", "a", right=Right.SEE_AUDIT),
    Page("Settings", "settings", "settings", "s", SETTINGS),
)
"""In the order of the bar. An entry shows as soon as its address exists (csc_portal/urls.py)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the navigation for one user."""

    label: str
    url: str
    icon: str
    key: str
    is_current: bool

    @property
    def name(self) -> str:
        """The label without the places where it may be broken."""
        return self.label.replace("\u00ad", "")


@cache
def _address(name: str) -> str:
    """ "" for a page that this portal does not have."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


class Frame:
    """Lazy, so that a fragment pays for nothing that it does not show."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def desk(self) -> Desk:
        return desk_of(self._request)

    @cached_property
    def navigation(self) -> list[Entry]:
        match = self._request.resolver_match
        current = (match.url_name if match else "") or ""
        query = f"?{self.desk.query}" if self.desk.query else ""
        rights = self.desk.rights
        return [
            Entry(
                page.label,
                _address(page.name) + query,
                page.icon,
                page.key,
                current == page.name or current in page.names,
            )
            for page in PAGES
            if _address(page.name) and (page.right is None or rights.may_somewhere(page.right))
        ]

    @property
    def sees_findings(self) -> bool:
        return self.desk.rights.may_somewhere(Right.SEE_POSTURE)

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
    def time_zone(self) -> str:
        return str(self._preferences.get("time_zone") or "UTC")

    @property
    def shows_tour(self) -> bool:
        """Until it was seen or left once, or when it is asked for again."""
        return self._preferences.get("tour") != "done"

    @property
    def shows_names(self) -> bool:
        return bool(self._request.session.get("show_names"))

    @property
    def now(self) -> datetime:
        return timezone.now()

    @property
    def is_posted(self) -> bool:
        """An answer to a form: its own address can't be opened."""
        return self._request.method not in ("GET", "HEAD")

    @property
    def address(self) -> str:
        """This page with its filter, for forms that come back here; of an answer to a form, the
        page where that stood, or "".
        """
        if not self.is_posted:
            return self._request.get_full_path()
        came_from = split_address(self._request.headers.get("Referer", ""))
        if came_from.netloc != self._request.get_host():
            return ""
        return f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path

    @property
    def _preferences(self) -> dict[str, Any]:
        return getattr(self._request.user, "preferences", None) or {}

    def _preference(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._preferences.get(name)
        return value if value in choices else choices[0]


def frame(request: HttpRequest) -> dict[str, object]:
    """Context processor."""
    return {"frame": Frame(request)}
