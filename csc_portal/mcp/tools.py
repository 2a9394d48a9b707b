"""The tools: each is one GET of the API, and takes what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import orjson

from csc_portal.api.schema import document
from csc_portal.mcp.asking import Answer, Asker, ask
from csc_portal.mcp.untrusted import fitting
from tenants.audit import record

MOST, DEFAULT = 50, 20
"""Items of a page: an assistant reads all of them."""
LONGEST_ARGUMENT = 600


@dataclass(frozen=True, slots=True)
class Tool:
    """`operation`: its id in the OpenAPI document."""

    name: str
    operation: str
    told: str


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("search_cases", "list_cases",
             "Find cases. Without status and severity: open ones that are more than informational. "
             "Go on with `next` as `cursor` and the same filters."),
        Tool("count_cases", "count_cases", "How many cases meet a filter."),
        Tool("count_case_facets", "count_case_facets",
             "How open cases are made up: severity, pillar, product, verdict, assignee, deadline."),
        Tool("get_case", "get_case_file",
             "All of one case: its alerts, what they name along the chain identity, device, app, "
             "data, infrastructure, what was decided and why, its ticket and its timeline."),
        Tool("search_alerts", "search_alerts", "A tenant's alerts, the last changed first."),
        Tool("get_alert", "list_alerts",
             "One alert by the id that Microsoft gave it (`source_ref`), or those of a case."),
        Tool("get_entity", "get_entity",
             "A person, device, address or other thing by its pseudonym: its cases and what it "
             "was seen with."),
        Tool("list_tenants", "list_tenants", "Customers with their health and open cases."),
        Tool("get_tenant", "get_tenant", "One customer: health, what was read when, what waits."),
        Tool("list_findings", "list_findings",
             "What is wrong with posture, newest first: scores that fell, unwatched resources, "
             "weaknesses."),
        Tool("get_finding", "get_finding", "One finding with its facts."),
        Tool("list_scores", "list_scores", "Microsoft Secure Score of customers, as it stands."),
        Tool("list_weakness_counts", "list_weakness_counts",
             "How many weaknesses customers' devices have, and how many attackers use now."),
        Tool("list_weaknesses", "list_weaknesses",
             "A customer's weaknesses (CVE), those that attackers use first."),
        Tool("list_coverage", "list_coverage", "How many Azure resources are watched."),
        Tool("get_key", "get_key", "What this key may see: its scopes and tenants."),
    )
}  # fmt: skip


class BadArguments(ValueError):
    """What a tool can't take; the message is for the assistant."""


@dataclass(frozen=True, slots=True)
class Found:
    text: str
    is_error: bool


@cache
def _operations() -> dict[str, tuple[str, dict[str, Any]]]:
    """Operation id -> its address and description. The document is not to be changed."""
    return {
        methods["get"]["operationId"]: (address, methods["get"])
        for address, methods in document()["paths"].items()
        if "get" in methods
    }


@cache
def schema_of(name: str) -> dict[str, Any]:
    """The JSON schema of a tool's arguments."""
    _, operation = _operations()[TOOLS[name].operation]
    taken = [one for one in operation.get("parameters", ()) if one["in"] in ("path", "query")]
    properties = {
        one["name"]: one["schema"]
        | ({"description": one["description"]} if one.get("description") else {})
        for one in taken
    }
    if "limit" in properties:
        properties["limit"] = {
            "type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT
        }  # fmt: skip
    return {
        "type": "object",
        "properties": properties,
        "required": [one["name"] for one in taken if one.get("required")],
        "additionalProperties": False,
    }


def call(name: str, arguments: Mapping[str, Any], asker: Asker) -> Found:
    """Ask, record that somebody asked, and mark what others wrote. Raises KeyError for no tool."""
    tool = TOOLS[name]
    try:
        address, query = _asked_for(tool, arguments)
    except BadArguments as err:
        return Found(str(err), is_error=True)
    answer = ask(asker, address, query)
    if answer.key is not None:
        _note(tool, arguments, answer, answer.key.prefix, answer.key.owner.username)
    if answer.status != 200:
        return Found(_problem(answer), is_error=True)
    return Found(fitting(answer.body, lambda body: orjson.dumps(body).decode()), is_error=False)


def _note(
    tool: Tool, arguments: Mapping[str, Any], answer: Answer, prefix: str, owner: str
) -> None:
    """What it was about only where that is an id or slug of ours: other arguments are free text."""
    facts: dict[str, object] = {"tool": tool.name, "status": answer.status}
    about = arguments.get("id") or arguments.get("slug")
    if about and answer.status == 200:
        facts["about"] = about
    record(owner, "assistant_asked", subject=f"key {prefix}", facts=facts)


def _problem(answer: Answer) -> str:
    """In the API's own words."""
    said = f"{answer.body['title']}. {answer.body['detail']}"
    fields = (f"{one['field']}: {one['detail']}" for one in answer.body.get("errors", ()))
    return " ".join([said, *fields])


def _asked_for(tool: Tool, arguments: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """The address and the query. Raises BadArguments."""
    address, _ = _operations()[tool.operation]
    schema = schema_of(tool.name)
    known = schema["properties"]
    if unknown := sorted(set(arguments) - set(known)):
        told = ", ".join(sorted(known)) or "none"
        raise BadArguments(f"There is no argument '{unknown[0][:40]}'. Known: {told}.")
    given = {"limit": DEFAULT} | dict(arguments) if "limit" in known else dict(arguments)
    if type(given.get("limit", 1)) is not int or not 1 <= given.get("limit", 1) <= MOST:
        raise BadArguments(f"limit: a number from 1 to {MOST}.")
    pairs = [(key, text) for key, value in given.items() for text in _texts(key, value)]
    for name in schema["required"]:
        values = [text for key, text in pairs if key == name]
        if len(values) != 1 or not values[0]:
            raise BadArguments(f"{name}: this argument is needed, once.")
        if f"{{{name}}}" in address:
            address = address.replace(f"{{{name}}}", quote(values[0], safe=""))
            pairs.remove((name, values[0]))
    return address, pairs


def _texts(name: str, value: Any) -> list[str]:
    """As a query string holds it; null is nothing."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    if len(values) > 1000 or not all(isinstance(one, (str, int, float)) for one in values):
        raise BadArguments(f"{name}: a text, a number, or a list of them.")
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    if any(len(text) > LONGEST_ARGUMENT for text in texts):
        raise BadArguments(f"{name}: at most {LONGEST_ARGUMENT} characters.")
    return texts
