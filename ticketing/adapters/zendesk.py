"""Zendesk by its Ticketing API, https://developer.zendesk.com/api-reference/ticketing/.

The secret is an API token of the agent named by option `user`. Our reference is the ticket's
external_id. Comments are private: customers don't see them.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html import escape

from clients.errors import ApiError, Conflict, Rejected, Unavailable
from clients.failures import Failure, build_error, describe, member, safe_code
from clients.throttle import Governor
from ticketing.adapters.account import (
    Account,
    Basic,
    Credential,
    Header,
    object_option,
    state_options,
    text_option,
    ticket_id,
)
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
from ticketing.adapters.plain_text import has_mark, marked_subject, shortened, to_text

_API = "/api/v2"
_LONGEST_SUBJECT = 150
_LARGEST_COMMENT = 60_000  # bytes; Zendesk takes 64 KB
_PER_PAGE = 100
_MAX_PAGES = 100
_PRIORITIES = {1: "low", 2: "normal", 3: "high", 4: "urgent"}
_STATES = {
    "new": OPEN,
    "open": OPEN,
    "pending": PENDING,
    "hold": PENDING,
    "solved": RESOLVED,
    "closed": CLOSED,
    "deleted": DELETED,
}
_SETTABLE = {OPEN: "open", RESOLVED: "solved"}
_CLOCK_DIFFERENCE = timedelta(minutes=10)


class Zendesk:
    """One account; see `ticketing.adapters.base.TicketSystem`.

    Options: auth (token or bearer), user (the agent's e-mail), requester_email, fields (fixed
    values by field name, such as group_id or custom_fields), resolution_field (the id of the custom
    field that says how a ticket ended), states, set_states.
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
        self._fixed = object_option(options, "fields")
        self._states, self._settable = state_options(options, _STATES, _SETTABLE)
        self._resolution_field = text_option(options, "resolution_field")
        self._account = Account(
            "Zendesk",
            url,
            _credential(options),
            secret,
            governor,
            api=_API,
            private_networks_allowed=private_networks_allowed,
            forget_secret=forget_secret,
            read_error=_read_error,
        )
        self._requester = text_option(
            options, "requester_email", f"csc-portal@{self._account.host}"
        )

    def check(self) -> None:
        """Read one ticket, which only an agent may."""
        answer = self._account.call("GET", "/tickets.json", {"per_page": "1"})
        self._account.items(answer.body, "tickets")

    def find(self, reference: str, since: datetime) -> TicketRef | None:
        """By external_id, which is no search: it knows new tickets at once."""
        answer = self._account.call("GET", "/tickets.json", {"external_id": reference})
        tickets = self._account.items(answer.body, "tickets")
        ours = [one for one in tickets if one.get("external_id") == reference]
        if tickets and not ours:
            # The filter was not heeded: ours need not be on this page.
            raise Unavailable("Zendesk: the list by external_id holds other tickets.")
        refs = [self._ref(one) for one in ours]
        return min(refs, key=lambda ref: (len(ref.id), ref.id)) if refs else None

    def create(self, draft: TicketDraft) -> TicketRef:
        """Open a ticket; sent once only, and with a key that makes Zendesk know it again."""
        ticket = {
            "priority": _PRIORITIES[min(max(draft.priority, 1), 4)],
            "tags": list(draft.tags),
            **self._fixed,
            "subject": marked_subject(draft.subject, draft.reference, _LONGEST_SUBJECT),
            "comment": {"html_body": _fitting(draft.html), "public": False},
            "requester": {"name": "CSC Portal", "email": self._requester},
            "external_id": draft.reference,
        }
        headers = {"Idempotency-Key": draft.reference}
        answer = self._account.call(
            "POST", "/tickets.json", json={"ticket": ticket}, headers=headers
        )
        return self._ref(member(answer.body, "ticket"))

    def note(self, ticket_id: str, html: str, reference: str, *, retry: bool = False) -> None:
        """Add a private comment, which ends with its reference in brackets."""
        path = self._path(ticket_id)
        if retry and any(has_mark(text, reference) for text in self._comments(path)):
            return
        body = f"{_fitting(html)}<p>[{escape(reference)}]</p>"
        comment = {"html_body": body, "public": False}
        # A repeated PUT would add the comment twice.
        self._account.call(
            "PUT", f"{path}.json", json={"ticket": {"comment": comment}}, retry=False
        )

    def read(self, ticket_id: str) -> TicketRef:
        """The ticket as it is now."""
        answer = self._account.call("GET", f"{self._path(ticket_id)}.json")
        return self._ref(member(answer.body, "ticket"))

    def update(self, ticket_id: str, status: str) -> TicketRef:
        """Set the status. A closed ticket takes none any more (Rejected)."""
        body = {"ticket": {"status": self._settable[status]}}
        answer = self._account.call("PUT", f"{self._path(ticket_id)}.json", json=body)
        return self._ref(member(answer.body, "ticket"))

    def changes(self, since: datetime) -> Iterator[TicketRef]:
        """By the list, newest change first: the search index would be minutes late."""
        earliest = (since - _CLOCK_DIFFERENCE).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for page in range(1, _MAX_PAGES + 1):
            params = {
                "sort_by": "updated_at",
                "sort_order": "desc",
                "per_page": str(_PER_PAGE),
                "page": str(page),
            }
            body = self._account.call("GET", "/tickets.json", params).body
            tickets = self._account.items(body, "tickets")
            for ticket in tickets:
                if str(ticket.get("updated_at") or "9") < earliest:
                    return
                yield self._ref(ticket)
            if len(tickets) < _PER_PAGE:
                return

    def notes(self, ticket_id: str) -> list[str]:
        """All comments but the first, which is the description."""
        return list(self._comments(self._path(ticket_id)))[1:]

    def _path(self, text: str) -> str:
        return f"/tickets/{ticket_id(text)}"

    def _comments(self, path: str) -> Iterator[str]:
        link, params = f"{path}/comments.json", {"page[size]": "100"}
        for _ in range(_MAX_PAGES):
            body = self._account.call("GET", link, params).body
            for comment in self._account.items(body, "comments"):
                yield f"{comment.get('html_body')} {comment.get('plain_body')}"
            following = member(member(body, "links"), "next")
            if member(member(body, "meta"), "has_more") is not True or not following:
                return
            link, params = str(following), {}
        raise Unavailable("Zendesk has too many comments to look through.", code=TOO_MANY)

    def _ref(self, ticket: object) -> TicketRef:
        found = self._account.needs(member(ticket, "id"), "ticket.id")
        return TicketRef(
            found,
            f"{self._account.base_url}/agent/tickets/{found}",
            self._states.get(str(member(ticket, "status")).casefold(), OTHER),
            resolution=self._resolution(ticket),
            assignee=str(member(ticket, "assignee_id") or ""),
            changed=str(member(ticket, "updated_at") or ""),
        )

    def _resolution(self, ticket: object) -> str:
        fields = member(ticket, "custom_fields")
        for field in fields if isinstance(fields, list) else ():
            if str(member(field, "id")) == self._resolution_field:
                return str(member(field, "value") or "")
        return ""


