"""Any ticket system with a JSON API over HTTP, as a description in the connection's options says.

How a description is written: docs/adding-a-ticket-system.md.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import urlsplit

from clients.errors import BadPayload, NotFound, Rejected, Unavailable
from clients.http import Answer, Http
from clients.throttle import Governor, Limit
from ticketing.adapters.account import (
    POLICY,
    Account,
    Basic,
    Credential,
    Header,
    text_option,
    ticket_id,
)
from ticketing.adapters.base import (
    ENDED,
    OPEN,
    OTHER,
    TOO_MANY,
    UNDESCRIBED,
    TicketDraft,
    TicketRef,
)
from ticketing.adapters.description import (
    Auth,
    Fields,
    Request,
    Search,
    describe_system,
)
from ticketing.adapters.oauth import ClientCredentials, read_error
from ticketing.adapters.plain_text import has_mark, marked_subject, shortened, to_text
from ticketing.adapters.templates import Values, at, fill, fill_path, fill_text, list_at

_CLOCK_DIFFERENCE = timedelta(minutes=10)
_MAX_PAGES = 100
_ANGLES = str.maketrans({"<": "\u2039", ">": "\u203a"})


class Generic:
    """One account of a described system; see `ticketing.adapters.base.TicketSystem`.

    Options: the description, and requester_email.
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
        self._described = described = describe_system(options)
        self._account = Account(
            described.name,
            url,
            _credential(described.auth, private_networks_allowed),
            secret,
            governor,
            limit=Limit(described.calls_per_minute, 60),
            private_networks_allowed=private_networks_allowed,
            forget_secret=forget_secret,
        )
        self._requester = text_option(
            options, "requester_email", f"csc-portal@{self._account.host}"
        )

    def check(self) -> None:
        """The described `check`, which has to fail for a wrong secret."""
        self._call(self._described.check, {})

    def find(self, reference: str, since: datetime) -> TicketRef | None:
        """By the described search; its items are compared with the whole reference.

        First the check: to a wrong secret some systems answer with the little that anybody may see.
        """
        self.check()
        values = {**_reference(reference), **_since(since - _CLOCK_DIFFERENCE)}
        search = self._described.find
        found = [
            item
            for item in self._items(search, values)
            if _holds(item, search.reference, reference)
        ]
        refs = [self._ref(item, self._described.found) for item in found]
        # People may quote a subject in a later ticket; ours came first.
        return min(refs, key=lambda ref: (len(ref.id), ref.id)) if refs else None

    def create(self, draft: TicketDraft) -> TicketRef:
        """Open a ticket; sent once only."""
        described = self._described
        values = {
            **_reference(draft.reference),
            **self._texts(draft.html),
            "subject": marked_subject(
                draft.subject, draft.reference, described.longest_subject, in_bytes=True
            ),
            "priority": described.priorities[min(max(draft.priority, 1), 4)],
            "tags": list(dict.fromkeys([*draft.tags, draft.reference])),
            "requester": self._requester,
        }
        answer = self._call(described.create, values, retry=False)
        return self._ref(answer.body, described.created, is_new=True)

    def note(self, ticket_id: str, html: str, reference: str, *, retry: bool = False) -> None:
        """Add a note, which ends with its reference in brackets."""
        values = self._id(ticket_id)
        search = self._described.notes
        if retry and any(
            _holds(item, search.reference, reference) for item in self._items(search, values)
        ):
            return
        mark = f"[{reference}]"
        html = html if mark in html else f"{html}<p>{escape(mark)}</p>"
        values |= {**_reference(reference), **self._texts(html, mark)}
        try:
            self._call(self._described.note, values, retry=False)
        except Rejected:
            self.read(ticket_id)  # some say 400 of a ticket that is gone, or may not be seen
            raise

    def read(self, ticket_id: str) -> TicketRef:
        """The ticket as it is now."""
        answer = self._call(self._described.read, self._id(ticket_id))
        return self._ref(answer.body, self._described.ticket)

    def update(self, ticket_id: str, status: str) -> TicketRef:
        """The described `update`; whether it did it is read, for some say 200 to what they refuse.

        Rejected where there is none.
        """
        described = self._described
        if described.update is None:
            raise Rejected(
                f"{self._account.name}: its description has no update.", code=UNDESCRIBED
            )
        values = {**self._id(ticket_id), "state": described.set_states[status]}
        self._call(described.update, values)
        now = self.read(ticket_id)
        if (now.status in ENDED) != (status in ENDED):
            raise Rejected(
                f"{self._account.name} did not take the state. Check set_states, states, and what "
                "the user may do.",
                code="state",
            )
        return now

    def changes(self, since: datetime) -> Iterable[TicketRef] | None:
        """The described `changed`, if there is one; with the check first, as in `find`."""
        changed = self._described.changed
        if changed is None:
            return None
        self.check()
        # A date without a zone may be the day before elsewhere.
        values = _since(since - _CLOCK_DIFFERENCE, timedelta(days=1))
        fields = self._described.changed_ticket
        return (self._ref(item, fields) for item in self._items(changed, values))

    def notes(self, ticket_id: str) -> list[str]:
        """The texts of the described `notes`; what has none is a change of something else."""
        search = self._described.notes
        texts = (
            " ".join(str(text) for path in search.reference if (text := at(item, path)))
            for item in self._items(search, self._id(ticket_id))
        )
        return [text for text in texts if text]

    def _id(self, text: str) -> dict[str, object]:
        return {"id": ticket_id(text)}

    def _texts(self, html: str, end: str = "") -> dict[str, object]:
        """The same content as HTML, as plain text and as a block that is shown as it is."""
        longest = self._described.longest_text
        text = to_text(html, longest)
        if end and end not in text:
            text = f"{shortened(text, longest - len(end) - 1)}\n{end}"
        if len(html) > longest:
            # Cut HTML could leave anything open.
            html = f"<pre>{escape(shortened(text, longest // 2), quote=False)}</pre>"
        return {"html": html, "text": text, "preformatted": _block(text)}

    def _call(self, request: Request, values: Values, *, retry: bool | None = None) -> Answer:
        return self._account.call(
            request.method,
            fill_path(request.path, values),
            {name: fill_text(value, values) for name, value in request.query.items()},
            json=None if request.body is None else fill(request.body, values),
            headers=request.headers,
            retry=retry,
        )

    def _items(self, search: Search, values: Values) -> Iterator[object]:
        """The items of all pages, until a page has nothing new."""
        paging = search.paging
        if paging is None:
            yield from self._page(search, search.request, values)
            return
        seen: set[str] = set()
        for number in range(_MAX_PAGES):
            place = str(paging.first + number * paging.step)
            query = {**search.request.query, paging.parameter: place}
            try:
                items = self._page(search, replace(search.request, query=query), values)
            except NotFound:
                if not seen:
                    raise
                return  # some answer so after the last page
            fresh = [item for item in items if repr(item) not in seen]
            if not fresh:
                return
            seen.update(map(repr, fresh))
            yield from fresh
        # Without having seen all nobody may say that what is looked for is not there.
        raise Unavailable(
            f"{self._account.name} has too many entries to look through.", code=TOO_MANY
        )

    def _page(self, search: Search, request: Request, values: Values) -> list[object]:
        answer = self._call(request, values, retry=True)
        return list_at(answer.body, search.items, self._account.name)

    def _ref(self, document: object, fields: Fields, *, is_new: bool = False) -> TicketRef:
        found = self._account.needs(at(document, fields.id), fields.id)
        state = at(document, fields.state)
        word = str(state).lower() if isinstance(state, bool) else str(state).casefold()
        status = self._described.states.get(word, OTHER)
        if state is None:
            if not is_new:
                raise BadPayload(f"{self._account.name}: the field {fields.state} is missing.")
            status = OPEN
        return TicketRef(
            found,
            self._url(document, fields, found),
            status,
            resolution=_word(document, fields.resolution),
            assignee=self._assignee(document, fields.assignee),
            changed=_word(document, fields.changed),
        )

    def _assignee(self, document: object, path: str) -> str:
        word = _word(document, path)
        return "" if word in self._described.nobody else word

    def _url(self, document: object, fields: Fields, found: str) -> str:
        told = at(document, fields.url) if fields.url else None
        url = self._account.page_for_people(told) if isinstance(told, str) else ""
        if not url and self._described.page:
            values = {"id": found, "url": self._account.base_url}
            url = self._account.page_for_people(fill_text(self._described.page, values))
        return url


