"""The ingress as it runs: gunicorn on loopback, without any database to reach."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import redis
import requests

from tenants.directories import master_keys
from tenants.push_keys import client_state
from tests.lab import ROOT, wait_for

ALERTS = "/security/alerts_v2"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ingress:
    """A running ingress process; `post` speaks to it, on a new connection each time."""

    def __init__(self, home: Path, redis_url: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = home / "ingress.log"
        command = [
            sys.executable, "-m", "gunicorn", "csc_portal.ingress.wsgi", "--bind",
            f"127.0.0.1:{self.port}", "--worker-class", "gthread", "--threads", "4",
            "--no-control-socket",
        ]  # fmt: skip
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
                    "REDIS_URL": redis_url,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._answers, 60, "the ingress answers")

    def post(self, path: str, json: Any = None, **more: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", json=json, timeout=30, **more)

    def notify(self, tenant: uuid.UUID, *items: dict[str, Any], **more: Any) -> requests.Response:
        return self.post(f"/notifications/graph/{tenant}/", {"value": list(items), **more})

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # at once
        self._process.wait(60)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):
            return False


class Customer:
    """Ids of a tenant, and notifications as Microsoft would send them for it."""

    def __init__(self) -> None:
        self.tenant, self.directory, self.client_id = (uuid.uuid4() for _ in range(3))
        self.subscription = str(uuid.uuid4())

    @property
    def state(self) -> str:
        master = master_keys()[0][1]
        return client_state(master, self.tenant, self.directory, self.client_id, ALERTS)

    def item(self, alert_id: str, **changes: Any) -> dict[str, Any]:
        path = f"security/alerts_v2/{alert_id}"
        return {
            "id": uuid.uuid4().hex,
            "subscriptionId": self.subscription,
            "subscriptionExpirationDateTime": "2026-12-01T10:00:00Z",
            "clientState": self.state,
            "changeType": "created",
            "resource": path,
            "tenantId": str(self.directory),
            "resourceData": {"@odata.id": path, "id": alert_id},
            **changes,
        }

    def lifecycle(self, event: str, **changes: Any) -> dict[str, Any]:
        return {
            "subscriptionId": self.subscription,
            "subscriptionExpirationDateTime": "2026-12-01T10:00:00Z",
            "clientState": self.state,
            "tenantId": str(self.directory),
            "lifecycleEvent": event,
            **changes,
        }


def everything_in(client: redis.Redis) -> str:
    """All that Redis holds under our names, as one text."""
    parts: list[str] = []
    for key in client.scan_iter("csc:hints:*"):
        parts.append(str(key))
        kind = client.type(key)
        if kind == "set":
            parts += sorted(client.smembers(key))
        elif kind == "zset":
            parts += client.zrange(key, 0, -1)
        else:
            parts.append(str(client.get(key)))
    return "\n".join(parts)
