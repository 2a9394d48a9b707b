"""Settings: rules made of rows, equal detections, and who may see which tab."""

from __future__ import annotations

import pytest
import yaml
from django.test import Client

from alerts.overlap import as_body
from alerts.overlap_classes import list_classes
from tenants.models import OverlapClass, Rule, TenantGroup
from tenants.scope import granted
from tests.audit import audited
from tests.csc_portal.web.conftest import World

RULE = {
    "name": "Quiet scans", "reason": "Agreed with the customer", "tenant": "qa", "joint": "all",
    "action": "close", "verdict": "informationalExpectedActivity", "is_enabled": "on",
    "field-0": "severity", "operator-0": "at_most", "value-0": "Low",
    "field-1": "vip", "operator-1": "is", "value-1": "no",
    "field-2": "sources", "operator-2": "has", "value-2": "microsoftSentinel, microsoftDefenderXDR",
}  # fmt: skip


def rules(*tenants: int) -> list[Rule]:
    """Those that people made; some come with the portal."""
    with granted(tenants):
        return list(Rule.objects.filter(owner_id__isnull=False).order_by("pk"))


def test_a_rule_is_made_of_rows(sign_in, world: World) -> None:
    qa = world.tenants["qa"]
    lead = sign_in("lead", qa)
    assert lead.post("/settings/rules/new/", RULE).status_code == 302
    rule = rules(qa.pk)[-1]
    assert rule.tenant_id == qa.pk
    assert rule.definition == {
        "when": {
            "all": [
                {"field": "severity", "operator": "at_most", "value": "low"},
                {"field": "vip", "operator": "is", "value": False},
                {"field": "sources", "operator": "has",
                 "value": ["microsoftSentinel", "microsoftDefenderXDR"]},
            ]
        },
        "then": {"action": "close", "verdict": "informationalExpectedActivity"},
    }  # fmt: skip
    page = lead.get("/settings/rules/").content.decode()
    assert "Severity is at most low and Not so: a VIP is concerned" in page
    shown = lead.get(f"/settings/rules/{rule.public_id}/")
    assert [row.value for row in shown.context["form"].rows][:3] == [
        "low", "no", "microsoftSentinel, microsoftDefenderXDR"
    ]  # fmt: skip


def test_the_last_day_of_a_rule_is_one_of_utc(sign_in, world: World) -> None:
    lead = sign_in("lead", world.tenants["qa"])
    lead.post("/account/preference/", {"time_zone": "Asia/Tokyo"})
    assert lead.post("/settings/rules/new/", {**RULE, "expires": "9999-12-31"}).status_code == 302
    assert ">9999-12-31<" in lead.get("/settings/rules/").content.decode()


