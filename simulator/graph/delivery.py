"""Change and lifecycle notifications: queued, sent with retries, at least once."""

import asyncio
import logging
import uuid
from typing import Any

import requests

from simulator import moments, odata
from simulator.directory import Directory
from simulator.graph import alerts
from simulator.graph.subscriptions import live, plain
from simulator.store import Document
from simulator.world import World

logger = logging.getLogger(__name__)
RETRY_AFTER_S = (1, 2, 4, 8, 16, 32, 64)
TIMEOUT_S = 10


class Delivery:
    """Listens to the directories' alerts; `sent` keeps what was tried: (url, body, status)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent: list[dict[str, Any]] = []

    def listen(self, directory: Directory) -> None:
        directory.on_alert.append(self._changed)

    def _changed(self, directory: Directory, alert: Document, change: str) -> None:
        if not self._world.settings["push_alerts"]:
            return
        for subscription in live(directory):
            if change in subscription["changeType"].split(",") and _covers(subscription, alert):
                self._send(
                    subscription["notificationUrl"],
                    _notification(directory, subscription, alert, change),
                )

    def lifecycle(self, directory: Directory, subscription: Document, event: str) -> None:
        """Send a lifecycle event: reauthorizationRequired, subscriptionRemoved or missed."""
        item = {
            "subscriptionId": subscription["id"],
            "subscriptionExpirationDateTime": subscription["expirationDateTime"],
            "tenantId": directory.guid,
            "clientState": subscription["clientState"],
            "lifecycleEvent": event,
        }
        url = subscription.get("lifecycleNotificationUrl") or subscription["notificationUrl"]
        self._send(url, item)

    def _send(self, url: str, item: Document) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(url, {"value": [item]}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, body: Document) -> None:
        for wait_s in (*RETRY_AFTER_S, 0):
            status = await asyncio.to_thread(self._post, url, body)
            self.sent.append(
                {"at": moments.stamp(moments.now()), "url": url, "body": body, "status": status}
            )
            if 200 <= status < 300 or wait_s == 0:
                return
            await asyncio.sleep(wait_s)

    def _post(self, url: str, body: Document) -> int:
        """The status of the answer, 0 when there was none."""
        try:
            found = requests.post(
                url, json=body, timeout=TIMEOUT_S, verify=str(self._world.state / "ca.pem"),
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as err:
            logger.warning("notification not delivered error=%s", type(err).__name__)
            return 0
        return found.status_code


def _covers(subscription: Document, alert: Document) -> bool:
    resource = plain(subscription["resource"])
    path, _, query = resource.partition("?")
    if path.lower() not in {"security/alerts_v2", f"security/alerts_v2/{alert['id']}".lower()}:
        return False
    if not query.startswith("$filter="):
        return True
    listing = alerts.ALERTS
    try:
        return odata.parse(query.removeprefix("$filter="), listing.schema, listing.type_name)(alert)
    except odata.BadFilter:
        return False


def _notification(
    directory: Directory, subscription: Document, alert: Document, change: str
) -> Document:
    path = f"security/alerts_v2/{alert['id']}"
    return {
        "id": uuid.uuid4().hex,
        "subscriptionId": subscription["id"],
        "subscriptionExpirationDateTime": subscription["expirationDateTime"],
        "clientState": subscription["clientState"],
        "changeType": change,
        "resource": path,
        "tenantId": directory.guid,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Security.Alert",
            "@odata.id": path,
            "@odata.etag": f'W/"{uuid.uuid4().hex[:16]}"',
            "id": alert["id"],
        },
    }
