"""POST /mcp by the SDK's own client: both eras of the protocol, refusals, and what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from csc_portal.mcp.tools import TOOLS
from tests.audit import audited
from tests.csc_portal.web.conftest import World


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_both_eras_are_spoken(mode: str, assistant, key_of, world: World) -> None:
    one = assistant(key_of(tenants=[world.tenants["qa"]]), mode)

    async def talk(client: Any) -> tuple[Any, Any]:
        return await client.list_tools(), await client.call_tool("search_cases", {"limit": 2})

    listed, found = one.during(talk)
    assert {tool.name for tool in listed.tools} == set(TOOLS)
    assert all(tool.annotations.read_only_hint for tool in listed.tools)
    assert not found.is_error
    assert world.cases["qa"].title in found.content[0].text


def test_the_arguments_are_those_of_the_api(assistant, key_of, world: World) -> None:
    one = assistant(key_of())
    first = one.answer("search_cases", limit=2, severity=["high", "medium"], tenant=["qa"])
    assert {case["severity"] for case in first["items"]} == {"high", "medium"}
    assert first["next"] is None
    page = one.answer("search_cases", limit=1)
    following = one.answer("search_cases", limit=1, cursor=page["next"])
    assert page["items"][0]["id"] != following["items"][0]["id"]
    for arguments, said in (
        ({"colour": "red"}, "There is no argument 'colour'"),
        ({"severity": ["dark"]}, "severity"),
        ({"limit": 51}, "limit"),
        ({"limit": True}, "limit"),
        ({"q": {"a": 1}}, "q: a text"),
        ({"q": "x" * 601}, "q: at most"),
        ({"tenant": "nobody"}, "no such tenant"),
    ):
        is_error, text = one.call("search_cases", **arguments)
        assert is_error
        assert said in text
    for path in ("../tenants/qa", "%2e%2e", "", "x" * 500):
        assert one.call("get_case", id=path)[0]
    assert one.call("get_case") == (True, "id: this argument is needed, once.")


def test_a_case_comes_whole_and_without_people(assistant, key_of, world: World) -> None:
    caller = key_of()
    case = world.cases["qa"]
    assert caller.post(f"cases/{case.public_id}/actions", {"do": "assign"}).status_code == 200
    file = assistant(caller).answer("get_case", id=str(case.public_id))
    assert file["case"]["assignee"] == {"id": caller.key.owner_id}
    assert {link["pillar"] for link in file["chain"]} >= {"identity", "device"}
    assert len(file["alerts"]) == 1
    assert {step["kind"] for step in file["timeline"]} >= {"opened", "assigned"}
    person = file["chain"][0]["entities"][0]["id"]
    seen = assistant(caller).answer("get_entity", id=person)
    assert str(case.public_id) in seen["cases"]
    assert caller.key.owner.username not in str(file)


def test_every_call_is_recorded_without_its_words(assistant, key_of, world: World) -> None:
    caller = key_of()
    one = assistant(caller)
    one.call("search_cases", q="Anna Example")
    one.call("get_case", id=str(world.cases["qa"].public_id))
    one.call("get_tenant", slug="Anna Example")
    entries = audited().filter(action="assistant_asked").order_by("pk")
    assert {entry.actor for entry in entries} == {caller.key.owner.username}
    assert {entry.subject for entry in entries} == {f"key {caller.key.prefix}"}
    assert [entry.facts for entry in entries] == [
        {"tool": "search_cases", "status": 200},
        {"tool": "get_case", "status": 200, "about": str(world.cases["qa"].public_id)},
        {"tool": "get_tenant", "status": 404},
    ]


def test_a_call_counts_once(key_of, world: World, settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    caller = key_of()
    with time_machine.travel("2026-11-20T10:00:10Z", tick=False):  # all in one minute
        statuses = [_call(caller.secret, "search_cases") for _ in range(5)]
    assert [status for status, _ in statuses] == [200, 200, 200, 429, 429]
    assert statuses[0][1]["RateLimit-Remaining"] == "2"
    assert int(statuses[-1][1]["Retry-After"]) > 0


def test_the_door_is_shut_to_others(key_of, world: World) -> None:
    caller = key_of()
    for secret, more, expected in (
        ("", {}, 401),
        (caller.secret[:-1] + "!", {}, 401),
        (caller.secret, {"Origin": "https://evil.example"}, 403),
        (caller.secret, {"Origin": "http://testserver"}, 200),
        (caller.secret, {"Accept": "text/html"}, 406),
    ):
        status, headers = _call(secret, "get_key", **more)
        assert status == expected, more
        if status == 401:
            assert "WWW-Authenticate" in headers
    bearer = {"Authorization": f"Bearer {caller.secret}", "Accept": "application/json"}
    assert Browser(headers=bearer).get("/mcp").status_code == 405
    assert Browser(headers=bearer).delete("/mcp").status_code == 405
    for body in ("", "{", "[]", "[1]", '{"jsonrpc": "2.0"}', "9" * 5000, '{"a":' * 3000):
        answer = Browser(headers=bearer).post("/mcp", body, content_type="application/json")
        assert answer.status_code in (200, 202, 400), body[:20]
        assert "Traceback" not in answer.content.decode()
    huge = Browser(headers=bearer).post("/mcp", "x" * 3_000_000, content_type="application/json")
    assert huge.status_code == 413


def _call(secret: str, tool: str, **headers: str) -> tuple[int, Any]:
    """As a client of the earlier era sends it, without a handshake."""
    sent = {
        "Accept": "application/json, text/event-stream",
        **({"Authorization": f"Bearer {secret}"} if secret else {}),
        **headers,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
    answer = Browser(headers=sent).post("/mcp", body, content_type="application/json")
    return answer.status_code, answer.headers
