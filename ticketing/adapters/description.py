"""The description of a ticket system's HTTP API, as a person writes it.

See docs/adding-a-ticket-system.md. It is checked as a whole when it is loaded, and every problem
names its place.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import yaml

from clients.errors import Rejected
from ticketing.adapters.base import SETTABLE, STATES
from ticketing.adapters.templates import names_in

_LARGEST_FILE = 100_000  # characters
_DEEPEST = 20
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH"})
_KINDS = frozenset({"basic", "token", "header", "oauth2"})
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})
_TEXTS = frozenset({"html", "text", "preformatted"})
_REFERENCE = frozenset({"reference", "mark"})
_SINCE = frozenset({"since", "since_date"})
_TICKET = _TEXTS | _REFERENCE | {"subject", "priority", "tags", "requester"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `path`, `query` and `body` are templates; `body` is any JSON value or None."""

    method: str
    path: str
    query: Mapping[str, str]
    body: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Paging:
    """A query parameter that goes up by `step` from `first` with each page."""

    parameter: str
    first: int
    step: int


@dataclass(frozen=True, slots=True)
class Search:
    """A request whose answer holds a list, and where in an item our reference may stand.

    `reference` is empty for a list of changes.
    """

    request: Request
    items: str
    reference: tuple[str, ...]
    paging: Paging | None


@dataclass(frozen=True, slots=True)
class Fields:
    """Paths in an answer to a ticket's id, state and page, its end, its agent, its last change."""

    id: str
    state: str
    url: str
    resolution: str
    assignee: str
    changed: str


@dataclass(frozen=True, slots=True)
class Auth:
    """How calls show who they are. The secret itself is in the vault."""

    kind: str
    user: str
    header: str
    scheme: str
    token_url: str
    client_id: str
    scope: str
    in_body: bool


@dataclass(frozen=True, slots=True)
class Description:
    """A whole ticket system."""

    name: str
    auth: Auth
    check: Request
    create: Request
    created: Fields
    find: Search
    found: Fields
    note: Request
    notes: Search
    read: Request
    ticket: Fields
    update: Request | None
    set_states: Mapping[str, object]
    changed: Search | None
    changed_ticket: Fields
    nobody: frozenset[str]
    page: str
    states: Mapping[str, str]
    priorities: Mapping[int, object]
    calls_per_minute: int
    longest_subject: int
    longest_text: int


def load_options(text: str) -> dict[str, object]:
    """Options from YAML or JSON. Raises Rejected with the line of a mistake."""
    if len(text) > _LARGEST_FILE:
        raise Rejected(f"The file is longer than {_LARGEST_FILE} characters.", code="options")
    try:
        _check_events(text)
        loaded = yaml.safe_load(text)
    except yaml.MarkedYAMLError as err:
        line = f" in line {err.problem_mark.line + 1}" if err.problem_mark else ""
        raise Rejected(
            f"The file is no YAML or JSON: {err.problem}{line}.", code="options"
        ) from err
    except (yaml.YAMLError, RecursionError, ValueError) as err:
        raise Rejected("The file is no YAML or JSON.", code="options") from err
    if not isinstance(loaded, dict):
        raise Rejected("The file has to hold names with values.", code="options")
    return {str(name): _json(value, str(name)) for name, value in loaded.items()}


