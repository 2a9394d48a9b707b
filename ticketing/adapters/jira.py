"""Jira Cloud by its REST API v3, with or without Jira Service Management.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/. The secret is an API token of the
account named by option `user`. Our reference is a label, and ends the summary.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from clients.errors import ApiError, Forbidden, NotFound, Rejected, Unavailable
from clients.failures import Failure, build_error, member, safe_code
from clients.throttle import Governor
from ticketing.adapters import adf
from ticketing.adapters.account import (
    Account,
    Basic,
    Header,
    object_option,
    required_option,
    state_options,
    text_option,
    ticket_id,
)
from ticketing.adapters.base import (
    CLOSED,
    OPEN,
    OTHER,
    PENDING,
    RESOLVED,
    TOO_MANY,
    TicketDraft,
    TicketRef,
)
from ticketing.adapters.plain_text import has_mark, marked_subject, to_text

_API = "/rest/api/3"
_LONGEST_SUBJECT = 255
_LONGEST_REQUEST = 30_000
_PER_PAGE = 100
_MAX_PAGES = 100
_AHEAD = 100  # issues that may be newer than the search index
_FIELDS = "summary,status,labels,resolution,assignee,updated"
_NEEDED = ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "TRANSITION_ISSUES")
_WAYS = {OPEN: ("indeterminate", "new"), RESOLVED: ("done",)}
"""Categories that a transition to this state may end in, best first."""
_MARGIN_MIN = 10
_PRIORITIES = {1: "Low", 2: "Medium", 3: "High", 4: "Highest"}
_CATEGORIES = {"new": OPEN, "indeterminate": OPEN, "done": RESOLVED}
_NAMES = {
    "closed": CLOSED,
    "canceled": CLOSED,
    "cancelled": CLOSED,
    "pending": PENDING,
    "on hold": PENDING,
    "waiting for customer": PENDING,
}
# Without these a comment is for customers, too, where Service Management is used.
_INTERNAL = [{"key": "sd.public.comment", "value": {"internal": True}}]


class Jira:
    """One project of a site; see `ticketing.adapters.base.TicketSystem`.

    Options: project (its key), user (the account's e-mail), auth (token or bearer), issue_type,
    fields (fixed values by field id), states, set_states (names of states), resolution (which one
    a transition gets that asks for it), and for Service Management service_desk_id and
    request_type_id.
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
        self._project = required_option(options, "project").upper()
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,20}", self._project):
            raise Rejected("The option project has to be a project's key.", code="options")
        kind = text_option(options, "auth", "token")
        if kind not in ("token", "bearer"):
            raise Rejected("The option auth is token or bearer.", code="options")
        self._issue_type = text_option(options, "issue_type", "Task")
        self._desk = text_option(options, "service_desk_id")
        self._request_type = required_option(options, "request_type_id") if self._desk else ""
        self._fixed = object_option(options, "fields")
        self._names, self._settable = state_options(options, _NAMES, {OPEN: "", RESOLVED: ""})
        self._resolution = text_option(options, "resolution", "Done")
        self._account = Account(
            "Jira",
            url,
            Header(scheme="Bearer") if kind == "bearer" else Basic(text_option(options, "user")),
            secret,
            governor,
            private_networks_allowed=private_networks_allowed,
            forget_secret=forget_secret,
            read_error=read_error,
        )

    def check(self) -> None:
        """Ask what the account may do in the project."""
        params = {"projectKey": self._project, "permissions": ",".join(_NEEDED)}
        answer = self._account.call("GET", f"{_API}/mypermissions", params)
        given = member(answer.body, "permissions")
        lacking = [p for p in _NEEDED if member(member(given, p), "havePermission") is not True]
        if lacking:
            raise Forbidden(f"Jira: the account lacks {', '.join(lacking)} in the project.")

    def find(self, reference: str, since: datetime) -> TicketRef | None:
        """By search, then among the issues that are too new for the search to know."""
        if not re.fullmatch(r"[A-Za-z0-9/_\-]{1,60}", reference):
            raise Rejected("The reference holds other characters than letters and digits.")
        jql = f'project = "{self._project}" AND (labels = "{reference}" OR summary ~ "{reference}")'
        for issues in (self._search(f"{jql} ORDER BY key ASC"), self._newest()):
            for issue in issues:
                fields = member(issue, "fields")
                labels = member(fields, "labels")
                is_labelled = isinstance(labels, list) and reference in labels
                if is_labelled or has_mark(member(fields, "summary"), reference):
                    return self._ref(issue)
        return None

    def create(self, draft: TicketDraft) -> TicketRef:
        """Open an issue, or a request of Service Management; sent once only."""
        summary = marked_subject(draft.subject, draft.reference, _LONGEST_SUBJECT)
        if self._desk:
            return self._create_request(draft, summary)
        fields: dict[str, object] = {
            "priority": {"name": _PRIORITIES[min(max(draft.priority, 1), 4)]},
            **self._fixed,
            "project": {"key": self._project},
            "issuetype": {"name": self._issue_type},
            "summary": summary,
            "description": adf.document(draft.html),
            "labels": [*draft.tags, draft.reference],
        }
        try:
            answer = self._account.call("POST", f"{_API}/issue", json={"fields": fields})
        except RefusedFields as err:
            # Screens differ in what they show; an issue without these is better than none.
            if not err.fields or not err.fields <= {"priority", "labels"}:
                raise
            fields = {name: value for name, value in fields.items() if name not in err.fields}
            answer = self._account.call("POST", f"{_API}/issue", json={"fields": fields})
        return self._new(answer.body, "key")

    def note(self, ticket_id: str, html: str, reference: str, *, retry: bool = False) -> None:
        """Add an internal comment, which ends with its reference in brackets."""
        path = f"{_path(ticket_id)}/comment"
        if retry and any(has_mark(text, reference) for text in self._comments(path)):
            return
        body = adf.document(html, f"[{reference}]")
        self._account.call("POST", path, json={"body": body, "properties": _INTERNAL})

    def read(self, ticket_id: str) -> TicketRef:
        """The issue as it is now."""
        answer = self._account.call("GET", _path(ticket_id), {"fields": _FIELDS})
        return self._ref(answer.body)

    def update(self, ticket_id: str, status: str) -> TicketRef:
        """By a transition of the issue's workflow; nothing to do where it is there already."""
        now = self.read(ticket_id)
        if now.status == status:
            return now
        path = f"{_path(ticket_id)}/transitions"
        answer = self._account.call("GET", path, {"expand": "transitions.fields"})
        way = self._way(self._account.items(answer.body, "transitions"), status)
        if way is None:
            raise Rejected(
                f"Jira's workflow has no way from here to {status}. Give the account the right to "
                "transition issues, or name the state in set_states.",
                code="transition",
            )
        body: dict[str, object] = {"transition": {"id": str(way.get("id"))}}
        if member(member(member(way, "fields"), "resolution"), "required") is True:
            body["fields"] = {"resolution": {"name": self._resolution}}
        self._account.call("POST", path, json=body)
        return self.read(ticket_id)

    def _way(self, ways: list[Mapping[str, object]], status: str) -> Mapping[str, object] | None:
        name = self._settable[status].casefold()
        if name:
            named = (w for w in ways if str(member(member(w, "to"), "name")).casefold() == name)
            return next(named, None)
        for category in _WAYS[status]:
            for way in ways:
                target = member(way, "to")
                if member(member(target, "statusCategory"), "key") == category:
                    word = self._names.get(str(member(target, "name")).casefold())
                    if word in (None, status):  # rather not "Canceled" or "Waiting"
                        return way
        return None

    def changes(self, since: datetime) -> Iterator[TicketRef]:
        """By search, in minutes back from now: times in JQL are in the user's own time zone."""
        back = int((datetime.now(UTC) - since).total_seconds() / 60) + _MARGIN_MIN
        jql = f'project = "{self._project}" AND updated >= "-{max(back, 1)}m" ORDER BY key ASC'
        token = ""
        for _ in range(_MAX_PAGES):
            params = {"jql": jql, "fields": _FIELDS, "maxResults": str(_PER_PAGE)}
            if token:
                params["nextPageToken"] = token
            body = self._account.call("GET", f"{_API}/search/jql", params).body
            yield from map(self._ref, self._account.items(body, "issues"))
            token = str(member(body, "nextPageToken") or "")
            if not token:
                return

    def notes(self, ticket_id: str) -> list[str]:
        """The comments."""
        return list(self._comments(f"{_path(ticket_id)}/comment"))

    def _create_request(self, draft: TicketDraft, summary: str) -> TicketRef:
        # A request takes wiki markup, in which an attacker's text must not act.
        text = to_text(draft.html, _LONGEST_REQUEST).replace("{", "(").replace("}", ")")
        values = {
            **self._fixed,
            "summary": summary,
            "description": f"{{noformat}}\n{text}\n{{noformat}}",
        }
        body = {
            "serviceDeskId": self._desk,
            "requestTypeId": self._request_type,
            "requestFieldValues": values,
        }
        answer = self._account.call("POST", "/rest/servicedeskapi/request", json=body)
        return self._new(answer.body, "issueKey")

    def _search(self, jql: str, size: int = _PER_PAGE) -> Iterator[Mapping[str, object]]:
        params = {"jql": jql, "fields": _FIELDS, "maxResults": str(size)}
        answer = self._account.call("GET", f"{_API}/search/jql", params)
        yield from self._account.items(answer.body, "issues")

    def _newest(self) -> Iterator[Mapping[str, object]]:
        """Issues after the last one that the search knows, read by their keys, not by the index."""
        known = self._search(f'project = "{self._project}" ORDER BY key DESC', 1)
        last = next((str(issue.get("key")) for issue in known), f"{self._project}-0")
        number = int(last.rpartition("-")[2]) if re.fullmatch(r".*-\d{1,12}", last) else 0
        keys = [f"{self._project}-{number + step}" for step in range(1, _AHEAD + 1)]
        body = {"issueIdsOrKeys": keys, "fields": _FIELDS.split(",")}
        try:
            answer = self._account.call("POST", f"{_API}/issue/bulkfetch", json=body, retry=True)
        except (Rejected, NotFound):
            return  # none of them is there
        if member(answer.body, "issueErrors"):
            raise Unavailable("Jira could not read all of its newest issues.", code="issue_errors")
        yield from self._account.items(answer.body, "issues")

    def _comments(self, path: str) -> Iterator[str]:
        for page in range(_MAX_PAGES):
            params = {"startAt": str(page * _PER_PAGE), "maxResults": str(_PER_PAGE)}
            body = self._account.call("GET", path, params).body
            comments = self._account.items(body, "comments")
            yield from (adf.text_of(comment.get("body")) for comment in comments)
            total = member(body, "total")
            seen = page * _PER_PAGE + len(comments)
            if not comments or not isinstance(total, int) or seen >= total:
                return
        raise Unavailable("Jira has too many comments to look through.", code=TOO_MANY)

    def _new(self, body: object, field: str) -> TicketRef:
        key = self._account.needs(member(body, field), field)
        return TicketRef(key, self._page(key), OPEN)

    def _ref(self, issue: object) -> TicketRef:
        key = self._account.needs(member(issue, "key"), "key")
        fields = member(issue, "fields")
        status = member(fields, "status")
        category = str(member(member(status, "statusCategory"), "key"))
        name = str(member(status, "name")).casefold()
        return TicketRef(
            key,
            self._page(key),
            self._names.get(name) or _CATEGORIES.get(category, OTHER),
            resolution=str(member(member(fields, "resolution"), "name") or ""),
            assignee=str(member(member(fields, "assignee"), "accountId") or ""),
            changed=str(member(fields, "updated") or ""),
        )

    def _page(self, key: str) -> str:
        return f"{self._account.base_url}/browse/{key}"


class RefusedFields(Rejected):
    """Jira refused some fields; `fields` are their ids."""

    fields: frozenset[str] = frozenset()


def read_error(failure: Failure) -> ApiError:
    """The error reader for Jira: its texts name people, so only the fields' ids are kept."""
    errors = member(failure.body, "errors")
    names = sorted(filter(None, map(safe_code, errors))) if isinstance(errors, dict) else []
    if failure.status != 400 or not names:
        return build_error(failure, code="")
    advice = f"It refuses these fields: {', '.join(names[:20])}. Check the project's screens."
    error = build_error(failure, code="validation", advice=advice, kind=RefusedFields)
    if isinstance(error, RefusedFields):
        error.fields = frozenset(names)
    return error


def _path(text: str) -> str:
    return f"{_API}/issue/{ticket_id(text)}"
