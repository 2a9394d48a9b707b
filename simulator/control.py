"""Client of the control API, for tests and scripts (README.md explains the calls)."""

import base64
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

Document = dict[str, Any]


class ControlError(RuntimeError):
    """The control API refused; the text says why."""


class Control:
    """`directory` is always a slug, a GUID or a domain."""

    def __init__(self, url: str, ca_file: Path) -> None:
        self._url = url
        self._base = f"{url}/_control"
        self._session = requests.Session()
        self._session.verify = str(ca_file)
        self._session.trust_env = False

    def call(self, method: str, path: str, body: Any = None, /, **query: Any) -> Any:
        asked = {key: value for key, value in query.items() if value is not None}
        found = self._session.request(
            method, f"{self._base}/{path}", json=body, params=asked, timeout=60
        )
        if found.status_code >= 400:
            raise ControlError(f"{method} {path}: {found.status_code} {found.text}")
        return found.json()

    # Faults and traffic

    def fault(self, kind: str, **order: Any) -> int:
        """Order a fault; returns its id. Fields: simulator.faults.Fault."""
        return int(self.call("POST", "faults", {"kind": kind, **order})["id"])

    def faults(self) -> list[Document]:
        return list(self.call("GET", "faults")["faults"])

    def clear_faults(self, fault_id: int | None = None) -> None:
        self.call("DELETE", "faults", id=fault_id)

    def requests(self, **filters: str) -> list[Document]:
        """What was received, oldest first; filters: service, family, directory, method, path."""
        return list(self.call("GET", "requests", **filters)["requests"])

    def counts(self) -> list[Document]:
        """[{service, family, directory, slug, status, count}]"""
        return list(self.call("GET", "counts")["counts"])

    def count(self, **filters: Any) -> int:
        """How many requests: count(service="graph", slug="contoso-bank", status=429)."""
        rows = [
            row for row in self.counts() if all(row[key] == value for key, value in filters.items())
        ]
        return sum(row["count"] for row in rows)

    def forget_requests(self) -> None:
        self.call("DELETE", "requests")

    # Settings

    def state(self) -> Document:
        return dict(self.call("GET", "state"))

    def settings(self, **changes: Any) -> Document:
        """Read or change: graph_limits, alerts_page, paging, push_alerts, filter_lag_s, pace_s …"""
        return dict(self.call("PATCH" if changes else "GET", "settings", changes or None))

    def configure(self, directory: str, **changes: Any) -> Document:
        """roles=[…] or None (consent taken back), licences={…}, azure_reader=…, entra_error={…},
        consent={roles, lag_s, error, error_description} (what the consent page leads to)
        """
        return dict(self.call("PATCH", f"directories/{directory}", changes))

    def state_of(self, directory: str) -> Document:
        """What configure() changes."""
        return dict(self.call("GET", f"directories/{directory}"))

    def truth(self) -> Document:
        return dict(self.call("GET", "truth"))

    # Data of a directory

    def add_directory(self, slug: str = "", **order: Any) -> Document:
        """A further customer; returns what one needs to onboard it (as in tenants.json)."""
        return dict(self.call("POST", "directories", {"slug": slug, **order}))

    def alerts(self, directory: str) -> list[Document]:
        return list(self.call("GET", f"directories/{directory}/alerts")["alerts"])

    def alert(self, directory: str, alert_id: str) -> Document:
        return dict(self.call("GET", f"directories/{directory}/alerts/{alert_id}"))

    def add_alert(self, directory: str, document: Document) -> None:
        self.call("POST", f"directories/{directory}/alerts", document)

    def add_alerts(self, directory: str, documents: Iterable[Document]) -> None:
        self.call("POST", f"directories/{directory}/alerts", list(documents))

    def replace_alert(self, directory: str, document: Document) -> None:
        self.call("PUT", f"directories/{directory}/alerts/{document['id']}", document)

    def change_alert(self, directory: str, alert_id: str, **changes: Any) -> Document:
        """Merge changes; lastUpdateDateTime moves to now unless given."""
        return dict(self.call("PATCH", f"directories/{directory}/alerts/{alert_id}", changes))

    def delete_alert(self, directory: str, alert_id: str) -> None:
        self.call("DELETE", f"directories/{directory}/alerts/{alert_id}")

    def delete_alerts(self, directory: str) -> None:
        self.call("DELETE", f"directories/{directory}/alerts")

    def rows(self, directory: str, table: str) -> list[Document]:
        """sign_ins, audits, users, incidents, resources, scores, groups … (control_data.TABLES)"""
        return list(self.call("GET", f"directories/{directory}/rows/{table}")[table])

    def add_rows(self, directory: str, table: str, rows: Document | list[Document]) -> None:
        self.call("POST", f"directories/{directory}/rows/{table}", rows)

    def delete_rows(self, directory: str, table: str, row_id: str | None = None) -> None:
        self.call("DELETE", f"directories/{directory}/rows/{table}", id=row_id)

    def tell(
        self,
        directory: str,
        name: str | None = None,
        *,
        at: datetime | None = None,
        paced: bool = False,
    ) -> Document:
        """Let a story happen: {story, name, alerts: [truth rows]}. All at once unless `paced`."""
        stamp = at.isoformat().replace("+00:00", "Z") if at else None
        return dict(
            self.call(
                "POST",
                f"directories/{directory}/stories",
                {"name": name, "at": stamp, "paced": paced},
            )
        )

    def story_names(self, directory: str) -> list[str]:
        return list(self.call("GET", f"directories/{directory}/stories")["stories"])

    def fill(self, directory: str, count: int, *, hours: float = 48, seed: int = 1) -> int:
        """Many plain alerts, spread over the past hours."""
        return int(
            self.call(
                "POST",
                f"directories/{directory}/fill",
                {"count": count, "hours": hours, "seed": seed},
            )["stored"]
        )

    def fill_azure(
        self, directory: str, count: int, *, subscriptions: int = 10, seed: int = 1
    ) -> int:
        """Many Azure resources, in new subscriptions."""
        order = {"count": count, "subscriptions": subscriptions, "seed": seed}
        return int(self.call("POST", f"directories/{directory}/fill-azure", order)["stored"])

    # Vault, application, tokens

    def secret(self, name: str) -> str:
        return str(self.call("GET", f"vault/{name}")["versions"][-1]["value"])

    def secret_versions(self, name: str) -> list[Document]:
        return list(self.call("GET", f"vault/{name}")["versions"])

    def set_secret(self, name: str, value: str, **attributes: Any) -> str:
        """A new version; returns the version's id."""
        return str(self.call("PUT", f"vault/{name}", {"value": value, **attributes})["version"])

    def change_secret(self, name: str, **attributes: Any) -> None:
        """Attributes of the newest version: enabled=False, exp=…"""
        self.call("PATCH", f"vault/{name}", attributes)

    def delete_secret(self, name: str) -> None:
        self.call("DELETE", f"vault/{name}")

    def rotate_app_secret(self, *, keep_old: bool = False, expire_old: bool = False) -> None:
        """A new client secret in app and vault.

        The old one is kept, or expired (7000222), or else unknown (7000215).
        """
        self.call(
            "POST", "application", {"rotate": True, "keep_old": keep_old, "expire_old": expire_old}
        )

    def application(self, client_id: str | None = None, **changes: Any) -> None:
        """Register or change an app: enabled, secrets=[{value, expires}], certificates=[pem],
        assigned={client id of an API: [app role]}, token_version (1 or 2) of an API.
        """
        self.call(
            "POST", "application", {**({"client_id": client_id} if client_id else {}), **changes}
        )

    def token(
        self, directory: str, audience: str = "https://graph.microsoft.com", **more: Any
    ) -> str:
        """A token outside of any flow; roles=[…], client_id, lifetime_s (may be negative)."""
        return str(
            self.call("POST", "token", {"directory": directory, "audience": audience, **more})[
                "access_token"
            ]
        )

    # The provider's own people

    def staff(self) -> list[Document]:
        """Who may sign in: oid, username, password, name, roles, groups, enabled, assigned."""
        return list(self.call("GET", "staff")["staff"])

    def set_person(self, username: str, **changes: Any) -> Document:
        """Add one or change one: name, roles=[…], groups=[…], enabled, assigned, password."""
        return dict(self.call("POST", "staff", {"username": username, **changes}))

    def spoil_id_token(self, how: str) -> None:
        """The next one: nonce, expired, directory, audience, issuer, signature, algorithm, oid."""
        self.call("POST", "id-tokens", {"spoil": how})

    def spoil_no_id_token(self) -> None:
        self.call("DELETE", "id-tokens")

    # Help desks and notifications

    def tickets(self, account: str) -> list[Document]:
        """Tickets of a help desk (account = slug), each with its `conversations`."""
        return list(self.call("GET", f"tickets/{account}")["tickets"])

    def change_ticket(self, account: str, ticket_id: int, **changes: Any) -> Document:
        """As an agent of the help desk does: status=5, priority=…"""
        return dict(self.call("PUT", f"tickets/{account}/{ticket_id}", changes))

    def add_note(self, account: str, ticket_id: int, body: str) -> Document:
        """A private note, as an agent writes it."""
        return dict(self.call("POST", f"tickets/{account}/{ticket_id}/notes", {"body": body}))

    def set_webhook(self, account: str, url: str = "", headers: Document | None = None) -> None:
        """The automator calls this URL when a ticket was changed; none without a URL."""
        order = {"url": url, "headers": headers or {}}
        self.call("PUT" if url else "DELETE", f"tickets/{account}/webhook", order)

    def set_feed(
        self, name: str, raw: bytes = b"", kind: str = "text/xml", redirect: str = ""
    ) -> str:
        """What /feeds/NAME has from now on; its URL."""
        order = {"base64": base64.b64encode(raw).decode(), "kind": kind, "redirect": redirect}
        self.call("PUT", f"feeds/{name}", order)
        return f"{self._url}/feeds/{name}"

    def drop_feed(self, name: str) -> None:
        """Nothing is at /feeds/NAME any more."""
        self.call("DELETE", f"feeds/{name}")

    def delete_ticket(self, account: str, ticket_id: int) -> None:
        self.call("DELETE", f"tickets/{account}/{ticket_id}")

    def notifications(self) -> list[Document]:
        """What was sent to subscribers: [{at, url, body, status}]"""
        return list(self.call("GET", "notifications")["sent"])

    def lifecycle(self, directory: str, subscription: str, event: str) -> None:
        self.call(
            "POST",
            "notifications",
            {"directory": directory, "subscription": subscription, "event": event},
        )


def wait_for(check: Callable[[], Any], seconds: float = 60) -> Any:
    """The first truthy answer of `check`; TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError("it did not become true in time")
