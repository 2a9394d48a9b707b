"""What is done to a case from its page: done once, refused with a reason, nothing typed is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from alerts.models import Alert, Apart, Case, Suppression
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.test_names import contoso  # noqa: F401 a fixture


def post(client, case: Case, what: str = "triage", **fields: object):
    given = {"version": "1", **fields}
    return client.post(f"/cases/{case.public_id}/{what}/", given)


def now_of(tenant: Tenant, case: Case) -> Case:
    with scope(tenant):
        return Case.objects.get(pk=case.pk)


class TestTriage:
    def test_a_false_positive_with_all_that_is_asked(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        client = sign_in("analyst", tenant)
        fields = {"do": "resolve", "verdict": "falsePositive", "reason": "admin_work",
                  "determination-falsePositive": "notMalicious",
                  "determination-truePositive": "malware"}  # fmt: skip
        assert post(client, case, **fields).status_code == 302
        found = now_of(tenant, case)
        assert (found.status, found.verdict, found.determination, found.verdict_reason) == (
            2, "falsePositive", "notMalicious", "admin_work",
        )  # fmt: skip
        text = client.get(f"/cases/{case.public_id}/").content.decode()
        assert "False positive · Not malicious · Work of administrators" in text

    def test_without_a_reason_it_is_asked_for(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        answer = post(sign_in("analyst", tenant), case, do="resolve", verdict="falsePositive")
        text = answer.content.decode()
        assert answer.status_code == 409
        assert "Choose a reason: why was it a false positive?" in text
        assert now_of(tenant, case).status == 0

    def test_a_stale_action_says_so_and_loses_nothing(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        post(sign_in("analyst", tenant), case, do="start")
        until = (timezone.now() + timedelta(hours=4)).isoformat()
        fields = {"do": "snooze", "until": until, "snooze_reason": "Waits for the customer"}
        answer = post(sign_in("analyst", tenant), case, **fields)
        text = answer.content.decode()
        assert "Somebody changed this case meanwhile" in text
        assert 'value="Waits for the customer"' in text
        assert 'name="version" value="2"' in text
        assert now_of(tenant, case).snoozed_until is None

    def test_severity_snooze_and_wake(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        client = sign_in("analyst", tenant)
        until = (timezone.now() + timedelta(hours=4)).isoformat()
        for version, fields in enumerate((
            {"do": "severity", "severity": "low", "severity_reason": "contained"},
            {"do": "snooze", "until": until, "snooze_reason": "Waits"},
            {"do": "wake"},
        ), 1):  # fmt: skip
            assert post(client, case, version=str(version), **fields).status_code == 302
            found = now_of(tenant, case)
            assert found.version == version + 1
        assert (found.severity, found.snoozed_until) == (2, None)
        timeline = client.get(f"/cases/{case.public_id}/?tab=timeline").content.decode()
        for line in ("Severity set to low", "It is contained already", "Snoozed until", "Waits"):
            assert line in timeline

    def test_htmx_gets_the_case_as_it_is_now(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        client = sign_in("analyst", tenant)
        fields = {"do": "start", "version": "1", "tab": "alerts"}
        headers = {"HX-Request": "true", "HX-Target": "case"}
        answer = client.post(f"/cases/{case.public_id}/triage/", fields, headers=headers)
        text = answer.content.decode()
        assert answer.headers["HX-Trigger"] == "casesChanged"
        assert "In progress" in text
        assert 'class="alert-list"' in text
        assert "<html" not in text


class TestRegroup:
    def test_merge_into_a_number_leads_there(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        with scope(tenant):
            goal = Case.objects.exclude(pk=case.pk).order_by("pk").first()
        assert goal is not None
        client = sign_in("analyst", tenant)
        answer = post(client, case, "regroup", do="merge", into=f"#{goal.pk}")
        assert answer.headers["Location"] == f"/cases/{goal.public_id}/"
        assert now_of(tenant, case).status == Case.Status.MERGED

    @pytest.mark.parametrize("into", ["", "x", "999999", "9" * 15])
    def test_a_number_that_is_none(self, into: str, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        answer = post(sign_in("analyst", tenant), case, "regroup", do="merge", into=into)
        assert answer.status_code == 409
        assert now_of(tenant, case).status == 0

    def test_split_keep_apart_and_stale(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        client = sign_in("analyst", tenant)
        with scope(tenant):
            goal = Case.objects.exclude(pk=case.pk).order_by("pk").first()
        assert goal is not None
        post(client, case, "regroup", do="merge", into=str(goal.pk))
        with scope(tenant):
            ids = list(Alert.objects.filter(case=goal).values_list("pk", flat=True))
        assert post(client, goal, "regroup", do="split", alert=ids[:1]).status_code == 409
        version = now_of(tenant, goal).version
        tied = {"alert": ids, "version": str(version)}
        assert post(client, goal, "regroup", do="apart", **tied).status_code == 302
        split = {"alert": ids[:1], "version": str(version)}
        assert post(client, goal, "regroup", do="split", **split).status_code == 302
        with scope(tenant):
            assert Apart.objects.filter(kind="alerts").count() == 1
            assert Alert.objects.filter(case=goal).count() == 1
        related = f"/cases/{goal.public_id}/?tab=related"
        assert "Never tied again" in client.get(related).content.decode()
        with scope(tenant):
            pairs = list(Apart.objects.values_list("pk", flat=True))
        for pair in pairs:
            version = now_of(tenant, goal).version
            allow = {"pair": str(pair), "version": str(version)}
            assert post(client, goal, "regroup", do="allow", **allow).status_code == 302
            assert post(client, goal, "regroup", do="allow", **allow).status_code == 409
        assert "Never tied again" not in client.get(related).content.decode()


class TestSuppress:
    def test_it_has_scope_end_and_reason(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        lead = sign_in("lead", tenant)
        with scope(tenant):
            alert_id = Alert.objects.get(case=case).pk
        day = (timezone.now() + timedelta(days=3)).date().isoformat()
        fields = {"detection": str(alert_id), "entity": case.entities[0][1], "expires": day,
                  "most_severity": "medium", "suppress_reason": "Pen testers at work"}  # fmt: skip
        assert post(lead, case, "suppress", **fields).status_code == 302
        with scope(tenant):
            made = Suppression.objects.get()
        assert (str(made.entity), made.most_severity) == (case.entities[0][1], 3)
        assert audited().filter(action="suppression_made").count() == 1
        text = lead.get(f"/cases/{case.public_id}/").content.decode()
        assert "Pen testers at work" in text
        post(lead, case, "suppress", end=str(made.public_id))
        with scope(tenant):
            assert Suppression.objects.get().ended_at is not None

    @pytest.mark.parametrize("wrong", [
        {"expires": ""}, {"expires": "2001-01-01"}, {"expires": "9999-12-31"},
        {"suppress_reason": " "}, {"detection": "0"}, {"entity": "nobody"},
        {"most_severity": "huge"},
    ])  # fmt: skip
    def test_what_is_missing_is_said_and_kept(self, wrong, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        with scope(tenant):
            alert_id = Alert.objects.get(case=case).pk
        day = (timezone.now() + timedelta(days=3)).date().isoformat()
        fields = {"detection": str(alert_id), "expires": day, "most_severity": "high",
                  "suppress_reason": "Kept typed", "do": "suppress"} | wrong  # fmt: skip
        answer = post(sign_in("lead", tenant), case, "suppress", **fields)
        assert answer.status_code == 409
        if "suppress_reason" not in wrong:
            assert 'value="Kept typed"' in answer.content.decode()
        with scope(tenant):
            assert not Suppression.objects.exists()


class TestComment:
    def test_what_can_not_be_sent_stays_typed(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        fields = {"comment": "Called <b>her</b>", "nonce": "abcdefgh"}
        answer = post(sign_in("analyst", tenant), case, "comment", **fields)
        text = answer.content.decode()
        assert answer.status_code == 409
        assert "Called &lt;b&gt;her&lt;/b&gt;</textarea>" in text
        assert 'name="nonce" value="abcdefgh"' in text
        headers = {"HX-Request": "true", "HX-Target": f"comment-form-{case.pk}"}
        part = sign_in("analyst", tenant).post(
            f"/cases/{case.public_id}/comment/", fields, headers=headers
        )
        assert "Called &lt;b&gt;her&lt;/b&gt;</textarea>" in part.content.decode()
        assert 'role="alert"' in part.content.decode()


class TestLive:
    def test_raw_is_escaped_audited_and_not_kept(self, sign_in, contoso: Tenant) -> None:  # noqa: F811
        client = sign_in("analyst", contoso)
        with scope(contoso):
            row = Alert.objects.select_related("case").get(provider_id="n1")
        address = f"/cases/{row.case.public_id}/live/raw/"
        answer = client.post(address, {"alert": str(row.pk)}, headers={"HX-Request": "true"})
        assert answer.headers["Cache-Control"] == "no-store"
        assert "&quot;displayName&quot;: &quot;Anna Smith&quot;" in answer.content.decode()
        entry = audited().get(action="raw_shown")
        assert (entry.subject, entry.facts) == (f"case {row.case.public_id}", {"alerts": 1})
        assert "not in the case" in client.post(address, {"alert": "0"}).content.decode()
        assert client.post(address.replace("raw", "notes")).status_code == 200
        ciso = sign_in("customer_ciso", contoso)
        assert ciso.post(address, {"alert": str(row.pk)}).status_code == 404

    def test_advice_is_the_products(self, sign_in, contoso: Tenant) -> None:  # noqa: F811
        with scope(contoso):
            row = Alert.objects.select_related("case").get(provider_id="n1")
        text = sign_in("analyst", contoso).post(f"/cases/{row.case.public_id}/live/advice/")
        assert "Something happened." in text.content.decode()
        assert audited().filter(action="advice_shown").count() == 1