def test_a_rule_for_a_group(sign_in, world: World) -> None:
    group = TenantGroup.objects.create(slug="banks", name="Banks")
    group.tenants.set([world.tenants["qa"], world.tenants["qatest"]])
    admin = sign_in("admin")
    form = {**RULE, "tenant": "group:banks"}
    assert admin.post("/settings/rules/new/", {**form, "do": "dry"}).context["dry"].looked_at == 6
    assert admin.post("/settings/rules/new/", form).status_code == 302
    assert "Group Banks" in admin.get("/settings/rules/").content.decode()
    rule = rules(world.tenants["qa"].pk)[-1]
    assert (rule.tenant_id, rule.group_id) == (None, group.pk)
    lead = sign_in("lead", world.tenants["qa"])  # reads it, and may not make or change one
    address = f"/settings/rules/{rule.public_id}/"
    assert lead.get(address).status_code == 200
    assert lead.post(address, {**form, "version": "1"}).status_code == 404
    assert lead.post("/settings/rules/new/", form).status_code == 422
    group.delete()  # it holds for nobody, and stands in no list
    assert admin.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value-0": "terrible"}, "is one of"),
        ({"operator-1": "has"}, "is compared by is"),
        ({"field-0": "__class__"}, "there is no fact"),
        ({"action": "raise", "verdict": "", "points": "900"}, "from 1 to 100"),
        ({"verdict": ""}, "needs 'verdict'"),
        ({"reason": "See ada@contoso.com"}, "may not hold addresses"),
        ({"tenant": ""}, "This field is required"),
        ({"tenant": "third"}, "Select a valid choice"),
        ({"expires": "2020-01-01"}, "expired already"),
    ],
)
def test_what_is_no_rule_is_told(changes: dict[str, str], told: str, sign_in, world: World) -> None:
    answer = sign_in("lead", world.tenants["qa"]).post("/settings/rules/new/", {**RULE, **changes})
    assert answer.status_code == 422
    errors = [str(one) for found in answer.context["form"].errors.values() for one in found]
    assert told in " ".join(errors)
    assert rules(world.tenants["qa"].pk, world.tenants["third"].pk) == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(sign_in, world: World) -> None:
    lead = sign_in("lead", world.tenants["qa"])
    form = {**RULE, "value-0": "high", "field-2": "", "operator-2": "", "value-2": "", "do": "dry"}
    page = lead.post("/settings/rules/new/", form)
    assert page.status_code == 200
    assert page.context["dry"].looked_at == 3
    assert "Nothing was changed" in page.content.decode()
    assert rules(world.tenants["qa"].pk) == []


def test_a_rule_is_edited_and_ended_by_version(sign_in, world: World) -> None:
    lead = sign_in("lead", world.tenants["qa"])
    lead.post("/settings/rules/new/", RULE)
    rule = rules(world.tenants["qa"].pk)[-1]
    address = f"/settings/rules/{rule.public_id}/"
    form = {**RULE, "name": "Loud scans", "version": "1", "tenant": "third"}
    assert lead.post(address, form).status_code == 302
    answer = lead.post(address, form)  # by somebody who saw version 1
    assert "Somebody changed this rule meanwhile" in answer.content.decode()
    changed = rules(world.tenants["qa"].pk)[-1]
    assert (changed.name, changed.version, changed.tenant_id) == ("Loud scans", 2, rule.tenant_id)
    lead.post(f"{address}end/", {"do": "delete", "version": "2"})
    assert "Loud scans" not in lead.get("/settings/rules/").content.decode()


def test_a_class_of_detections_is_changed_and_reset(sign_in, world: World) -> None:
    admin = sign_in("admin")
    shown = list_classes()[0]
    address = f"/settings/detections/{shown.kind.name}/"
    body = {**as_body(shown.kind), "window_min": 7}
    form = {"name": "ignored", "body": yaml.safe_dump(body), "version": "0"}
    assert admin.post(address, form).status_code == 302
    assert OverlapClass.objects.get().body["window_min"] == 7
    assert audited().filter(action="class edited").exists()
    broken = admin.post(address, {**form, "body": "- no", "version": "1"})
    assert broken.status_code == 422
    stale = admin.post(address, form)
    assert "meanwhile" in stale.content.decode()
    admin.post(address, {"do": "reset"})
    assert not OverlapClass.objects.exists()


def test_tabs_are_those_of_the_right(sign_in, world: World) -> None:
    qa = world.tenants["qa"]

    def tabs(client: Client) -> list[str]:
        page = client.get("/settings/", follow=True)
        return [tab.name for tab in page.context.get("tabs") or []]

    assert sign_in("viewer", qa).get("/settings/").headers["Location"] == "/account/rights/"
    assert sign_in("lead", qa).get("/settings/").headers["Location"] == "/settings/rules/"
    assert sign_in("viewer", qa).get("/settings/rules/").status_code == 404
    assert sign_in("admin", qa).get("/settings/installation/").status_code == 404
    everything = sign_in("admin").get("/settings/installation/")
    assert "Key Vault" in everything.content.decode()
    assert "Tasks waiting, slow" in everything.content.decode()
    assert {"rules", "detections"} <= set(tabs(sign_in("lead", qa)))
