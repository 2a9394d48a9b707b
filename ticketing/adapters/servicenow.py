"""ServiceNow by its Table API. The secret is a password, or what option `auth` says.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html

Our reference is the record's correlation_id. ServiceNow ignores fields that it does not know or
that the user may not see, so what it answers is compared again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from clients.errors import BadPayload, Rejected
from clients.failures import member
from clients.http import Http
from clients.throttle import Governor
from ticketing.adapters.account import (
    POLICY,
    Account,
    Basic,
    Credential,
    Header,
    object_option,
    required_option,
    state_options,
    text_option,
    ticket_id,
    typed_url,
)
from ticketing.adapters.base import CLOSED, OPEN, OTHER, PENDING, RESOLVED, TicketDraft, TicketRef
from ticketing.adapters.oauth import ClientCredentials, read_error
from ticketing.adapters.plain_text import marked_subject, shortened, to_text

_API = "/api/now"
_LONGEST_SUBJECT = 160  # what these fields hold unless an admin widened them; more is lost silently
_LONGEST_TEXT = 4_000
_STATES = {
    "1": OPEN,
    "2": OPEN,
    "3": PENDING,
    "6": RESOLVED,
    "7": CLOSED,
    "8": CLOSED,
}
# Urgency and impact that ServiceNow's own matrix turns into priority 4 (low) to 1 (critical).
_URGENCY_AND_IMPACT = {1: ("3", "2"), 2: ("2", "2"), 3: ("1", "2"), 4: ("1", "1")}
_SETTABLE = {OPEN: "2", RESOLVED: "6"}
_CLOSE_CODE = "Solution provided"
_CLOSE_NOTES = "The case was closed in CSC Portal."
_DISPLAY = "CSC Portal"
# Times in a query are in the user's own time zone, which nobody can ask for.
_ZONES = timedelta(hours=26)
_PER_PAGE = 500
_MAX_PAGES = 100
_FIELDS = "sys_id,number,state,correlation_id,close_code,assigned_to,sys_updated_on"
_CODE_TAG = re.compile(r"\[(?=/?code\])", re.IGNORECASE)


class ServiceNow:
    """One instance; see `ticketing.adapters.base.TicketSystem`.

    Options: auth (basic, bearer, api_key or oauth2), user, client_id, table, longest_text,
    fields (fixed values by field name, such as assignment_group), close_code, states, set_states.
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
    ) -> None:
        self._table = text_option(options, "table", "incident")
        if not re.fullmatch(r"[a-z0-9_]{1,80}", self._table):
            raise Rejected("The option table has to be a table's name.", code="options")
        longest = text_option(options, "longest_text", str(_LONGEST_TEXT))
        if not re.fullmatch(r"[1-9]\d{2,5}", longest):
            raise Rejected("The option longest_text has to be a number from 100.", code="options")
        self._longest = int(longest)
        self._fixed = object_option(options, "fields")
        self._states, self._settable = state_options(options, _STATES, _SETTABLE)
        self._close_code = text_option(options, "close_code", _CLOSE_CODE)
        self._account = Account(
            "ServiceNow",
            url,
            _credential(typed_url(url, _API), options, private_networks_allowed),
            secret,
            governor,
            api=_API,
            private_networks_allowed=private_networks_allowed,
            forget_secret=forget_secret,
        )

    def check(self) -> None:
        """Read one record, and see that its correlation_id may be seen."""
        self._records({"sysparm_limit": "1"})

    def find(self, reference: str, since: datetime) -> TicketRef | None:
        """The first record with our correlation_id."""
        if not re.fullmatch(r"[A-Za-z0-9/_\-]{1,60}", reference):
            raise Rejected("The reference holds other characters than letters and digits.")
        query = f"correlation_id={reference}^ORDERBYsys_created_on"
        records = self._records({"sysparm_query": query, "sysparm_limit": "10"})
        ours = [one for one in records if one["correlation_id"] == reference]
        if records and not ours:
            # The condition was not heeded: among ten of all records ours need not be.
            raise BadPayload("ServiceNow: the search by correlation_id does not work.")
        return self._ref(ours[0]) if ours else None

    def create(self, draft: TicketDraft) -> TicketRef:
        """Open a record; sent once only."""
        urgency, impact = _URGENCY_AND_IMPACT[min(max(draft.priority, 1), 4)]
        body = {
            "urgency": urgency,
            "impact": impact,
            **self._fixed,
            "short_description": marked_subject(draft.subject, draft.reference, _LONGEST_SUBJECT),
            "description": to_text(draft.html, self._longest),
            "correlation_id": draft.reference,
            "correlation_display": _DISPLAY,
        }
        answer = self._account.call("POST", f"/table/{self._table}", _shown(_FIELDS), json=body)
        return self._ref(member(answer.body, "result"))

    def note(self, ticket_id: str, html: str, reference: str, *, retry: bool = False) -> None:
        """Add a work note, which customers don't see; it ends with its reference in brackets."""
        path, mark = self._path(ticket_id), f"[{reference}]"
        if retry and mark in self._journal(path):
            return
        text = shortened(to_text(html, self._longest), self._longest - len(mark) - 1)
        # What stands in [code] would be shown as HTML.
        body = {"work_notes": _CODE_TAG.sub("[ ", f"{text}\n{mark}")}
        self._account.call("PATCH", path, _shown("sys_id"), json=body, retry=False)

    def read(self, ticket_id: str) -> TicketRef:
        """The record as it is now."""
        answer = self._account.call("GET", self._path(ticket_id), _shown(_FIELDS))
        return self._ref(member(answer.body, "result"))

    def update(self, ticket_id: str, status: str) -> TicketRef:
        """Set the state, with what ServiceNow wants of a resolved incident."""
        wanted = self._settable[status]
        body = {"state": wanted}
        if status == RESOLVED:
            body |= {"close_code": self._close_code, "close_notes": _CLOSE_NOTES}
        answer = self._account.call("PATCH", self._path(ticket_id), _shown(_FIELDS), json=body)
        record = member(answer.body, "result")
        if str(member(record, "state")) != wanted:
            # A rule of the instance undid it, or the user may not see or write the field.
            raise Rejected(
                "ServiceNow did not take the state. Let the user write state, close_code and "
                "close_notes.",
                status=answer.status,
            )
        return self._ref(record)

    def changes(self, since: datetime) -> Iterator[TicketRef]:
        """Our records by their last update."""
        earliest = (since - _ZONES).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        query = f"correlation_display={_DISPLAY}^sys_updated_on>={earliest}^ORDERBYsys_id"
        for page in range(_MAX_PAGES):
            place = {"sysparm_limit": str(_PER_PAGE), "sysparm_offset": str(page * _PER_PAGE)}
            records = self._records({"sysparm_query": query, **place})
            yield from map(self._ref, records)
            if len(records) < _PER_PAGE:
                return

    def notes(self, ticket_id: str) -> list[str]:
        """The work notes, which ServiceNow gives as one text; entries are parted by empty lines."""
        return [text for text in self._journal(self._path(ticket_id)).split("\n\n") if text.strip()]

    def _journal(self, path: str) -> str:
        # Only as display value does a journal give its entries.
        params = {**_shown("sys_id,work_notes"), "sysparm_display_value": "true"}
        record = member(self._account.call("GET", path, params).body, "result")
        return str(member(record, "work_notes") or "")

    def _path(self, text: str) -> str:
        return f"/table/{self._table}/{ticket_id(text)}"

    def _records(self, params: Mapping[str, str]) -> list[Mapping[str, object]]:
        answer = self._account.call("GET", f"/table/{self._table}", {**_shown(_FIELDS), **params})
        records = self._account.items(answer.body, "result")
        if any("correlation_id" not in record for record in records):
            raise BadPayload(
                "ServiceNow: the field correlation_id is missing. Let the user read and write it."
            )
        return records

    def _ref(self, record: object) -> TicketRef:
        found = self._account.needs(member(record, "sys_id"), "sys_id")
        page = f"/nav_to.do?uri={self._table}.do%3Fsys_id%3D{found}"
        status = self._states.get(str(member(record, "state")).casefold(), OTHER)
        return TicketRef(
            found,
            f"{self._account.base_url}{page}",
            status,
            resolution=str(member(record, "close_code") or ""),
            assignee=str(member(record, "assigned_to") or ""),
            changed=str(member(record, "sys_updated_on") or ""),
        )


def _shown(fields: str) -> dict[str, str]:
    return {
        "sysparm_fields": fields,
        "sysparm_display_value": "false",
        "sysparm_exclude_reference_link": "true",
    }


def _credential(
    base_url: str, options: Mapping[str, object], private_networks_allowed: tuple[str, ...]
) -> Credential:
    kind = text_option(options, "auth", "basic")
    if kind == "basic":
        return Basic(text_option(options, "user"))
    if kind == "bearer":
        return Header(scheme="Bearer")
    if kind == "api_key":
        return Header("x-sn-apikey")
    if kind != "oauth2":
        raise Rejected("The option auth is basic, bearer, api_key or oauth2.", code="options")
    http = Http(
        base_url,
        name="ServiceNow",
        policy=POLICY,
        private_networks_allowed=private_networks_allowed,
        read_error=read_error,
    )
    client_id = required_option(options, "client_id")
    return ClientCredentials(http, f"{base_url}/oauth_token.do", client_id, in_body=True)
