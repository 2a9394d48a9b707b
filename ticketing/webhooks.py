"""How an admin of each ticket system makes it call the portal when a ticket changed. Pure.

The call proves itself by a token in a header and says nothing else that is used: what changed is
read again over the system's API. So a repeated call does no harm, and a forged one is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = "Authorization"
_BODY = '{"ticket": "changed"}'


@dataclass(frozen=True, slots=True)
class WebhookGuide:
    """What to type in there. `header` holds the secret: show it once, keep it nowhere."""

    url: str
    method: str
    header: tuple[str, str]
    body: str
    steps: tuple[str, ...]


_STEPS: dict[str, tuple[str, ...]] = {
    "freshservice": (
        "Admin > Automation & Productivity > Workflow Automator: make a new event based automator "
        "for tickets.",
        "Event: any of 'Ticket is updated', 'Status is changed', 'Note is added', by anyone.",
        "Action: Trigger Webhook. Request type, callback URL, and under Custom Headers the header "
        "as given here; encoding JSON; content advanced, with the body given here.",
    ),
    "servicenow": (
        "System Web Services > Outbound > REST Message: make one with this URL, a POST method, and "
        "the header under HTTP Request.",
        "System Definition > Business Rules: on table incident, after update, when the state, the "
        "assignment or the work notes change and correlation_display is CSC Portal, run the REST "
        "message with executeAsync().",
    ),
    "jira": (
        "Project settings > Automation: make a rule with the triggers 'Work item transitioned', "
        "'Work item assigned' and 'Work item commented'.",
        "Action: Send web request to the URL, method POST, custom body, with the header as given "
        "here and marked as hidden.",
    ),
    "zendesk": (
        "Admin Center > Apps and integrations > Webhooks: make one that a trigger connects to: "
        "this URL, POST, JSON; authentication bearer token, with what follows the word Bearer in "
        "the header.",
        "Objects and rules > Triggers: ticket is updated, and tags contain csc-portal: notify this "
        "webhook, with the body given here.",
    ),
    "generic": (
        "Let the system make this request whenever a ticket of the portal changed, in whatever way "
        "it has for that (a webhook, a script, a rule). It may send any body; it is not read.",
        "Without one the portal looks by itself, every one to ten minutes.",
    ),
}


def describe_webhook(system: str, ingress_url: str, public_id: str, token: str) -> WebhookGuide:
    """For a connection's public id; `token` by tenants.push_keys.webhook_token."""
    return WebhookGuide(
        url=f"{ingress_url.rstrip('/')}/webhooks/tickets/{public_id}/",
        method="POST",
        header=(HEADER, f"Bearer {token}"),
        body=_BODY,
        steps=_STEPS.get(system, _STEPS["generic"]),
    )