def _block(text: str) -> str:
    """A text that no markup acts on. Nothing in it may end the block.

    Some Markdown knows no <pre>, and takes any fence for the end of one: there it is the indent
    of each line that holds.
    """
    lines = text.translate(_ANGLES).split("\n")
    return "\n".join(["<pre>", "", *(f"    {line}" for line in lines), "", "</pre>"])


def _word(document: object, path: str) -> str:
    value = at(document, path) if path else None
    return str(value) if isinstance(value, str | int) else ""


def _since(at: datetime, margin: timedelta = timedelta()) -> dict[str, object]:
    utc = at.astimezone(UTC)
    return {
        "since": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "since_date": (utc - margin).strftime("%Y-%m-%d"),
    }


def _credential(auth: Auth, private_networks_allowed: tuple[str, ...]) -> Credential:
    if auth.kind == "basic":
        return Basic(auth.user)
    if auth.kind != "oauth2":
        return Header(auth.header, auth.scheme)
    parts = urlsplit(auth.token_url)
    http = Http(
        f"{parts.scheme}://{parts.netloc}",
        name="The token endpoint",
        policy=POLICY,
        private_networks_allowed=private_networks_allowed,
        read_error=read_error,
    )
    return ClientCredentials(http, auth.token_url, auth.client_id, auth.scope, in_body=auth.in_body)


def _reference(reference: str) -> dict[str, object]:
    """Our reference; its letters can end no string of a query language."""
    if not re.fullmatch(r"[A-Za-z0-9/_\-]{1,60}", reference):
        raise Rejected("The reference holds other characters than letters and digits.")
    return {"reference": reference, "mark": f"[{reference}]"}


def _holds(item: object, paths: tuple[str, ...], reference: str) -> bool:
    """Whether a field is the reference, has it in brackets, or as a member of its list."""
    for path in paths:
        value = at(item, path)
        for one in value if isinstance(value, list) else [value]:
            if str(one).casefold() == reference.casefold() or has_mark(one, reference):
                return True
    return False
