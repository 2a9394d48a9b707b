"""The page of the audit log and its exports: filters, paging, what a customer may read."""

from __future__ import annotations

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from csc_portal import audit_log
from csc_portal.people import SOMEBODY
from tenants.audit import record
from tenants.audit_seals import seal_new
from tenants.models import Tenant, User
from tests.audit import audited
from tests.tenants.test_audit_proof import start_anew


@pytest.fixture
def told(simulator, qa: Tenant, qatest: Tenant) -> None:
    """Entries of two tenants and of none, by several people."""
    start_anew()
    record("zelda", "names_shown", qa, "case 1", {"names": 2})
    record("yves", "names_shown", qa, "case 2", {"names": 1})
    record("zelda", "tenant_paused", qatest)
    record("zelda", "signed_in")
    record("system", "test_ticket", qa)


def lines(client, query: str = "") -> list[dict]:
    """What an export holds."""
    answer = client.get(f"/audit/export.jsonl{query}")
    assert answer.status_code == 200
    found = [json.loads(line) for line in answer.getvalue().decode().splitlines()]
    return [line for line in found if line["action"] != "exported"]


def actions(client, query: str = "") -> list[str]:
    return [line["action"] for line in lines(client, query)]


def test_an_admin_of_all_reads_all_of_it(sign_in, told) -> None:
    admin = sign_in("admin")
    assert actions(admin) == [
        "names_shown", "names_shown", "tenant_paused", "signed_in", "test_ticket",
    ]  # fmt: skip
    assert len(lines(admin, "?tenant=qa")) == 3


def test_a_lead_of_one_tenant_reads_that_alone(sign_in, told, qa) -> None:
    lead = sign_in("lead", qa)
    assert {line["tenant"] for line in lines(lead)} == {"qa"}
    assert actions(lead, "?tenant=qatest") == []
    assert {line["actor"] for line in lines(lead)} == {"zelda", "yves", "system"}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?who=zelda", 3), ("?who=nobody", 0), ("?action=names_shown", 2),
        ("?action=names_shown&who=yves", 1), ("?since=2000-01-01", 5), ("?until=2000-01-01", 0),
        ("?since=2000-01-01T08:00&until=2099-01-01T08:00:00Z", 5), ("?since=nonsense", 0),
        ("?who=%00", 5), ("?action='", 0), ("?since=99999-01-01", 0),
    ],
)  # fmt: skip
def test_filters(query: str, count: int, sign_in, told) -> None:
    admin = sign_in("admin")
    shown = admin.get(f"/audit/{query}").content.decode()
    assert shown.count('<td class="nowrap">20') == count
    assert len(lines(admin, query)) == count


def test_pages_follow_each_other_without_gap_or_repeat(sign_in, simulator, qa) -> None:
    for number in range(230):
        record("zelda", "tested", qa, f"case {number}")
    admin = sign_in("admin", qa)
    seen: list[str] = []
    address = "/audit/?action=tested"
    while address:
        shown = admin.get(address).content.decode()
        seen += [part.partition("<")[0].strip() for part in shown.split('<td class="id-text">')[1:]]
        record("zelda", "tested", qa, "case late")  # a new one in front moves nothing
        _, found, rest = shown.partition('rel="next"')
        address = ""
        if found:
            query = rest.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
            address = f"/audit/{query}"
    assert seen == [f"case {number}" for number in reversed(range(230))]


