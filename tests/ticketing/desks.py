"""Every ticket system that the contract suite is run against: its stand-in and its connection."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.ticketing.wire.freshservice import FreshserviceDesk
from tests.ticketing.wire.jira import JiraDesk
from tests.ticketing.wire.redmine import Redmine
from tests.ticketing.wire.request_tracker import RequestTracker
from tests.ticketing.wire.server import SECRET, Desk
from tests.ticketing.wire.servicenow import ServiceNowDesk
from tests.ticketing.wire.zendesk import ZendeskDesk
from ticketing.adapters import TicketSystem, registry
from ticketing.adapters.description import load_options

LOOPBACK = ("127.0.0.0/8",)
_GUIDE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-ticket-system.md"


def from_the_guide(name: str) -> dict[str, object]:
    """A description as the documentation gives it, so that what people copy is what is tested."""
    pattern = rf"<!-- description: {name} -->\n```yaml\n(.*?)```"
    found = re.search(pattern, _GUIDE.read_text(), re.DOTALL)
    assert found, name
    return load_options(found[1])


@dataclass(frozen=True)
class Entry:
    """A stand-in, and how the portal is connected to it."""

    desk: Desk
    system: str
    options: Mapping[str, object] = field(default_factory=dict)


ENTRIES = {
    "request_tracker": Entry(RequestTracker(), "generic", from_the_guide("request_tracker")),
    "redmine": Entry(Redmine(), "generic", from_the_guide("redmine")),
    "freshservice": Entry(FreshserviceDesk(), "freshservice"),
    "jira": Entry(JiraDesk(), "jira", {"user": "ada@example.com", "project": "SEC"}),
    "servicenow": Entry(ServiceNowDesk(), "servicenow", {"user": "csc"}),
    "zendesk": Entry(ZendeskDesk(), "zendesk", {"user": "ada@example.com"}),
}


def connect(entry: Entry, url: str, secret: str = SECRET, **more: object) -> TicketSystem:
    """The adapter as the portal makes it."""
    return registry[entry.system](
        url,
        lambda: secret,
        {**entry.options, **more},
        None,
        private_networks_allowed=LOOPBACK,
    )
