"""What only one ticket system does."""

from datetime import UTC, datetime

import pytest
import responses

from clients.errors import BadPayload, Conflict, Forbidden, Rejected
from tests.ticketing.desks import ENTRIES, LOOPBACK, connect
from tests.ticketing.wire.server import SECRET
from ticketing.adapters import TicketDraft, TicketSystem, registry

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DRAFT = TicketDraft("CSC-1", "Sign-in", "<p>Detail [code]<b>x</b>[/code]</p>", 4, ("a",))


def system(name: str, desks_url: str, **options: object) -> TicketSystem:
    return connect(ENTRIES[name], f"{desks_url}/{name}", **options)


def sent(name: str) -> dict[str, object]:
    """The first ticket's fields as they came over the wire."""
    return ENTRIES[name].desk.tickets[1].fields


@pytest.mark.parametrize("name", ["servicenow", "zendesk"])
def test_fixed_fields_never_replace_ours(desks_url: str, name: str) -> None:
    fields = {"group_id": 7, "correlation_id": "x", "external_id": "x"}
    made = system(name, desks_url, fields=fields)
    made.create(DRAFT)
    assert made.find("CSC-1", NOW) is not None
    assert sent(name)["group_id"] == 7


def test_servicenow_runs_no_code_tag(desks_url: str) -> None:
    made = system("servicenow", desks_url)
    made.note(made.create(DRAFT).id, DRAFT.html, "CSC-1/1")
    assert ENTRIES["servicenow"].desk.tickets[1].notes == ["Detail [ code]x[ /code]\n[CSC-1/1]"]


@pytest.mark.parametrize("record", [{"sys_id": "a"}, {"sys_id": "a", "correlation_id": "CSC-12"}])
def test_servicenow_whose_search_cannot_be_trusted(record: dict[str, str]) -> None:
    with responses.RequestsMock() as mock:
        mock.get("https://x.service-now.com/api/now/table/incident", json={"result": [record]})
        made = registry["servicenow"]("x.service-now.com", lambda: "u:p", {}, None)
        with pytest.raises(BadPayload, match="correlation_id"):
            made.find("CSC-1", NOW)


@pytest.mark.parametrize("name", ["servicenow", "zendesk"])
@pytest.mark.parametrize("options", [{"auth": "magic"}, {"user": ["x"]}, {"fields": "x"}])
def test_options_that_cannot_be_used(desks_url: str, name: str, options: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="option"):
        system(name, desks_url, **options)


def test_zendesk_tells_a_create_that_did_arrive(desks_url: str) -> None:
    made = system("zendesk", desks_url)
    made.create(DRAFT)
    other = TicketDraft("CSC-1", "Changed", "<p>x</p>", 1)
    with pytest.raises(Conflict):
        made.create(other)
    assert len(ENTRIES["zendesk"].desk.tickets) == 1


def test_zendesk_names_refused_fields_without_values(desks_url: str) -> None:
    ENTRIES["zendesk"].desk.fail(422)
    with pytest.raises(Rejected, match="group_id") as caught:
        system("zendesk", desks_url).create(DRAFT)
    assert "bob" not in str(caught.value)


def test_jira_finds_what_its_index_does_not_know_yet(desks_url: str) -> None:
    made = system("jira", desks_url)
    made.create(TicketDraft("CSC-9", "Old", "<p>x</p>", 1))
    ours = made.create(DRAFT)
    made.create(TicketDraft("CSC-12", "New", "<p>x</p>", 1))
    ENTRIES["jira"].desk.unindexed = 2
    assert made.find("CSC-1", NOW) == ours
    ENTRIES["jira"].desk.unindexed = 3
    assert made.find("CSC-1", NOW) == ours
    assert made.find("CSC-2", NOW) is None


def test_jira_drops_fields_that_a_screen_lacks(desks_url: str) -> None:
    desk, made = ENTRIES["jira"].desk, system("jira", desks_url)
    desk.refused = {"priority"}
    ours = made.create(DRAFT)
    assert "priority" not in sent("jira")
    assert made.find("CSC-1", NOW) == ours
    desk.refused = {"summary"}
    with pytest.raises(Rejected, match="summary"):
        made.create(DRAFT)
    assert len(desk.tickets) == 1


def test_jira_service_management(desks_url: str) -> None:
    made = system("jira", desks_url, service_desk_id=3, request_type_id="25")
    ours = made.create(TicketDraft("CSC-1", "Sign-in", "<p>{noformat}!x!</p>", 4))
    assert sent("jira")["description"] == "{noformat}\n(noformat)!x!\n{noformat}"
    assert made.find("CSC-1", NOW) == ours


def test_jira_lacking_permissions_or_options(desks_url: str) -> None:
    with pytest.raises(Forbidden, match="CREATE_ISSUES"):
        system("jira", desks_url, project="OTHER").check()
    for options in ({"project": ""}, {"project": "a b"}, {"service_desk_id": 3}):
        with pytest.raises(Rejected, match="option"):
            system("jira", desks_url, **options)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_rotated_secret_is_read_once_more(desks_url: str, name: str) -> None:
    entry, secrets = ENTRIES[name], ["old"]
    made = registry[entry.system](
        f"{desks_url}/{name}",
        lambda: secrets[0],
        entry.options,
        None,
        private_networks_allowed=LOOPBACK,
        forget_secret=lambda: secrets.insert(0, SECRET),
    )
    made.check()
    assert len(entry.desk.requests) == 2