class TestCustomer:
    """Their own tenant's entries, and of the provider's people only that it was one."""

    def test_reads_no_names_of_the_provider(self, sign_in, told, qa) -> None:
        ciso = sign_in("customer_ciso", qa, name="their-ciso")
        record("their-ciso", "names_shown", qa)
        found = lines(ciso)
        assert {line["tenant"] for line in found} == {"qa"}
        assert [line["actor"] for line in found] == [SOMEBODY, SOMEBODY, "system", "their-ciso"]
        for kind in ("cef", "csv"):
            text = ciso.get(f"/audit/export.{kind}").getvalue().decode()
            assert "zelda" not in text
            assert "their-ciso" in text
        assert "zelda" not in ciso.get("/audit/").content.decode()

    def test_reads_no_numbers_of_the_provider(self, sign_in, qa) -> None:
        analyst, ciso = sign_in("analyst").person.pk, sign_in("customer_ciso", qa)
        for person in (analyst, ciso.person.pk):
            record("zelda", "tested", qa, f"user {person}", {"owner": person, "role": "viewer"})
        found = [(one["subject"], one["facts"]) for one in lines(ciso, "?action=tested")]
        own = (f"user {ciso.person.pk}", {"owner": ciso.person.pk, "role": "viewer"})
        assert found == [("user", {"role": "viewer"}), own]

    def test_a_filter_does_not_tell_them_either(self, sign_in, told, qa) -> None:
        ciso = sign_in("customer_ciso", qa, name="their-ciso")
        record("their-ciso", "tested", qa)
        assert actions(ciso, "?who=zelda") == actions(ciso, "?who=nobody-at-all") == []
        assert actions(ciso, f"?who={SOMEBODY}") == ["names_shown", "names_shown"]
        assert actions(ciso, "?who=their-ciso") == ["tested"]
        assert actions(ciso, "?who=system") == ["test_ticket"]

    def test_people_of_another_customer_are_not_named(self, sign_in, told, qa, qatest) -> None:
        sign_in("customer_ciso", qatest, name="other-ciso")
        record("other-ciso", "tested", qa)
        ciso = sign_in("customer_ciso", qa)
        assert [one["actor"] for one in lines(ciso, "?action=tested")] == [SOMEBODY]

    def test_who_is_also_of_the_provider_is_not_named(self, sign_in, told, qa) -> None:
        both = sign_in("customer_ciso", qa, name="both-sides").person
        both.grants.create(role="viewer")
        record("both-sides", "tested", qa)
        ciso = sign_in("customer_ciso", qa)
        assert [one["actor"] for one in lines(ciso, "?action=tested")] == [SOMEBODY]


def test_times_and_filter_are_of_the_readers_own_zone(sign_in, told, qa) -> None:
    admin = sign_in("admin", qa)
    admin.person.preferences = {"time_zone": "Asia/Tokyo"}
    admin.person.save(update_fields=["preferences"])
    at = audited().get(action="test_ticket").at.astimezone(ZoneInfo("Asia/Tokyo"))
    since = f"{at - timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    shown = admin.get(f"/audit/?action=test_ticket&since={since}").content.decode()
    assert f"{at:%Y-%m-%d %H:%M:%S}" in shown
    assert "From (Asia/Tokyo)" in shown
    assert actions(admin, f"?action=test_ticket&since={since}") == ["test_ticket"]
    late = f"{at + timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    assert actions(admin, f"?action=test_ticket&since={late}") == []


def test_whom_an_entry_is_about_is_named_to_the_provider_alone(sign_in, simulator, qa) -> None:
    person = User.objects.create_user("zelda-about", first_name="Zelda", last_name="About")
    record("system", "granted", qa, f"user {person.pk}")
    for role, is_named in (("admin", True), ("customer_ciso", False)):
        shown = sign_in(role, qa).get("/audit/?action=granted").content.decode()
        assert (f"user {person.pk}" in shown, "Zelda About" in shown) == (is_named, is_named)


def test_an_export_is_recorded_and_has_all_of_many_chunks(sign_in, qa, simulator, monkeypatch):
    monkeypatch.setattr(audit_log, "CHUNK", 7)
    for number in range(40):
        record("zelda", "tested", qa, facts={"number": number})
    admin = sign_in("admin")
    found = lines(admin, "?action=tested")
    numbers = [line["facts"]["number"] for line in found if "number" in line["facts"]]
    assert numbers[-40:] == list(range(40))
    entry = audited().get(action="exported", actor=admin.person.username)
    assert entry.facts == {"what": "audit log", "format": "jsonl"}


def test_places_in_the_chain_are_told(sign_in, told) -> None:
    admin = sign_in("admin")
    assert ">soon<" in admin.get("/audit/").content.decode()
    seal_new()
    assert [line["seq"] for line in lines(admin)] == [1, 2, 3, 4, 5]
    assert ">soon<" not in admin.get("/audit/?action=names_shown").content.decode()


def test_stored_html_is_shown_as_text(sign_in, simulator, qa) -> None:
    record("<script>x", "tested", qa, "case <b>", {"<i>": "<img src=x>"})
    shown = sign_in("admin").get("/audit/?action=tested").content.decode()
    assert not any(tag in shown for tag in ("<script>x", "<b>", "<i>", "<img"))


def test_an_old_filter_uses_the_time(sign_in, told) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_auditentry (at, actor, action, subject, facts) "
            "VALUES (%s, 'zelda', 'old', '', '{}')",
            [timezone.now() - timedelta(days=30)],
        )
    admin = sign_in("admin")
    day = (timezone.now() - timedelta(days=30)).date()
    assert actions(admin, f"?since={day}&until={day + timedelta(days=1)}") == ["old"]
