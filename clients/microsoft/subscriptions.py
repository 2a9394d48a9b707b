"""Change notifications: subscriptions that Graph posts to our ingress.

Which resources can be subscribed is up to Graph: alerts may be refused, and polling then has to do.
https://learn.microsoft.com/graph/api/resources/subscription
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from clients.microsoft.graph import Graph
from clients.microsoft.odata import time_literal

_FAMILY = "subscriptions"


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What to be told about. `resource` has no base URL; `client_state` is a secret of ours."""

    resource: str
    change_type: str
    notification_url: str
    lifecycle_url: str
    expires_at: datetime
    client_state: str = field(repr=False)


def create_subscription(graph: Graph, new: NewSubscription) -> dict[str, object]:
    """Subscribe; needs the right to read the resource. Graph calls the URLs before it answers.

    Raises Conflict if there is an equal one already: list them and renew that.
    https://learn.microsoft.com/graph/api/subscription-post-subscriptions
    """
    body = {
        "resource": new.resource,
        "changeType": new.change_type,
        "notificationUrl": new.notification_url,
        "lifecycleNotificationUrl": new.lifecycle_url,
        "expirationDateTime": time_literal(new.expires_at),
        "clientState": new.client_state,
        "latestSupportedTlsVersion": "v1_2",
    }
    return graph.post("/subscriptions", body, family=_FAMILY)


def subscription_pages(graph: Graph) -> Iterator[list[object]]:
    """The app's own subscriptions in this directory.

    https://learn.microsoft.com/graph/api/subscription-list
    """
    return graph.pages("/subscriptions", family=_FAMILY)


def renew_subscription(
    graph: Graph, subscription_id: str, expires_at: datetime
) -> dict[str, object]:
    """Lengthen its life and reauthorise it. Raises NotFound if it is gone: create it anew.

    https://learn.microsoft.com/graph/api/subscription-update
    """
    body = {"expirationDateTime": time_literal(expires_at)}
    return graph.patch(_path(subscription_id), body, family=_FAMILY)


def delete_subscription(graph: Graph, subscription_id: str) -> None:
    """End it. Raises NotFound if it is gone already.

    https://learn.microsoft.com/graph/api/subscription-delete
    """
    graph.delete(_path(subscription_id), family=_FAMILY)


def _path(subscription_id: str) -> str:
    return f"/subscriptions/{quote(subscription_id, safe='')}"
