"""Freshservice by its API v2, https://api.freshservice.com/. The secret is an agent's API key.

There is no idempotency key, so our reference stands in a tag and at the end of the subject, and a
ticket is looked up by both before it is opened again.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from clients.errors import ApiError, BadPayload, NotFound, Rejected, Unauthorized, Unavailable
from clients.failures import Failure, build_error, member, safe_code
from clients.http import Answer, Http, Policy
from clients.throttle import Governor, Limit
from ticketing.adapters.account import state_options, text_option
from ticketing.adapters.base import (
    CLOSED,
    DELETED,
    OPEN,
    OTHER,
    PENDING,
    RESOLVED,
    TOO_MANY,
    TicketDraft,
    TicketRef,
)
from ticketing.adapters.plain_text import marked_subject

_FAMILY = "tickets"
_POLICY = Policy(deadline_s=90.0, retry_after_cap_s=30.0, max_bytes=32 * 1024 * 1024)
_MAX_SUBJECT = 255
_PER_PAGE = 100
_MAX_PAGES = 100
# The order of the list is not promised. So many falling times without a rise are no chance.
_PROOF_OF_ORDER = 10
_CLOCK_DIFFERENCE = timedelta(minutes=10)
_SHARE_OF_ACCOUNT = 0.8  # others use the account, too

_STATUSES = {"2": OPEN, "3": PENDING, "4": RESOLVED, "5": CLOSED}
_SETTABLE = {OPEN: "2", RESOLVED: "4"}
_OPEN_STATUS = 2
# Urgency and impact that Freshservice's own matrix turns into the same priority.
_URGENCY_AND_IMPACT = {1: (1, 1), 2: (2, 2), 3: (3, 2), 4: (3, 3)}
# Accounts differ in what their forms accept; a ticket without these is better than none.
_DISPENSABLE = frozenset({"type", "urgency", "impact"})

_ADVICE = {
    401: "The API key was not accepted: store the key of an active agent in the vault.",
    403: "The API key's agent may not do this: give it a role that can view and create tickets.",
    404: "Nothing is there: check the address of the account, and that the ticket exists.",
    405: "The account does not serve this: check its address.",
    429: "The account's calls for this minute are used up; it will be tried again.",
}


class Freshservice:
    """One Freshservice account; see `ticketing.adapters.base.TicketSystem`.

    Options: requester_email, workspace_id, group_id, custom_fields (fixed values by field name),
    resolution_field (the custom field that says how a ticket ended), states, set_states.
    """

    def __init__(
        self,
        url: str,
        secret: Callable[[], str],
        options: Mapping[str, object],
        governor: Governor | None,
        *,
        private_networks_allowed: tuple[str, ...] = (),
        forget_secret: Callable[[], None] | None = None,
        policy: Policy = _POLICY,
    ) -> None:
        self._base_url = base_url(url)
        self._secret = secret
        self._forget_secret = forget_secret
        self._options = options
        self._states, self._settable = state_options(options, _STATUSES, _SETTABLE)
        if not all(re.fullmatch(r"\d{1,9}", theirs) for theirs in self._settable.values()):
            raise Rejected("The option set_states has to hold numbers.", code="options")
        self._resolution_field = text_option(options, "resolution_field")
        self._governor = governor
        parts = urlsplit(self._base_url)
        self._key = f"{parts.netloc}{parts.path}"
        self._http = Http(
            f"{self._base_url}/api/v2",
            name="Freshservice",
            policy=policy,
            governor=governor,
            key=self._key,
            private_networks_allowed=private_networks_allowed,
            read_error=read_error,
        )

    def check(self) -> None:
        """Read one ticket, which shows whether address, key and role are right."""
        answer = self._call("GET", "/tickets", {"per_page": "1", **self._workspace()})
        _items(answer, "tickets")

    def find(self, reference: str, since: datetime) -> TicketRef | None:
        """By the filter, then among recently updated tickets: the filter is minutes late."""
        found = self._pick(reference, self._filtered(reference))
        return found or self._pick(reference, self._updated_since(since - _CLOCK_DIFFERENCE))

    def create(self, draft: TicketDraft) -> TicketRef:
        """Open a ticket; a field that the account's form refuses is left out if it may be."""
        body = self._body(draft)
        try:
            answer = self._call("POST", "/tickets", json=body)
        except RefusedFields as err:
            if not err.fields or not err.fields <= _DISPENSABLE:
                raise
            body = {name: value for name, value in body.items() if name not in err.fields}
            answer = self._call("POST", "/tickets", json=body)
        return self._ref(member(answer.body, "ticket"))

    def note(self, ticket_id: str, html: str, reference: str, *, retry: bool = False) -> None:
        """Add a private note, which ends with its reference in brackets."""
        path = f"/tickets/{_ticket_id(ticket_id)}"
        mark = f"[{reference}]"
        if retry and any(mark in text for text in self._conversations(path)):
            return
        if mark not in html:
            html = f"{html}<p>{mark}</p>"
        self._call("POST", f"{path}/notes", json={"body": html, "private": True})

    def read(self, ticket_id: str) -> TicketRef:
        """The ticket as it is now."""
        answer = self._call("GET", f"/tickets/{_ticket_id(ticket_id)}")
        return self._ref(member(answer.body, "ticket"))

    def update(self, ticket_id: str, status: str) -> TicketRef:
        """Set the status; also what the account's form wants for it may be missing (Rejected)."""
        body = {"status": int(self._settable[status])}
        answer = self._call("PUT", f"/tickets/{_ticket_id(ticket_id)}", json=body)
        return self._ref(member(answer.body, "ticket"))

    def changes(self, since: datetime) -> Iterator[TicketRef]:
        """By the list, which is not late; deleted tickets are not in it."""
        params = {
            "updated_since": _moment(since - _CLOCK_DIFFERENCE),
            "order_type": "desc",
            **self._workspace(),
        }
        for tickets in self._pages("/tickets", params, "tickets"):
            yield from map(self._ref, tickets)

    def notes(self, ticket_id: str) -> list[str]:
        """Texts of notes and replies."""
        return list(self._conversations(f"/tickets/{_ticket_id(ticket_id)}"))

    def _body(self, draft: TicketDraft) -> dict[str, object]:
        priority = min(max(draft.priority, 1), 4)
        urgency, impact = _URGENCY_AND_IMPACT[priority]
        body: dict[str, object] = {
            "email": self._options.get("requester_email") or self._default_requester(),
            "subject": marked_subject(draft.subject, draft.reference, _MAX_SUBJECT),
            "description": draft.html,
            "status": _OPEN_STATUS,
            "priority": priority,
            "urgency": urgency,
            "impact": impact,
            "type": "Incident",
            "tags": list(dict.fromkeys([*draft.tags, draft.reference])),
        }
        for name in ("workspace_id", "group_id"):
            if (number := self._number(name)) is not None:
                body[name] = number
        if fixed := self._options.get("custom_fields"):
            body["custom_fields"] = fixed
        return body

    def _default_requester(self) -> str:
        return f"csc-portal@{urlsplit(self._base_url).hostname}"

    def _workspace(self) -> dict[str, str]:
        number = self._number("workspace_id")
        return {} if number is None else {"workspace_id": str(number)}

    def _number(self, name: str) -> int | None:
        value = self._options.get(name)
        if value in (None, ""):
            return None
        if not re.fullmatch(r"\d{1,20}", str(value)):
            raise Rejected(f"The option {name} has to be a number.", code="options")
        return int(str(value))

    def _filtered(self, reference: str) -> list[Mapping[str, object]]:
        query = f"\"tag:'{reference}'\""
        try:
            answer = self._call("GET", "/tickets/filter", {"query": query, **self._workspace()})
            return _items(answer, "tickets")
        except (Rejected, NotFound, BadPayload):
            return []  # not every account serves it; the list decides

    def _updated_since(self, since: datetime) -> Iterator[Mapping[str, object]]:
        """Tickets updated since then; ends early where only older ones can follow."""
        params = {
            "updated_since": _moment(since),
            "order_type": "desc",
            **self._workspace(),
        }
        last, falls, newest_first = datetime.max.replace(tzinfo=UTC), 0, True
        for tickets in self._pages("/tickets", params, "tickets"):
            yield from tickets
            for ticket in tickets:
                at = _time(ticket.get("created_at"))
                newest_first = newest_first and at is not None and at <= last
                falls += at is not None and at < last
                last = at or last
            if newest_first and falls >= _PROOF_OF_ORDER and last < since:
                return

    def _pages(
        self, path: str, params: Mapping[str, str], field: str
    ) -> Iterator[list[Mapping[str, object]]]:
        """Pages until one has nothing new. The Link header is not trusted to be there."""
        seen: set[object] = set()
        for page in range(1, _MAX_PAGES + 1):
            paging = {"page": str(page), "per_page": str(_PER_PAGE)}
            items = _items(self._call("GET", path, {**params, **paging}), field)
            fresh = [item for item in items if item.get("id") not in seen]
            if not fresh:
                return
            seen.update(item.get("id") for item in fresh)
            yield fresh
        # Without having seen all nobody may say that what is looked for is not there.
        raise Unavailable("Freshservice has too many entries to look through.", code=TOO_MANY)

    def _pick(self, reference: str, tickets: Iterable[Mapping[str, object]]) -> TicketRef | None:
        """The one with our tag; else the oldest with our subject, as a reply may quote that."""
        by_subject: list[Mapping[str, object]] = []
        for ticket in tickets:
            tags = ticket.get("tags")
            names = [str(tag).casefold() for tag in tags] if isinstance(tags, list) else []
            if reference.casefold() in names:
                return self._ref(ticket)
            if str(ticket.get("subject") or "").rstrip().endswith(f"[{reference}]"):
                by_subject.append(ticket)
        if not by_subject:
            return None
        return self._ref(min(by_subject, key=lambda ticket: str(ticket.get("created_at"))))

    def _conversations(self, path: str) -> Iterator[str]:
        for items in self._pages(f"{path}/conversations", {}, "conversations"):
            for item in items:
                yield f"{item.get('body')} {item.get('body_text')}"

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        json: object = None,
    ) -> Answer:
        key = self._secret()
        try:
            answer = self._send(method, path, params, json, key)
        except Unauthorized:
            if self._forget_secret is not None:
                self._forget_secret()
            renewed = self._secret()
            if renewed == key:
                raise
            answer = self._send(method, path, params, json, renewed)
        self._learn_limit(answer)
        return answer

    def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, json: object, key: str
    ) -> Answer:
        pair = base64.b64encode(f"{key.strip()}:X".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        return self._http.request(
            method, path, params=params, json=json, headers=headers, family=_FAMILY
        )

    def _learn_limit(self, answer: Answer) -> None:
        total = answer.headers.get("X-RateLimit-Total", "")
        if self._governor is not None and re.fullmatch(r"\d{1,6}", total) and int(total) > 0:
            calls = max(1, int(int(total) * _SHARE_OF_ACCOUNT))
            self._governor.set_limit(self._key, _FAMILY, Limit(calls, 60))

    def _ref(self, ticket: object) -> TicketRef:
        number = member(ticket, "id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise BadPayload("Freshservice: the field ticket.id is missing or no number.")
        state = self._states.get(str(member(ticket, "status")), OTHER)
        if member(ticket, "deleted") is True:
            state = DELETED
        custom = member(ticket, "custom_fields")
        return TicketRef(
            str(number),
            f"{self._base_url}/a/tickets/{number}",
            state,
            resolution=str(member(custom, self._resolution_field) or ""),
            assignee=str(member(ticket, "responder_id") or ""),
            changed=str(member(ticket, "updated_at") or ""),
        )


class RefusedFields(Rejected):
    """Freshservice refused some fields; `fields` are their names."""

    fields: frozenset[str] = frozenset()


def read_error(failure: Failure) -> ApiError:
    """The error reader for Freshservice; of a validation it keeps field names and codes only."""
    errors = member(failure.body, "errors")
    if failure.status in (400, 422) and isinstance(errors, list):
        pairs = [(safe_code(member(e, "field")), safe_code(member(e, "code"))) for e in errors]
        named = sorted({(name, code) for name, code in pairs if name})[:20]
        listed = ", ".join(f"{name} ({code or 'refused'})" for name, code in named)
        advice = f"It refuses these fields: {listed}. Check the account's ticket form."
        error = build_error(
            failure, code="validation", advice=advice if listed else "", kind=RefusedFields
        )
        if isinstance(error, RefusedFields):
            error.fields = frozenset(name for name, _code in named)
        return error
    code = safe_code(member(failure.body, "code"))
    return build_error(failure, code=code, advice=_ADVICE.get(failure.status, ""))


def base_url(typed: str) -> str:
    """The account's address as typed by a person, without /api/v2 and closing slashes."""
    text = typed.strip()
    if "://" not in text:
        text = f"https://{text}"
    text = text.rstrip("/")
    return re.sub(r"/api(/v2)?$", "", text).rstrip("/")


def _items(answer: Answer, field: str) -> list[Mapping[str, object]]:
    items = member(answer.body, field)
    if not isinstance(items, list):
        raise BadPayload(f"Freshservice: the field {field} is missing or no list.")
    return [item for item in items if isinstance(item, dict)]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _ticket_id(ticket_id: str) -> str:
    if not re.fullmatch(r"\d{1,20}", ticket_id):
        raise Rejected("This is no ticket number of Freshservice.", code="ticket_id")
    return ticket_id
