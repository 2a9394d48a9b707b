"""Every address, as a user of A and as one of A and B: nothing of C, and 404, not 403."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from alerts.models import Case
from csc_portal.urls import urlpatterns
from tenants.models import User
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import SECRET, World
from tests.csc_portal.web.url_calls import Call
from tests.csc_portal.web.url_rules import RULES
from ticketing.models import Delivery


def test_every_address_has_a_rule() -> None:
    assert {pattern.name for pattern in urlpatterns} == set(RULES)


@pytest.fixture(params=["qa", "qa and qatest"])
def colleague(request, sign_in, world: World) -> Client:
    """An admin of A alone, or of A and B: the strongest that must not see C."""
    tenants = [world.tenants[slug] for slug in request.param.split(" and ")]
    return sign_in("admin", *tenants)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, the header Location, and everything that could be read in it."""

    status: int
    location: str
    text: str


def call(client: Client, call: Call) -> Answer:
    """Make the call, read the answer, and undo what it did: hundreds of calls share one world."""
    method, path, fields = call
    cookies = client.cookies.copy()
    with transaction.atomic():
        answer = getattr(client, method)(path, fields) if fields else getattr(client, method)(path)
        text = answer.getvalue().decode(errors="replace") + str(dict(answer.headers))
        transaction.set_rollback(True)
    client.cookies = cookies
    return Answer(answer.status_code, answer.headers.get("Location", ""), text)


def traces(world: World) -> list[str]:
    """Whatever would give away something of C."""
    case = world.cases["third"]
    return [
        f"{SECRET} ", "THIRD", str(case.public_id), str(world.entities["third"]),
        str(world.tenants["third"].directory_id), "/tenants/third/",
    ]  # fmt: skip


def test_nothing_of_another_tenant_is_shown(colleague: Client, world: World) -> None:
    wrong = []
    for rule in RULES.values():
        for one in rule.open(world):
            answer = call(colleague, one)
            typed = f"{one[1]} {one[2]}"  # what the user brought along may come back
            found = [
                trace for trace in traces(world) if trace in answer.text and trace not in typed
            ]
            if found or answer.status not in (200, 204, 302, 400):
                wrong.append((one, answer.status, found))
    assert not wrong


def test_what_is_anothers_does_not_exist(colleague: Client, world: World) -> None:
    closed = [one for rule in RULES.values() for one in rule.closed(world)]
    assert [one for one in closed if call(colleague, one).status != 404] == []


def test_nothing_of_another_tenant_is_changed(colleague: Client, world: World) -> None:
    for rule in RULES.values():
        for method, path, fields in (*rule.open(world), *rule.closed(world)):
            getattr(colleague, method)(path, fields)
    with scope(world.tenants["third"]):
        case = Case.objects.get(pk=world.cases["third"].pk)
        assert (case.status, case.assignee_id, case.version) == (0, None, 1)
        assert Delivery.objects.filter(state="failed").count() == 1
    world.tenants["third"].refresh_from_db()
    assert world.tenants["third"].state == "active"
    assert User.objects.get(pk=colleague.person.pk).preferences["tenants"] == []  # type: ignore[attr-defined]
    assert not audited().filter(tenant=world.tenants["third"]).exists()


def test_the_walk_would_find_something(sign_in, world: World) -> None:
    """Who may see C sees the traces that the walk looks for."""
    admin = sign_in("admin")
    listed = admin.get("/?status=any&severity=any").content.decode()
    assert f"{SECRET} " in listed
    assert "THIRD" in listed
    for name in ("case", "entity", "tenant", "tenant-details"):
        for one in RULES[name].closed(world):
            assert call(admin, one).status == 200, one


def test_strangers_are_sent_to_the_sign_in(world: World, client: Client) -> None:
    wrong = []
    for rule in RULES.values():
        for one in () if rule.is_free else (*rule.open(world), *rule.closed(world)):
            answer = call(client, one)
            if answer.status != 302 or not answer.location.startswith("/account/login/"):
                wrong.append((one, answer.status, answer.location))
    assert not wrong


def test_the_probes_are_open_by_an_address_too_and_nothing_else(client: Client, db) -> None:
    for host in ("testserver", "10.0.0.9:8000"):
        assert client.get("/healthz", headers={"host": host}).content == b"ok"
        assert client.get("/readyz", headers={"host": host}).content == b"ok"
    assert client.get("/account/login/", headers={"host": host}).status_code == 400


def test_similar_slugs_are_kept_apart(sign_in, world: World) -> None:
    """`qa` is the beginning of `qatest`."""
    of_qa = sign_in("viewer", world.tenants["qa"])
    assert of_qa.get("/tenants/qa/").status_code == 200
    assert of_qa.get("/tenants/qatest/").status_code == 404
    listed = of_qa.get("/?status=any&severity=any&tenant=qatest").content.decode()
    assert "You have no tenant" in listed
    assert "case-row" not in listed
    both = sign_in("viewer", world.tenants["qa"], world.tenants["qatest"])
    assert both.get("/?severity=any&tenant=qatest").content.decode().count('class="case-row') == 3
    assert both.get("/?severity=any").content.decode().count('class="case-row') == 6


class TestRoles:
    """The lesser role is refused what the greater may."""

    def test_a_viewer_changes_nothing(self, sign_in, world: World) -> None:
        viewer = sign_in("viewer", world.tenants["qa"])
        case = world.cases["qa"]
        triage = reverse("case-triage", args=[case.public_id])
        assert viewer.post(triage, {"do": "start", "version": "1"}).status_code == 404
        assert viewer.post("/tenants/qa/retry/").status_code == 404
        assert viewer.post("/tenants/qa/state/", {"state": "paused"}).status_code == 404
        answer = viewer.post("/queue/bulk/", {"case": f"{case.public_id}~0..", "do": "start"})
        assert "only look at" in answer.content.decode()
        with scope(world.tenants["qa"]):
            assert Case.objects.get(pk=case.pk).version == 1

    def test_a_viewer_sees_no_names(self, sign_in, world: World) -> None:
        viewer = sign_in("viewer", world.tenants["qa"])
        case = str(world.cases["qa"].public_id)
        answer = viewer.post("/names/", {"case": case}).json()
        assert answer["names"] == {}
        assert "may not see names" in answer["problems"][case]
        assert viewer.post("/names/", {"entity": str(world.entities["qa"])}).status_code == 404
        assert "data-names-toggle" not in viewer.get("/").content.decode()

    def test_an_analyst_manages_no_tenant(self, sign_in, world: World) -> None:
        analyst = sign_in("analyst", world.tenants["qa"])
        assert analyst.post("/tenants/qa/state/", {"state": "paused"}).status_code == 404
        assert analyst.get("/audit/").status_code == 404
        assert analyst.get("/tenants/new/").status_code == 404

    def test_an_admin_of_one_tenant_onboards_none(self, sign_in, world: World) -> None:
        admin = sign_in("admin", world.tenants["qa"])
        assert admin.get("/tenants/new/").status_code == 404
        assert admin.get("/audit/").status_code == 200

    def test_someone_switched_off_sees_nothing(self, sign_in, world: World) -> None:
        admin = sign_in("admin", world.tenants["qa"])
        User.objects.filter(pk=admin.person.pk).update(is_active=False)
        assert admin.get("/").status_code == 302
