"""One Entra directory (a customer) and everything that Microsoft keeps about it."""

import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

from simulator import moments
from simulator.store import Document, Store, Table

# Application permissions of the provider's app unless a control call says otherwise.
ALL_ROLES = (
    "SecurityAlert.Read.All",
    "SecurityAlert.ReadWrite.All",
    "SecurityIncident.Read.All",
    "SecurityIncident.ReadWrite.All",
    "SecurityEvents.Read.All",
    "SecurityEvents.ReadWrite.All",
    "AuditLog.Read.All",
    "Directory.Read.All",
    "User.Read.All",
    "Organization.Read.All",
    "IdentityRiskEvent.Read.All",
    "IdentityRiskyUser.Read.All",
    "RoleManagement.Read.Directory",
    "GroupMember.Read.All",
    "Vulnerability.Read.All",
)


class Directory:
    """Tables are public; alerts change only through `put_alerts` and `drop_alert`."""

    def __init__(self, store: Store, config: Document) -> None:
        self.config = config
        self.guid: str = config["guid"]
        self.slug: str = config["slug"]
        self.domain: str = config["domain"]

        def table(kind: str) -> Table:
            return store.table(kind, self.guid)

        self._configs = store.table("directory")
        self.alerts = table("alert")
        self.legacy_alerts = table("legacy-alert")
        self.incidents = table("incident")
        self.users = table("user")
        self.sign_ins = table("sign-in")
        self.audits = table("audit")
        self.risk_detections = table("risk-detection")
        self.risky_users = table("risky-user")
        self.scores = table("secure-score")
        self.profiles = table("control-profile")
        self.groups = table("group")
        self.role_members = table("directory-role")
        self.weaknesses = table("weakness")
        self.device_weaknesses = table("device-weakness")
        self.azure = table("azure-subscription")
        self.resources = table("azure-resource")
        self.resource_groups = table("azure-group")
        self.azure_settings = table("azure-setting")
        self.azure_changes = table("azure-change")
        self.subscriptions = table("subscription")
        self.truth = table("truth")
        self.previous: dict[str, Document] = {}
        self.on_alert: list[Callable[[Directory, Document, str], None]] = []
        self._sorted: dict[str, tuple[int, list[Any], list[tuple[int, str]]]] = {}

    def save(self) -> None:
        self._configs.put(self.guid, self.config)

    def put_alerts(self, documents: Iterable[Document]) -> None:
        """Store alerts by their id and tell the listeners."""
        documents = list(documents)
        news = [(doc, "updated" if doc["id"] in self.alerts else "created") for doc in documents]
        for doc in documents:
            if doc["id"] in self.alerts:
                self.previous[doc["id"]] = self.alerts[doc["id"]]
        self.alerts.put_many((doc["id"], doc) for doc in documents)
        for doc, change in news:
            for listener in self.on_alert:
                listener(self, doc, change)

    @property
    def azure_version(self) -> tuple[int, ...]:
        """Another one after every change in Azure."""
        tables = (self.azure, self.resources, self.resource_groups, self.azure_changes)
        return (*(table.version for table in tables), int(self.config["azure_reader"]))

    def note_azure_change(self, resource_id: str, change: str) -> None:
        """A row of Resource Graph's table of changes: Create, Update or Delete."""
        name = uuid.uuid4().hex
        stamp = moments.stamp(moments.now())
        self.azure_changes.put(
            name,
            {
                "id": f"{resource_id}/providers/Microsoft.Resources/changes/{name}",
                "name": name,
                "type": "microsoft.resources/changes",
                "tenantId": self.guid,
                "subscriptionId": resource_id.split("/")[2].lower(),
                "properties": {
                    "targetResourceId": resource_id,
                    "changeType": change,
                    "changeAttributes": {"timestamp": stamp, "changesCount": 1},
                },
            },
        )

    def drop_alert(self, alert_id: str) -> bool:
        return self.alerts.drop(alert_id) is not None

    def newest_first(
        self, name: str, table: Table, field: str, after: tuple[int, str] | None = None
    ) -> list[Document]:
        """Rows of a table by (field, id) descending, from behind `after` on."""
        kept = self._sorted.get(name)
        if kept is None or kept[0] != table.version:
            rows = sorted(
                (
                    (-moments.ticks_or_zero(row.get(field)), str(key), row)
                    for key, row in table.items()
                ),
                key=lambda item: item[:2],
            )
            kept = (table.version, [row for *_, row in rows], [(at, key) for at, key, _ in rows])
            self._sorted[name] = kept
        if after is None:
            return kept[1]
        start = bisect_left(kept[2], (-after[0], after[1]))
        if start < len(kept[2]) and kept[2][start] == (-after[0], after[1]):
            start += 1
        return kept[1][start:]

    def roles_of(self, client_id: str) -> list[str] | None:
        """The roles consented to this app, None when it was never consented here."""
        consents: dict[str, list[str]] = self.config["consents"]
        return consents.get(client_id)
