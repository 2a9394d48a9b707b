"""Hostile texts, addresses and fields: stored markup stays text, nobody is led away, nobody gets
what was not offered. Walks every address of url_rules.py."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alerts.models import Case
from csc_portal.web.entering import PROVED_AT
from tenants.audit import record
from tenants.models import (
    Grant,
    Onboarding,
    QueueEntry,
    Rule,
    SavedView,
    Tenant,
    TenantGroup,
    User,
)
from tenants.scope import granted, scope
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.documents import alert, user
from tests.csc_portal.web.test_queue import store
from tests.csc_portal.web.test_roles import at_home, own
from tests.csc_portal.web.url_calls import Call, rule_of
from tests.csc_portal.web.url_rules import RULES
from ticketing.models import Delivery, Ticket

MARKUP = "<img src=x onerror=hostile()>"
BREAKOUT = f"""=1'">{MARKUP}"""
SCRIPT_URL = "javascript:hostile()"
SPREADSHEET = ("=", "+", "-", "@", "\t", "\r")
QUERY = (
    "page", "state", "find", "role", "days", "by", "pillar", "which", "q", "show", "sort", "kind",
    "type", "subscription", "new", "after", "before", "exempt", "tab", "seen", "columns", "do",
    "first", "last", "system", "who", "action", "since", "until", "status", "next",
)  # fmt: skip
AWAY = (
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example",
    "\\\\evil.example", "https:evil.example", "javascript:alert(1)", "\t//evil.example",
    "http://testserver@evil.example/", "/\t/evil.example/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    response: HttpResponseBase
    text: str


def reply(client: Client, one: Call, **more: object) -> Reply:
    """What came back; everything that it did is undone."""
    method, path, fields = one
    cookies = client.cookies.copy()
    with transaction.atomic():
        response = getattr(client, method)(path, {**fields, **more})
        text = response.getvalue().decode(errors="replace")
        transaction.set_rollback(True)
    client.cookies = cookies
    return Reply(response, text)


def calls(world: World) -> Iterator[Call]:
    """Every call of the table, made at home."""
    for rule in RULES.values():
        for one in (*rule.open(world), *rule.closed(at_home(world))):
            yield own(one)


def test_texts_of_others_stay_texts(sign_in, world: World) -> None:
    """In the names of tenants, people, groups, views, rules; titles, tickets, errors, the audit."""
    client = sign_in("admin", name=BREAKOUT)
    plant(world, client.person)  # type: ignore[attr-defined]
    wrong, seen = [], 0
    for one in calls(world):
        got = reply(client, one)
        kind = got.response.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            seen += "&lt;img src=x" in got.text
            wrong += [(one, "markup")] if "<img" in got.text else []
            wrong += (
                [(one, "script")]
                if re.search(r'(href|src|action)="\s*javascript:', got.text)
                else []
            )
        elif kind.startswith("text/csv"):
            cells = [cell for row in csv.reader(io.StringIO(got.text)) for cell in row]
            wrong += [(one, cell) for cell in cells if cell.startswith(SPREADSHEET)]
        elif "json" not in kind and kind != "application/pdf" and got.text:
            wrong += [(one, kind)] if not kind.startswith("text/plain") else []
        if got.response.headers["X-Content-Type-Options"] != "nosniff":
            wrong.append((one, "sniffed"))
    assert wrong == []
    assert seen > 20  # else the walk would prove nothing


def plant(world: World, person: User) -> None:
    """The hostile text, wherever somebody else may put a text."""
    qa, case = world.tenants["qa"], world.cases["qa"]
    hostile = alert("hostile", user(BREAKOUT), title=BREAKOUT, source=BREAKOUT[:60],
                    category=BREAKOUT)  # fmt: skip
    hostile["mitreTechniques"] = [BREAKOUT]
    hostile["recommendedActions"] = BREAKOUT
    store(qa, hostile)
    Tenant.objects.filter(pk=qa.pk).update(name=BREAKOUT, last_error=BREAKOUT)
    User.objects.filter(pk=person.pk).update(first_name=BREAKOUT, last_name=BREAKOUT)
    group = TenantGroup.objects.create(slug="hostile", name=BREAKOUT)
    group.tenants.add(qa)
    SavedView.objects.create(owner=person, name=BREAKOUT[:40], query=f"q={MARKUP}", is_shared=True)
    public_id = rule_of(at_home(world))
    with granted([qa.pk]):
        Rule.objects.filter(public_id=public_id).update(name=BREAKOUT, reason=BREAKOUT)
    Onboarding.objects.create(
        name=BREAKOUT, slug="hostile", directory_id=uuid.uuid4(), client_id=qa.client_id,
        credential_secret=BREAKOUT, reached=2,
    )  # fmt: skip
    with scope(qa):
        Delivery.objects.filter(case=case).update(error=BREAKOUT)
        Ticket.objects.create(
            case=case,
            system=BREAKOUT[:30],
            reference="r",
            url=SCRIPT_URL,
            external_id=BREAKOUT,
            status=BREAKOUT[:40],
            covers_growth=1,
        )
        Case.objects.filter(pk=case.pk).update(assignee_id=person.pk)
        rows = QueueEntry.objects.filter(public_id=case.public_id)
        rows.update(ticket_ref=BREAKOUT[:40], ticket_url=SCRIPT_URL, assignee_id=person.pk)
    record(BREAKOUT, BREAKOUT[:40], qa, BREAKOUT, facts={BREAKOUT: BREAKOUT})


def test_every_answer_forbids_frames_and_foreign_code(sign_in, world: World) -> None:
    client, wrong = sign_in("admin"), []
    for one in calls(world):
        told = reply(client, one).response.headers
        policy = told["Content-Security-Policy"]
        is_strict = "unsafe" not in policy and "*" not in policy and "default-src 'self'" in policy
        is_alone = "frame-ancestors 'none'" in policy and told["X-Frame-Options"] == "DENY"
        if not (is_strict and is_alone and "form-action 'self'" in policy):
            wrong.append((one, policy))
        if "no-store" not in told["Cache-Control"]:
            wrong.append((one, "kept"))
    assert wrong == []


def test_no_page_holds_a_name_by_itself(sign_in, world: World) -> None:
    """Not even while names are switched on: they come from elsewhere, asked for by the page."""
    client, wrong = sign_in("admin"), []
    personal = re.compile(r"person[ .]\d|pc-\d\.|203\.0\.113\.", re.IGNORECASE)
    for shows_names in ("no", "yes"):
        client.post("/names/toggle/", {"on": shows_names})
        for one in calls(world):
            if not one[1].startswith(("/search/", "/names/")):
                found = personal.search(reply(client, one).text)
                wrong += [(one, found[0])] if found else []
    assert wrong == []


@pytest.mark.parametrize("text", ["\0", "9" * 40])
def test_no_query_breaks_a_page(text: str, sign_in, world: World) -> None:
    """The queue's own filters have a test of theirs: test_queue.py."""
    client = sign_in("admin")
    client.raise_request_exception = False
    paths = {path.partition("?")[0] for method, path, _ in calls(world) if method == "get"}
    query = dict.fromkeys(QUERY, text)
    broken = [
        path
        for path in sorted(paths)
        if reply(client, ("get", path, {}), **query).response.status_code >= 500
    ]
    assert broken == []


@pytest.mark.parametrize("address", ["http://[", "//\x00]", "x" * 3000])
def test_no_header_breaks_a_page(address: str, sign_in, client: Client, world: World) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": address}
    assert client.get("/", headers=headers).status_code == 204
    person = sign_in("admin")
    case = world.cases["qa"].public_id
    assert person.get(f"/cases/{case}/", headers=headers).status_code == 200
    session = person.session
    session[PROVED_AT] = (timezone.now() - timedelta(hours=1)).isoformat()
    session.save()
    asked = person.get("/account/totp/", headers=headers)
    assert asked.headers["HX-Redirect"].startswith("/account/again/")


def test_nobody_is_led_away(sign_in, world: World) -> None:
    client, wrong = sign_in("admin"), []
    for target in AWAY:
        fields = dict.fromkeys(("next", "address", "url", "return", "redirect", "back"), target)
        for name in ("login", "again", "scope", "preference", "names-toggle", "sessions-end",
                     "microsoft", "microsoft-done", "microsoft-leave", "microsoft-confirmed",
                     "second-factor", "logout", "columns", "view-keep", "bulk"):  # fmt: skip
            for method in ("get", "post"):
                got = reply(client, (method, reverse(name), {}), **fields)
                wrong += [(name, target, place) for place in places(got) if is_away(place)]
    assert wrong == []


def places(got: Reply) -> list[str]:
    """Where an answer leads: by a header, or by what can be pressed in the page."""
    headers = [got.response.headers.get(name, "") for name in ("Location", "HX-Redirect")]
    return [*headers, *re.findall(r'(?:href|action|formaction)="([^"]*)"', got.text)]


def is_away(place: str) -> bool:
    plain = place.strip().replace("\\", "/").replace("\t", "").casefold()
    outside = plain.startswith("//") or re.match(r"[a-z]+:", plain) is not None
    return (outside and "evil" in plain) or plain.startswith("javascript:")


def test_posts_without_a_token_are_refused(sign_in, world: World) -> None:
    person = sign_in("admin").person
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    posts = [one for one in calls(world) if one[0] == "post"]
    assert len(posts) > 40
    assert [one for one in posts if reply(strict, one).response.status_code != 403] == []


EXTRA = {
    "is_superuser": "on", "is_staff": "on", "is_active": "", "is_service": "on", "id": "1",
    "pk": "1", "user": "1", "user_id": "1", "owner": "1", "owner_id": "1", "role": "admin",
    "tenant_id": "3", "group_id": "1", "directory_id": "00000000-0000-4000-8000-00000000000e",
    "slug": "taken", "state": "active", "credential_secret": "stolen", "client_id": "stolen",
    "is_shared": "on", "public_id": "00000000-0000-4000-8000-00000000000e", "priority": "100",
    "severity": "4", "version": "1", "preferences": '{"tenants": ["third"]}', "password": "x",
    "grants": "1", "actor": "system", "source": "directory", "everywhere": "on",
}  # fmt: skip


@pytest.mark.parametrize("role", ["analyst", "customer_admin", "lead"])
def test_fields_that_were_not_offered_change_nothing(role: str, sign_in, world: World) -> None:
    """Every post that one may make at home, with fields of the rows behind it."""
    client = sign_in(role, world.tenants["qa"])

    def state() -> object:
        with granted([tenant.pk for tenant in world.tenants.values()]):
            rules = list(Rule.objects.filter(tenant_id=None).values_list("pk", "version"))
        people = User.objects.filter(pk=client.person.pk)  # type: ignore[attr-defined]
        columns = ("is_superuser", "is_staff", "is_active", "is_service", "username", "password")
        return (
            rules,
            list(people.values_list(*columns)),
            list(Grant.objects.filter(user__in=people).values_list("pk", "role", "tenant_id")),
            list(Tenant.objects.order_by("pk").values_list(
                "pk", "slug", "directory_id", "client_id", "credential_secret", "schema_name")),
            list(SavedView.objects.exclude(owner__in=people).values_list("pk", "owner_id")),
        )  # fmt: skip

    made, before = list(calls(world)), state()
    for method, path, fields in made:
        if method == "post" and path not in ("/account/logout/", "/account/sessions/end/"):
            client.post(path, {**EXTRA, **fields})
    assert state() == before
    assert not any(view.is_shared for view in SavedView.objects.filter(owner=client.person))  # type: ignore[attr-defined]


def test_numbers_can_be_guessed_in_vain(sign_in, world: World) -> None:
    """People and grants have numbers, in a row; who may not manage them meets 404 each time."""
    theirs = sign_in("admin").person
    of_qa = sign_in("analyst", world.tenants["qa"])
    customer = sign_in("customer_admin", world.tenants["qa"])
    numbers = {theirs.pk, of_qa.person.pk, customer.person.pk, 0, 1, 2**31 - 1, 2**31, 10**30}
    for number in numbers:
        for name in ("person", "person-give", "person-take", "person-switch", "person-reset",
                     "person-sign-out"):  # fmt: skip
            place = (
                f"/settings/{'access/' * (name[7:] not in ('reset', 'sign-out'))}people/{number}/"
            )
            place += {"person": ""}.get(name, f"{name[7:]}/")
            method = "get" if name == "person" else "post"
            assert getattr(of_qa, method)(place).status_code == 404, place
            if number != customer.person.pk:
                assert getattr(customer, method)(place).status_code == 404, place


def test_a_foreign_case_hidden_among_own_ones(sign_in, world: World) -> None:
    analyst = sign_in("analyst", world.tenants["qa"])
    foreign = world.cases["third"]
    rows = [f"{world.cases[slug].public_id}~0.." for slug in ("qa", "third")]
    answer = analyst.post("/queue/bulk/", {"case": rows, "do": "start"}).content.decode()
    assert "Forbidden" not in answer
    exported = analyst.post("/queue/export.json", {"case": rows})
    assert str(foreign.public_id) not in exported.getvalue().decode()
    merge = {"case": rows, "do": "merge", "reason": "the same"}
    analyst.post("/queue/bulk/", {**merge, "into": str(foreign.public_id)})
    with scope(world.tenants["third"]):
        case = Case.objects.get(pk=foreign.pk)
        assert (case.status, case.version, case.merged_into_id) == (0, 1, None)


def test_a_session_that_somebody_else_chose_is_not_taken(client: Client, world: World) -> None:
    chosen = "chosenbysomebodyelse" * 2
    client.cookies["csc"] = chosen
    User.objects.create_user("fixed", password="correct horse battery")
    answer = client.post(
        "/account/login/", {"username": "fixed", "password": "correct horse battery"}
    )
    assert answer.status_code == 302
    assert client.cookies["csc"].value != chosen
    other = Client()
    other.cookies["csc"] = chosen
    assert other.get("/").status_code == 302
