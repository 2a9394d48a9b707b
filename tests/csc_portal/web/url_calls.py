"""What calls of an address are made of: a rule, and things of the tenant that is another's."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from django.urls import reverse
from django.utils import timezone

from posture.findings import Found, settle
from posture.models import Finding
from reports.models import Report
from reports.periods import month_of
from tenants.models import (
    FindingRule,
    Grant,
    Onboarding,
    PublicFeed,
    SavedView,
    TenantGroup,
    User,
    Webhook,
)
from tenants.models import Rule as TenantRule
from tenants.scope import granted, scope
from tests.csc_portal.web.conftest import SECRET, World

STEP_CALLS: tuple[tuple[str, dict[str, object]], ...] = (
    ("get", {}), ("post", {"do": "link"}), ("post", {"do": "next"}),
)  # fmt: skip
SEPTEMBER = month_of(date(2026, 9, 1), "UTC")
NOBODYS = "00000000-0000-4000-8000-000000000000"

Call = tuple[str, str, dict[str, object]]  # method, address, fields


@dataclass(frozen=True, slots=True)
class Rule:
    """`open`: calls that anybody of A may make and that must show nothing of C. `closed`: calls
    that name something of C and must be answered as if it did not exist. `free`: without sign-in.
    """

    open: Callable[[World], Iterable[Call]] = lambda world: ()
    closed: Callable[[World], Iterable[Call]] = lambda world: ()
    is_free: bool = False
    fields: dict[str, object] = field(default_factory=dict)


def page(name: str, *queries: str) -> Rule:
    """A page without an object in its address."""
    return Rule(lambda world: [("get", reverse(name) + query, {}) for query in ("", *queries)])


def of_case(world: World, name: str) -> str:
    return reverse(name, args=[world.cases["third"].public_id])


def of_person(world: World, name: str) -> str:
    """Of somebody who may see C alone."""
    person, _ = User.objects.get_or_create(username="person-of-third")
    Grant.objects.get_or_create(user=person, tenant=world.tenants["third"], role="analyst")
    return reverse(name, args=[person.pk])


def grant_of_another() -> int:
    """The first of them: the walk of the roles makes a second one, at home."""
    return Grant.objects.filter(user__username="person-of-third").values_list("pk", flat=True)[0]


def of_group(world: World, name: str) -> str:
    group, _ = TenantGroup.objects.get_or_create(slug="group-of-third", name="Group of C")
    group.tenants.add(world.tenants["third"])
    return reverse(name, args=[group.slug])


def of_tenant(name: str, method: str = "get", **fields: object) -> Rule:
    return Rule(closed=lambda world: [(method, reverse(name, args=["third"]), fields)])


def view_of_another() -> uuid.UUID:
    person = User.objects.create_user(f"viewer-{uuid.uuid4().hex[:8]}")
    return SavedView.objects.create(owner=person, name="Theirs", is_shared=True).public_id


def rule_of(world: World) -> str:
    """A rule for C alone."""
    third = world.tenants["third"]
    with granted([third.pk]):
        rule, _ = TenantRule.objects.get_or_create(
            tenant_id=third.pk,
            defaults={
                "name": f"{SECRET} rule",
                "reason": "A reason",
                "definition": {
                    "when": {"all": [{"field": "vip", "operator": "is", "value": True}]},
                    "then": {"action": "ticket"},
                },
            },
        )
    return str(rule.public_id)


def begun(world: World) -> str:
    """An onboarding of C, which nobody of A and B may see."""
    third = world.tenants["third"]
    found, _ = Onboarding.objects.get_or_create(
        tenant=third,
        defaults={
            "name": SECRET,
            "slug": third.slug,
            "directory_id": third.directory_id,
            "client_id": third.client_id,
            "credential_secret": third.credential_secret,
            "reached": 6,
        },
    )
    return str(found.public_id)


def of_onboarding(name: str, method: str = "get") -> Rule:
    return Rule(closed=lambda world: [(method, reverse(name, args=[begun(world)]), {})])


def hook_of(world: World, name: str) -> str:
    """A webhook of somebody who may see C alone."""
    person, _ = User.objects.get_or_create(username="keeper-of-third")
    Grant.objects.get_or_create(user=person, tenant=world.tenants["third"], role="admin")
    hook, _ = Webhook.objects.get_or_create(
        owner=person, name=SECRET, url="https://third.example/hook", events=["case.created"]
    )
    return reverse(name, args=[hook.public_id])


def of_finding(world: World, name: str) -> str:
    """An open finding of C."""
    with scope(world.tenants["third"]):
        settle("exploited_weaknesses", [Found("kev", 3, SECRET)], timezone.now())
        found = Finding.objects.get(kind="exploited_weaknesses", closed_at=None)
    return reverse(name, args=[found.public_id])


def finding_rule_of(world: World) -> str:
    rule, _ = FindingRule.objects.get_or_create(tenant=world.tenants["third"], kind="score_dropped")
    return reverse("finding-rule-drop", args=[rule.pk])


def a_feed() -> str:
    feed, _ = PublicFeed.objects.get_or_create(
        kind="news", name="News", url="https://news.example/feed"
    )
    return reverse("feed-do", args=[feed.public_id])


def report_of(world: World, name: str) -> str:
    """A report of C."""
    third = world.tenants["third"]
    with scope(third):
        found, _ = Report.objects.get_or_create(
            since=SEPTEMBER.since, until=SEPTEMBER.until,
            defaults={"figures": {}, "made_at": SEPTEMBER.until},
        )  # fmt: skip
    return reverse(name, args=[third.slug, found.public_id])
