"""The case's page: every tab, what it says of the judgement, and what it must not say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from alerts import regroup
from alerts.models import Alert, Case, Decision
from tenants.audit import record
from tenants.directories import pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope
from tests.alerts.judgement_lab import FINE, NOW, PROVEN, decide, know, take
from tests.csc_portal.web.conftest import World
from tests.csc_portal.web.documents import alert, device, user

TABS = ("overview", "alerts", "evidence", "timeline", "sign-ins", "related", "raw", "audit")
HOSTILE = "<script>alert('x')</script> =cmd|'/c calc'!A1 {{ 7|add:7 }}"


def shown(client, case: Case, tab: str = "overview", **headers: str) -> str:
    answer = client.get(f"/cases/{case.public_id}/?tab={tab}", headers=headers or None)
    assert answer.status_code == 200
    return answer.content.decode()


def odd_sign_in(key: str = "odd", **fields: object) -> dict[str, object]:
    wanted = {"title": "Unfamiliar sign-in properties", "source": "azureADIdentityProtection"}
    return alert(key, user("Ina Odd"), severity="low", **{"at": NOW, **wanted, **fields})


@pytest.fixture
def closed(qa: Tenant, simulator) -> Case:
    """A case that the portal closed with proof."""
    Tenant.objects.filter(pk=qa.pk).update(state="active", auto_close="on")
    qa.refresh_from_db()
    pseudonymiser = pseudonymiser_for(qa)
    with scope(qa):
        case = take(qa, pseudonymiser, odd_sign_in(source="azureADIdentityProtection"))[0]
        know("odd", replace(PROVEN, sign_in=replace(FINE, at=NOW)))
        decide(qa, NOW)
        case.refresh_from_db()
    return case


class TestTabs:
    @pytest.mark.parametrize("tab", [*TABS, "print", "nonsense"])
    def test_each_holds_no_name(self, tab: str, sign_in, world: World) -> None:
        text = shown(sign_in("admin"), world.cases["qa"], tab)
        for secret in ("Person 0", "person.0", "pc-0.", "203.0.113.1"):
            assert secret not in text.partition("<main")[2]
        for one in TABS:
            assert (f'id="tab-{one}"' in text) is (tab != "print")

    def test_htmx_gets_the_tab_alone(self, sign_in, world: World) -> None:
        headers = {"HX-Request": "true", "HX-Target": "case-tabs"}
        text = shown(sign_in("admin"), world.cases["qa"], "evidence", **headers)
        assert "<h1" not in text
        assert 'aria-current="true">Evidence' in " ".join(text.split())

    def test_tabs_that_need_a_right_are_not_there_without(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        for role, raw, audit in (
            ("viewer", False, False), ("analyst", True, False), ("customer_ciso", False, True),
        ):  # fmt: skip
            client = sign_in(role, tenant)
            text = shown(client, case)
            assert ('id="tab-raw"' in text, 'id="tab-audit"' in text) == (raw, audit)
            assert ("Who saw or did what" in shown(client, case, "audit")) is audit

    def test_hostile_titles_stay_text(self, sign_in, qa: Tenant, simulator) -> None:
        Tenant.objects.filter(pk=qa.pk).update(state="active")
        with scope(qa):
            document = alert("bad", user("Eve"), title=HOSTILE, category='"><img src=x>')
            case = take(qa, pseudonymiser_for(qa), document)[0]
        for tab in (*TABS, "print"):
            text = shown(sign_in("admin"), case, tab)
            assert "<script>alert" not in text
            assert "<img src=x>" not in text

    def test_related_and_past(self, sign_in, qa: Tenant, simulator) -> None:
        Tenant.objects.filter(pk=qa.pk).update(state="active")
        now = timezone.now()
        with scope(qa):
            first, second = take(
                qa, pseudonymiser_for(qa),
                alert("r1", user("Rel Ated"), at=now - timedelta(days=9)),
                alert("r2", user("Rel Ated"), at=now),
            )  # fmt: skip
            Case.objects.filter(pk=first.pk).update(status=2, verdict="truePositive")
        text = shown(sign_in("admin"), second, "related")
        same, _, past = text.partition("The same detection before")
        assert str(first.public_id) in same
        assert str(first.public_id) in past
        assert "True positive" in past

    def test_the_audit_tab_is_about_this_case(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        record("zelda", "names_shown", tenant, f"case {case.public_id}", {"names": 3})
        record("yorick", "names_shown", tenant, "case 1")
        text = shown(sign_in("admin"), case, "audit")
        assert "zelda" in text
        assert "yorick" not in text
        ours = shown(sign_in("customer_ciso", tenant), case, "audit")
        assert "zelda" not in ours


class TestJudgement:
    def test_a_closed_case_shows_its_proof(self, sign_in, closed: Case, qa: Tenant) -> None:
        assert (closed.status, closed.closed_by) == (2, "proof")
        client = sign_in("analyst", qa)
        text = shown(client, closed)
        assert re.search(r"badge-auto.*Proven harmless", text, re.DOTALL)
        assert re.search(r"Proof: Sign-in [0-9A-Z]{3}-[0-9A-Z]{3}", text)
        assert "notification in the Authenticator app" in text
        assert "by its request id" in text
        assert "MFA was performed in the very sign-in" in text
        assert "Reopen: people shall look at it" in text
        assert "Closed by the portal" in shown(client, closed, "timeline")
        known = shown(client, closed, "sign-ins")
        assert "Performed in this sign-in" in known

    def test_terms_add_up(self, sign_in, closed: Case, qa: Tenant) -> None:
        text = shown(sign_in("viewer", qa), closed)
        table = text.partition('class="sum-table"')[2].partition("</table>")[0]
        points = [int(one) for one in re.findall(r'class="num">([+-]?\d+)<', table)]
        assert sum(points[:-1]) == points[-1] == closed.priority

    @pytest.mark.parametrize(
        ("outcome", "says"),
        [("waiting", "Waiting for facts"), ("would_close", "Would have been closed (dry run)")],
    )
    def test_a_decision_that_waits_or_would(
        self, outcome: str, says: str, sign_in, world: World
    ) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        with scope(tenant):
            Decision.objects.create(
                case=case, outcome=outcome, basis="proof", priority=7,
                reasons=[["sign_in_pending", "The sign-in is not known yet."]],
                facts={"known": {"mfa": None, "vip": True, "odd": 1}},
            )  # fmt: skip
            Case.objects.filter(pk=case.pk).update(ticket_after=timezone.now())
        text = shown(sign_in("viewer", tenant), case)
        assert says in text
        assert "The sign-in is not known yet." in text
        assert re.search(r"MFA of the sign-ins</dt><dd>not known", text)

    def test_why_each_alert_joined(self, sign_in, qa: Tenant, simulator) -> None:
        Tenant.objects.filter(pk=qa.pk).update(state="active")
        with scope(qa):
            case = take(
                qa, pseudonymiser_for(qa),
                alert("w1", user("Why Joined"), device("pc-why"), incident="7"),
                alert("w2", user("Why Joined"), device("pc-why"), incident="8", title="Malware"),
            )[0]  # fmt: skip
        text = shown(sign_in("viewer", qa), case, "alerts")
        assert "First alert of the case." in text
        assert re.search(r'Shares <span class="entity" data-pseudonym="[0-9a-f-]{36}">', text)


class TestNews:
    def test_only_what_changed_is_told(self, sign_in, world: World) -> None:
        tenant, case = world.tenants["qa"], world.cases["qa"]
        client = sign_in("analyst", tenant)
        seen = re.search(r'news/\?seen=(\d+)"', shown(client, case))
        assert seen
        address = f"/cases/{case.public_id}/news/?seen={seen[1]}"
        assert client.get(address).status_code == 204
        # In a test all is one transaction, so the row's number stays: ask from an older one.
        older = address.replace(f"seen={seen[1]}", "seen=1")
        assert "changed this case" in client.get(older).content.decode()


def test_a_case_beside_the_queue_keeps_the_address(sign_in, world: World) -> None:
    client = sign_in("analyst", world.tenants["qa"])
    headers = {
        "HX-Request": "true", "HX-Target": "flyout", "HX-Current-URL": "http://testserver/?x=1",
    }  # fmt: skip
    assert "hx-push-url" not in shown(client, world.cases["qa"], **headers)
    assert "hx-push-url" in shown(client, world.cases["qa"])


def test_merged_cases_can_be_taken_back(sign_in, world: World) -> None:
    tenant = world.tenants["qa"]
    with scope(tenant):
        one, other = Case.objects.order_by("pk")[:2]
        regroup.merge(tenant.pk, {one.pk: 1, other.pk: 1}, into=one.pk, actor_id=1)
        version = Case.objects.get(pk=one.pk).version
    client = sign_in("analyst", tenant)
    assert "Take the merge back" in shown(client, one, "alerts")
    fields = {"do": "unmerge", "case": str(other.pk), "version": str(version)}
    assert client.post(f"/cases/{one.public_id}/regroup/", fields).status_code == 302
    with scope(tenant):
        assert Case.objects.get(pk=other.pk).merged_into_id is None
        assert Alert.objects.filter(case=other).exists()