def _fitting(html: str) -> str:
    """HTML that is not too large; cut HTML could leave anything open, so then it is text."""
    if len(html.encode()) <= _LARGEST_COMMENT:
        return html
    # A character may take four bytes, and five if it has to be escaped.
    return f"<pre>{escape(shortened(to_text(html, _LARGEST_COMMENT), _LARGEST_COMMENT // 5))}</pre>"


def _credential(options: Mapping[str, object]) -> Credential:
    kind = text_option(options, "auth", "token")
    if kind not in ("token", "bearer"):
        raise Rejected("The option auth is token or bearer.", code="options")
    if kind == "bearer":
        return Header(scheme="Bearer")
    user = text_option(options, "user")
    return Basic(f"{user.removesuffix('/token')}/token" if user else "")


def _read_error(failure: Failure) -> ApiError:
    """Of a refused record only the fields' names are kept."""
    code = safe_code(member(failure.body, "error"))
    if code == "IdempotentRequestError":
        # The first attempt did arrive: the next one finds its ticket.
        return build_error(failure, code=code, kind=Conflict)
    details = member(failure.body, "details")
    names = sorted(filter(None, map(safe_code, details))) if isinstance(details, dict) else []
    if names:
        advice = f"It refuses these fields: {', '.join(names[:20])}. Check the account's fields."
        return build_error(failure, code=code, advice=advice)
    return describe(failure)