def _check_events(text: str) -> None:
    """A few lines of aliases can grow into gigabytes; deep nesting takes the parser minutes."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            raise Rejected(
                "The file may hold no YAML alias (*name) and no deep nesting.", code="options"
            )


def _json(value: object, place: str) -> object:
    if isinstance(value, dict):
        for name in value:
            if isinstance(name, bool) or not isinstance(name, str | int):
                raise _problem(place, f"has the name {name!r}: put it in quotes")
        return {str(name): _json(inner, f"{place}.{name}") for name, inner in value.items()}
    if isinstance(value, list):
        return [_json(inner, place) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise _problem(place, "is read as a date or the like: put it in quotes")


def describe_system(options: Mapping[str, object]) -> Description:
    """The description in a connection's options. Raises Rejected that names the place."""
    known = set(_READERS) | {"requester_email"}
    if "update" in options and "set_states" not in options:
        raise _problem("set_states", "is missing: say what ${state} is for open and resolved")
    _only(options, "The description", known)
    for name in ("auth", "check", "create", "find", "note", "notes", "read", "ticket"):
        if name not in options:
            raise _problem(name, "is missing")
    whole = _Part(options, "")
    ticket = _fields(whole.part("ticket"), None)
    create, find, notes = whole.part("create"), whole.part("find"), whole.part("notes")
    changed = whole.part("changed")
    page = whole.text("page", "")
    _check_names("page", page, {"id", "url"})
    if not (page or ticket.url):
        raise _problem("page", "is missing: say where people see a ticket, or give ticket.url")
    return Description(
        name=whole.text("name", "The ticket system"),
        auth=_auth(whole.part("auth")),
        check=_request(whole.part("check"), set()),
        create=_request(create, _TICKET, "ticket"),
        created=_fields(create.part("ticket"), ticket),
        find=_search(find, _REFERENCE | _SINCE, "ticket"),
        found=_fields(find.part("ticket"), ticket),
        note=_request(whole.part("note"), _TEXTS | _REFERENCE | {"id"}),
        notes=_search(notes, {"id"}),
        read=_request(whole.part("read"), {"id"}),
        ticket=ticket,
        update=_request(whole.part("update"), {"id", "state"}) if "update" in options else None,
        set_states=_set_states(whole.part("set_states")),
        changed=_search(changed, _SINCE, "ticket", has_reference=False) if changed.value else None,
        changed_ticket=_fields(changed.part("ticket"), ticket),
        nobody=frozenset(whole.texts("nobody")),
        page=page,
        states=_states(whole.part("states")),
        priorities=_priorities(whole.part("priorities")),
        calls_per_minute=whole.number("calls_per_minute", 60, 1, 10_000),
        longest_subject=whole.number("longest_subject", 255, 40, 1_000),
        longest_text=whole.number("longest_text", 60_000, 500, 1_000_000),
    )


_READERS = (
    "name", "auth", "check", "create", "find", "note", "notes", "read", "ticket", "update",
    "set_states", "changed", "nobody", "page", "states", "priorities", "verdicts",
    "unknown_verdict", "calls_per_minute", "longest_subject", "longest_text",
)  # fmt: skip


class _Part:
    """One object of the description; its problems name their place."""

    def __init__(self, value: object, place: str) -> None:
        if value is not None and not isinstance(value, Mapping):
            raise _problem(place, "has to hold names with values")
        self.value: Mapping[str, object] = value or {}
        self.place = place

    def at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def part(self, name: str) -> "_Part":
        return _Part(self.value.get(name), self.at(name))

    def only(self, *names: str) -> None:
        _only(self.value, self.place, names)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.value.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is None:
            raise _problem(self.at(name), "is missing")
        if not isinstance(value, str) or re.search(r"[\x00-\x1f\x7f]", value):
            raise _problem(self.at(name), "has to be one line of text")
        return value

    def texts(self, name: str) -> list[str]:
        """A text or a list of texts; none if it is missing."""
        value = self.value.get(name, [])
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in found):
            raise _problem(self.at(name), "has to be a text or a list of texts")
        return [str(one) for one in found]

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.value.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _problem(self.at(name), f"has to be a number from {least} to {most}")
        return value

    def mapped(self, name: str, convert: Callable[["_Part", str], T]) -> dict[str, T]:
        part = self.part(name)
        return {key: convert(part, key) for key in part.value}


def _request(part: _Part, names: Iterable[str], *others: str) -> Request:
    part.only("method", "path", "query", "body", "headers", *others)
    allowed = set(names)
    method = part.text("method", "GET").upper()
    if method not in _METHODS:
        raise _problem(part.at("method"), f"has to be one of {', '.join(sorted(_METHODS))}")
    path = part.text("path")
    if not path.startswith("/") or "//" in path or ".." in path or set("?#\\") & set(path):
        raise _problem(part.at("path"), "has to begin with / and go without // .. ? and #")
    query = part.mapped("query", lambda inner, key: inner.text(key))
    headers = part.mapped("headers", _header)
    body = part.value.get("body")
    if method == "GET" and body is not None:
        raise _problem(part.at("body"), "does not go with GET")
    for place, template in (("path", path), ("query", query), ("body", body)):
        _check_names(part.at(place), template, allowed)
    return Request(method, path, query, body, headers)


