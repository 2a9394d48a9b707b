"""The page of an entity: what it was seen with, its class, live sign-ins; entities seen most."""

from __future__ import annotations

import uuid

from alerts.links import link_alerts
from alerts.models import Alert, AssetMember, Case, Hub
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.test_names import contoso  # noqa: F401 a fixture


def test_seen_with_and_in_time(sign_in, world: World) -> None:
    tenant = world.tenants["qa"]
    with scope(tenant):
        link_alerts(list(Alert.objects.values_list("pk", flat=True)))
        user = next(one for one in world.cases["qa"].entities if one[0] == "user")
    text = sign_in("viewer", tenant).get(f"/entities/{user[1]}/").content.decode()
    seen = text.partition("Seen with")[2]
    assert "Device " in seen
    assert "IP " in seen
    assert "Person 0" not in text
    assert "Make a VIP" not in text


def test_a_vip_by_right_and_back(sign_in, world: World) -> None:
    tenant, case = world.tenants["qa"], world.cases["qa"]
    person = next(one for one in case.entities if one[0] == "user")[1]
    lead = sign_in("lead", tenant)
    with scope(tenant):
        Case.objects.filter(pk=case.pk).update(judge_at=None)
    lead.post(f"/entities/{person}/mark/", {"on": "yes"})
    lead.post(f"/entities/{person}/mark/", {"on": "yes"})
    assert "No VIP any more" in lead.get(f"/entities/{person}/").content.decode()
    with scope(tenant):
        assert Case.objects.get(pk=case.pk).judge_at is not None
        assert AssetMember.objects.exists()
    assert audited().filter(action="entity_marked").count() == 2
    lead.post(f"/entities/{person}/mark/", {"on": "no"})
    assert "Make a VIP" in lead.get(f"/entities/{person}/").content.decode()
    with scope(tenant):
        assert not AssetMember.objects.exists()


def test_it_ties_nothing_because_a_person_said_so(sign_in, world: World) -> None:
    tenant, case = world.tenants["qa"], world.cases["qa"]
    person = next(one for one in case.entities if one[0] == "user")[1]
    lead = sign_in("lead", tenant)
    for wanted, words in (
        ("no", "are not put together for that"),
        ("yes", "can be put together"),
        ("learned", "can be put together"),
    ):
        lead.post(f"/entities/{person}/tie/", {"ties": wanted})
        assert words in lead.get(f"/entities/{person}/").content.decode()
    assert audited().filter(action="entity_tied").count() == 3
    answer = lead.post(f"/entities/{person}/tie/", {"ties": "<b>"}, follow=True)
    assert "Choose whether it ties cases" in answer.content.decode()
    with scope(tenant):
        assert Hub.objects.get().pinned is None


def test_live_sign_ins_are_audited(sign_in, contoso: Tenant) -> None:  # noqa: F811
    with scope(contoso):
        case = Case.objects.get(alerts__provider_id="n1")
        person = next(one for one in case.entities if one[0] == "user")[1]
    client = sign_in("customer_ciso", contoso)
    answer = client.post(f"/entities/{person}/live/", {"case": str(case.public_id)})
    assert answer.headers["Cache-Control"] == "no-store"
    entry = audited().get(action="sign_ins_shown")
    assert entry.subject == f"case {case.public_id}"
    assert entry.facts["entity"] == person
    viewer = sign_in("viewer", contoso)
    assert viewer.post(f"/entities/{person}/live/").status_code == 404
    assert client.post(f"/entities/{uuid.uuid4()}/live/").status_code == 404


def test_entities_seen_most_obey_the_scope(sign_in, world: World) -> None:
    client = sign_in("viewer", world.tenants["qa"], world.tenants["qatest"])
    text = client.get("/entities/").content.decode()
    assert str(world.entities["qa"]) in text
    assert str(world.entities["qatest"]) in text
    assert str(world.entities["third"]) not in text
    alone = client.get("/entities/?tenant=qatest&pillar=identity").content.decode()
    assert str(world.entities["qa"]) not in alone
