"""The options of each built-in ticket system, described for a form. Pure.

The adapters read the options and say what is wrong with them; here stands only how to ask.
`generic` has no fields: its options are a description (docs/adding-a-ticket-system.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alerts.verdicts import VERDICTS
from ticketing.endings import ASK, NONE


class Kind(StrEnum):
    TEXT = "text"
    EMAIL = "email"
    NUMBER = "number"
    CHOICE = "choice"
    NAMES = "names"
    """Names with values, written as YAML."""


@dataclass(frozen=True, slots=True)
class Option:
    """One field. `choices`: (value, what people read)."""

    name: str
    label: str
    help: str = ""
    kind: Kind = Kind.TEXT
    is_required: bool = False
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """A ticket system as the form offers it."""

    label: str
    url: str
    secret: str
    options: tuple[Option, ...] = ()


_REQUESTER = Option(
    "requester_email",
    "Requester of the tickets",
    "A mailbox of yours, not a person's. Empty: csc-portal@ the account's host.",
    Kind.EMAIL,
)
_STATES = Option(
    "states",
    "States that differ",
    "Theirs: ours, a line each, such as <code>Waiting: pending</code>. Ours are open, pending, "
    "resolved, closed, deleted and other. Empty: the usual ones.",
    Kind.NAMES,
)
_SET_STATES = Option(
    "set_states",
    "States that the portal sets",
    "What <code>open</code> and <code>resolved</code> are called there, if not as usual.",
    Kind.NAMES,
)
_ENDINGS = (
    ("", "Close the case, without a verdict"),
    (ASK, "Leave the case open until people say"),
    *VERDICTS.items(),
)
_VERDICTS = Option(
    "verdicts",
    "Verdicts",
    "How a ticket ended there: what that means, a line each, such as "
    "<code>Duplicate: falsePositive</code>. "
    f"Ours are {', '.join((*VERDICTS, NONE, ASK))}.",
    Kind.NAMES,
)
_UNKNOWN = Option(
    "unknown_verdict",
    "Verdict of other endings",
    "For what is not named above.",
    Kind.CHOICE,
    choices=_ENDINGS,
)
_SHARED = (_STATES, _SET_STATES, _VERDICTS, _UNKNOWN)


def _resolution(what: str) -> Option:
    return Option(
        "resolution_field", "Field of the ending", f"{what} that says how a ticket ended."
    )


def _fields(example: str) -> Option:
    return Option(
        "fields", "Fixed fields", f"A line each, such as <code>{example}</code>.", Kind.NAMES
    )


SYSTEMS: Mapping[str, System] = {
    "freshservice": System(
        "Freshservice",
        "https://contoso.freshservice.com",
        "An agent's API key",
        (
            _REQUESTER,
            Option("workspace_id", "Workspace", "Its number. Empty: the first one.", Kind.NUMBER),
            Option("group_id", "Group", "Number of the group that gets them.", Kind.NUMBER),
            Option(
                "custom_fields",
                "Custom fields",
                "A line each, such as <code>service_line: security</code>.",
                Kind.NAMES,
            ),
            _resolution("The name of the custom field"),
            *_SHARED,
        ),
    ),
    "servicenow": System(
        "ServiceNow",
        "https://contoso.service-now.com",
        "The user's password, or what the way of signing in says",
        (
            Option(
                "auth",
                "Way of signing in",
                kind=Kind.CHOICE,
                choices=(
                    ("", "User and password"),
                    ("bearer", "Token"),
                    ("api_key", "API key"),
                    ("oauth2", "OAuth 2, client credentials"),
                ),
            ),
            Option("user", "User", "For user and password. Empty: the secret is user:password."),
            Option("client_id", "Client id", "For OAuth 2."),
            Option("table", "Table", "Empty: incident."),
            Option("longest_text", "Longest text", "Characters. Empty: 4000.", Kind.NUMBER),
            Option("close_code", "Close code", "Set when a ticket is resolved."),
            _fields("assignment_group: 287ebd7da9fe198100f92cc8d1d2154e"),
            *_SHARED,
        ),
    ),
    "jira": System(
        "Jira",
        "https://contoso.atlassian.net",
        "The account's API token",
        (
            Option("project", "Project", "Its key, such as SEC.", is_required=True),
            Option(
                "auth",
                "Way of signing in",
                kind=Kind.CHOICE,
                choices=(("", "E-mail and API token"), ("bearer", "Personal access token")),
            ),
            Option("user", "Account", "E-mail of the account that the token belongs to."),
            Option("issue_type", "Issue type", "Empty: Task."),
            Option("service_desk_id", "Service desk", "Number. Only for Service Management."),
            Option("request_type_id", "Request type", "Number. Needed with a service desk."),
            Option("resolution", "Resolution", "Set when an issue is resolved. Empty: Done."),
            _fields("customfield_10010: Security"),
            *_SHARED,
        ),
    ),
    "zendesk": System(
        "Zendesk",
        "https://contoso.zendesk.com",
        "An API token",
        (
            Option(
                "auth",
                "Way of signing in",
                kind=Kind.CHOICE,
                choices=(("", "E-mail and API token"), ("bearer", "OAuth token")),
            ),
            Option("user", "Agent", "E-mail of the agent that the token belongs to."),
            _REQUESTER,
            _fields("group_id: 7"),
            _resolution("The number of the custom field"),
            *_SHARED,
        ),
    ),
    "generic": System(
        "Another, by a description", "https://tickets.contoso.com", "As the description says"
    ),
}