def _header(part: _Part, name: str) -> str:
    _check_header(part.at(name), name)
    return part.text(name)


def _check_header(place: str, name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,60}", name) or name.lower() in _OURS:
        raise _problem(place, "is no header that may be set")


def _check_names(place: str, template: object, allowed: Iterable[str]) -> None:
    may = ", ".join(f"${{{name}}}" for name in sorted(allowed)) or "no names"
    for name in names_in(template):
        if name not in set(allowed):
            asked = f"${{{name}}}" if name else "a $ without a name (write $$ for a dollar)"
            raise _problem(place, f"holds {asked}; it may hold {may}")


def _search(part: _Part, names: Iterable[str], *others: str, has_reference: bool = True) -> Search:
    request = _request(
        _Part({k: v for k, v in part.value.items() if k not in _OF_SEARCH}, part.place),
        names,
        *others,
    )
    given = part.value.get("reference")
    paths = given if isinstance(given, list) else [given]
    if not has_reference and given is None:
        paths = []
    elif not paths or not all(isinstance(path, str) and path for path in paths):
        raise _problem(part.at("reference"), "has to say where an item holds our reference")
    paging = None
    if part.value.get("paging") is not None:
        inner = part.part("paging")
        inner.only("parameter", "first", "step")
        first, step = inner.number("first", 1, 0, 1), inner.number("step", 1, 1, 1_000)
        paging = Paging(inner.text("parameter"), first, step)
    return Search(request, part.text("items", ""), tuple(map(str, paths)), paging)


_OF_SEARCH = frozenset({"items", "reference", "paging"})


def _fields(part: _Part, default: Fields | None) -> Fields:
    part.only("id", "state", "url", "resolution", "assignee", "changed")
    if default is None:
        default = Fields(part.text("id"), part.text("state"), "", "", "", "")
    return Fields(
        part.text("id", default.id),
        part.text("state", default.state),
        part.text("url", default.url),
        part.text("resolution", default.resolution),
        part.text("assignee", default.assignee),
        part.text("changed", default.changed),
    )


def _auth(part: _Part) -> Auth:
    part.only("kind", "user", "header", "scheme", "token_url", "client_id", "scope", "in_body")
    kind = part.text("kind")
    if kind not in _KINDS:
        raise _problem("auth.kind", f"has to be one of {', '.join(sorted(_KINDS))}")
    header = part.text("header") if kind == "header" else "Authorization"
    _check_header("auth.header", header)
    is_oauth = kind == "oauth2"
    return Auth(
        kind=kind,
        user=part.text("user", ""),
        header=header,
        scheme=part.text("scheme", "Bearer" if kind == "token" else ""),
        token_url=part.text("token_url") if is_oauth else "",
        client_id=part.text("client_id") if is_oauth else "",
        scope=part.text("scope", ""),
        in_body=part.value.get("in_body") is True,
    )


def _states(part: _Part) -> dict[str, str]:
    for name, state in part.value.items():
        if state not in STATES:
            raise _problem(part.at(name), f"has to be one of {', '.join(sorted(STATES))}")
    return {name.casefold(): str(state) for name, state in part.value.items()}


def _set_states(part: _Part) -> dict[str, object]:
    if part.value and set(part.value) != set(SETTABLE):
        raise _problem("set_states", f"has to name {' and '.join(SETTABLE)}")
    for name, value in part.value.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _problem(part.at(name), "has to be a text or a number")
    return dict(part.value)


def _priorities(part: _Part) -> dict[int, object]:
    if not part.value:
        return {number: number for number in (1, 2, 3, 4)}
    if set(part.value) != {"1", "2", "3", "4"}:
        raise _problem("priorities", "has to name 1 (low), 2, 3 and 4 (urgent)")
    for name, value in part.value.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _problem(part.at(name), "has to be a text or a number")
    return {int(name): value for name, value in part.value.items()}


def _only(value: Mapping[str, object], place: str, names: Iterable[str]) -> None:
    if extra := sorted(set(value) - set(names)):
        raise _problem(place, f"holds {', '.join(extra)}; it may hold {', '.join(sorted(names))}")


def _problem(place: str, text: str) -> Rejected:
    return Rejected(f"The description can't be used: {place} {text}.", code="options")
