"""Freshservice: tickets as freshpy and a plain client see them."""

from typing import Any

import freshpy
import pytest
import requests

from simulator import Simulator
from tests.simulator.test_entra import session

TICKET = {
    "subject": "Suspicious sign-in [CSC-1]",
    "description": "<b>Łukasz</b> & <script>alert(1)</script>",
    "email": "csc-portal@contoso-bank.com",
    "status": 2,
    "priority": 3,
    "tags": ["csc:1"],
}


class Desk:
    def __init__(self, sim: Simulator, slug: str) -> None:
        self.sim, self.slug = sim, slug
        self.key = sim.control.secret(f"freshservice-{slug}")
        self.session = session(sim)
        self.session.auth = (self.key, "X")

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.sim.url}/api/v2/{path}", timeout=9, **more)

    def create(self, **changes: Any) -> dict[str, Any]:
        found = self.request("POST", "tickets", json={**TICKET, **changes})
        assert found.status_code == 201, found.text
        return dict(found.json()["ticket"])


@pytest.fixture
def desk(sim: Simulator, request: pytest.FixtureRequest) -> Desk:
    slug = f"h{abs(hash(request.node.nodeid)) % 10**10}"
    sim.control.add_directory(slug, populate=False)
    return Desk(sim, slug)


def test_freshpy_reads_what_was_created(sim: Simulator, desk: Desk) -> None:
    made = desk.create()
    client = freshpy.FreshPy(domain=sim.url, api_key=desk.key)
    found = client.tickets.get_ticket(made["id"], verify_ssl=str(sim.ca_file))["ticket"]
    assert (found["subject"], found["description"]) == (TICKET["subject"], TICKET["description"])
    assert found["description_text"] == "Łukasz  &  alert(1)"
    listed = client.tickets.get_tickets(verify_ssl=str(sim.ca_file))
    assert [row["id"] for row in listed["tickets"]] == [made["id"]]
    sim.control.settings(filter_lag_s=0)
    try:
        query = "priority:3 AND tag:'csc:1'"
        rows = client.tickets.get_tickets(filters=query, verify_ssl=str(sim.ca_file))
    finally:
        sim.control.settings(filter_lag_s=60)
    assert [row["id"] for row in rows["tickets"]] == [made["id"]]
    agents = client.agents.get_all_agents(verify_ssl=str(sim.ca_file))
    assert agents["agents"]


def test_accounts_are_apart(sim: Simulator, desk: Desk) -> None:
    made = desk.create()
    other = Desk(sim, sim.tenants[0]["slug"])
    assert other.request("GET", f"tickets/{made['id']}").status_code == 404
    named = f"{sim.url}/freshservice/{desk.slug}/api/v2/tickets/{made['id']}"
    assert desk.session.get(named, timeout=9).status_code == 200
    assert other.session.get(named, timeout=9).status_code == 401
    wrong = desk.session.get(f"{sim.url}/api/v2/tickets", auth=("nonsense", "X"), timeout=9)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")


def test_validation(desk: Desk) -> None:
    def errors(**changes: Any) -> set[tuple[str, str]]:
        sent = {key: value for key, value in {**TICKET, **changes}.items() if value is not ...}
        found = desk.request("POST", "tickets", json=sent)
        assert found.status_code == 400
        assert found.json()["description"] == "Validation failed"
        return {(row["field"], row["code"]) for row in found.json()["errors"]}

    assert errors(subject=..., status=...) == {
        ("subject", "missing_field"),
        ("status", "missing_field"),
    }
    assert errors(priority=9) == {("priority", "invalid_value")}
    assert errors(priority="high") == {("priority", "datatype_mismatch")}
    assert errors(email="nobody") == {("email", "invalid_value")}
    assert errors(email=...) == {("requester_id", "missing_field")}
    assert errors(colour="red") == {("colour", "invalid_field")}
    assert errors(subject="x" * 256) == {("subject", "invalid_size")}
    text = desk.request("POST", "tickets", data="x", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415


def test_update_notes_and_conversations(sim: Simulator, desk: Desk) -> None:
    key = desk.create()["id"]
    changed = desk.request("PUT", f"tickets/{key}", json={"status": 4, "tags": ["a", "b"]})
    assert changed.json()["ticket"]["tags"] == ["a", "b"]
    note = {"body": "<p>CSC-1: again</p>", "private": True}
    assert desk.request("POST", f"tickets/{key}/notes", json=note).status_code == 201
    assert desk.request("POST", f"tickets/{key}/notes", json={"private": True}).status_code == 400
    rows = desk.request("GET", f"tickets/{key}/conversations").json()["conversations"]
    assert [row["body"] for row in rows] == ["<p>CSC-1: again</p>"]
    shown = desk.request("GET", f"tickets/{key}?include=conversations,stats").json()["ticket"]
    assert shown["stats"]["resolved_at"]
    assert len(shown["conversations"]) == 1
    assert desk.request("DELETE", f"tickets/{key}").status_code == 204
    assert desk.request("GET", "tickets").json()["tickets"] == []
    assert sim.control.tickets(desk.slug)[0]["conversations"][0]["private"] is True


def test_list_pages_and_filter_lag(sim: Simulator, desk: Desk) -> None:
    keys = [desk.create(subject=f"n {n}")["id"] for n in range(5)]
    first = desk.request("GET", "tickets?per_page=2&order_type=asc")
    assert [row["id"] for row in first.json()["tickets"]] == keys[:2]
    link = first.links["next"]["url"]
    assert [row["id"] for row in desk.session.get(link, timeout=9).json()["tickets"]] == keys[2:4]
    assert desk.request("GET", "tickets?per_page=101").status_code == 400
    filtered = 'tickets/filter?query="tag:%27csc:1%27"'
    assert desk.request("GET", filtered).json()["tickets"] == []
    assert desk.request("GET", "tickets/filter?query=tag:x").status_code == 400
    since = desk.request("GET", "tickets?updated_since=2099-01-01T00:00:00Z")
    assert since.json()["tickets"] == []
    sim.control.change_ticket(desk.slug, keys[0], status=5)
    assert desk.request("GET", f"tickets/{keys[0]}").json()["ticket"]["status"] == 5


def test_limits_of_the_plan(sim: Simulator, desk: Desk) -> None:
    sim.control.settings(freshservice_plan="starter")
    try:
        answers = [desk.request("GET", "tickets") for _ in range(41)]
    finally:
        sim.control.settings(freshservice_plan="enterprise")
    assert [found.status_code for found in answers] == [200] * 40 + [429]
    assert answers[0].headers["X-RateLimit-Total"] == "40"
    assert answers[0].headers["X-RateLimit-Remaining"] == "39"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61


def test_a_tickets_page_is_harmless(sim: Simulator, desk: Desk) -> None:
    made = desk.create(subject="<script>alert(1)</script>")
    found = session(sim).get(f"{sim.url}/a/tickets/{made['id']}", timeout=9)
    assert "<script>" not in found.text
    assert "&lt;script&gt;" in found.text
    assert found.headers["Content-Security-Policy"] == "default-src 'none'"
