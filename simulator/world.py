"""Everything that the stand-in knows: directories, applications, vault, help desks, settings."""

import base64
import os
import secrets
import time
import uuid
from pathlib import Path
from random import Random
from typing import Any

from simulator import clock
from simulator.directory import ALL_ROLES, Directory
from simulator.faults import Faults
from simulator.store import Document, Store
from simulator.tokens import Signer
from simulator.traffic import Traffic

CUSTOMERS = (
    ("contoso-bank", "Contoso Bank AG", "contoso-bank.com"),
    ("fabrikam-health", "Fabrikam Health Trust", "fabrikam-health.org"),
    ("northwind-energy", "Northwind Energi AS", "northwind-energi.no"),
    ("tailwind-retail", "Tailwind Traders Retail", "tailwindtraders.com"),
    ("woodgrove-insurance", "Woodgrove Versicherung", "woodgrove.de"),
    ("litware-logistics", "Litware Logística S.A.", "litware-logistica.es"),
    ("adatum-pharma", "A. Datum Pharma", "adatum-pharma.ch"),
    ("proseware-media", "Proseware Média", "proseware.fr"),
)
APP_SECRET = "csc-app-credential"
SIGN_IN_SECRET = "csc-sign-in-credential"
STAFF_PASSWORD = "Passw0rd-of-the-stand-in"
STAFF = (
    ("ada.admin", "Ada Admin", "CSC.Admin"),
    ("lea.lead", "Lea Lead", "CSC.Lead"),
    ("ann.analyst", "Ann Analyst", "CSC.Analyst"),
    ("vic.viewer", "Vic Viewer", "CSC.Viewer"),
)
API_ROLES = (
    "Cases.Read", "Cases.Write", "Names.Read", "Tenants.Read", "Posture.Read", "Rules.Read",
    "Audit.Read", "Reports.Read", "Export",
)  # fmt: skip
"""App roles for programs, as the portal's own API has them in the provider's directory."""

DEFAULTS: dict[str, Any] = {
    "graph_limits": False,  # enforce the published limits of Graph and Resource Graph
    "alerts_page": 100,  # default page of alerts_v2; the most for $top is 1000
    "paging": "skiptoken",  # or "skip": next links count rows, so that changes shift pages
    "token_lifetime_s": 3599,
    "push_alerts": False,  # accept subscriptions to alerts_v2 and incidents, and deliver
    "resource_graph_lag_s": 0,
    "freshservice_plan": "enterprise",  # starter, growth, pro, enterprise, off
    "filter_lag_s": 60,  # tickets enter the filter index that late
    "sign_in_lag_s": 0,  # sign-ins and audits show up that late
    "pace_s": 0,  # seconds between new stories; 0 = none
    "live_scale": 0.04,  # a story minute lasts so many minutes when it happens live
    "clock_ahead_s": 0,  # what the stand-in takes for now, so many seconds after the real time
}


class World:
    def __init__(self, state: Path, origin: str, seed: int) -> None:
        self.state = state
        self.origin = origin
        self.seed = seed
        self.store = Store(state / "state.sqlite3")
        self.signer = Signer(state)
        self.faults = Faults()
        self.traffic = Traffic()
        self.vault = self.store.table("vault")
        self.apps = self.store.table("application")
        self.staff = self.store.table("staff")  # the provider's own people, by object id
        self.accounts = self.store.table("help-desk")
        self.feeds = self.store.table("public-feed")
        self.desks: dict[str, object] = {}  # by slug, made by freshservice.account.desk
        self._facts = self.store.table("facts")
        self.settings: dict[str, Any] = {**DEFAULTS, **self._facts.get("settings", {})}
        clock.set_ahead(float(self.settings["clock_ahead_s"]))
        facts = self._facts.get("provider")
        if facts is None:
            maker = Random(f"provider-{seed}")
            facts = {
                "directory": _guid(maker),
                "client_id": _guid(maker),
                "msi_client_id": _guid(maker),
            }
            facts["identity_header"] = secrets.token_hex(16).upper()
            self._facts.put("provider", facts)
        self.provider: str = facts["directory"]
        self.client_id: str = facts["client_id"]
        self.msi_client_id: str = facts["msi_client_id"]
        self.identity_header: str = facts["identity_header"]
        self.sign_in_client_id = str(uuid.uuid5(uuid.UUID(self.provider), "sign-in"))
        self.directories: dict[str, Directory] = {}
        for config in self.store.table("directory").values():
            self.directories[config["guid"]] = Directory(self.store, config)

    def change_settings(self, changes: Document) -> None:
        unknown = set(changes) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        self.settings.update(changes)
        self._facts.put("settings", self.settings)
        clock.set_ahead(float(self.settings["clock_ahead_s"]))

    def fill_vault(self) -> None:
        """First start: the secrets with fixed names, and the app's own."""
        self._fill_sign_in()
        if "csc-django-secret-key" in self.vault:
            return
        key = base64.b64encode(os.urandom(32)).decode()
        self.set_secret("csc-django-secret-key", secrets.token_urlsafe(48))
        self.set_secret("csc-pseudonym-key", key)
        self.apps.put(
            self.client_id,
            {
                "client_id": self.client_id,
                "name": "CSC Portal",
                "enabled": True,
                "secrets": [],
                "certificates": [],
            },
        )
        self.rotate_app_secret(self.client_id, APP_SECRET, keep_old=False)

    def _fill_sign_in(self) -> None:
        """The provider's people, and the app by which they sign in to the portal."""
        if SIGN_IN_SECRET in self.vault:
            return
        self.set_secret("csc-sign-in-key", base64.b64encode(os.urandom(32)).decode())
        app = {
            "client_id": self.sign_in_client_id,
            "name": "CSC Portal sign-in",
            "enabled": True,
            "secrets": [],
            "certificates": [],
            "redirect_uris": [
                f"http://{host}/account/microsoft/done/" for host in ("127.0.0.1", "localhost")
            ],
            "optional_claims": ["auth_time"],
            "app_roles": list(API_ROLES),
            "token_version": 2,
        }
        self.apps.put(self.sign_in_client_id, app)
        self.rotate_app_secret(self.sign_in_client_id, SIGN_IN_SECRET, keep_old=False)
        for name, shown, role in STAFF:
            oid = str(uuid.uuid5(uuid.UUID(self.provider), name))
            person = {
                "oid": oid,
                "username": f"{name}@provider.example",
                "name": shown,
                "password": STAFF_PASSWORD,
                "roles": [role],
                "groups": [],
                "enabled": True,
                "assigned": True,
            }
            self.staff.put(oid, person)

    def set_secret(self, name: str, value: str, **attributes: Any) -> str:
        """A new version of a vault secret; returns the version's id."""
        versions: list[Document] = list(self.vault.get(name, {}).get("versions", []))
        stamp = int(time.time())
        version = {
            "version": uuid.uuid4().hex,
            "value": value,
            "enabled": True,
            "created": stamp,
            "updated": stamp,
            "sequence": len(versions),
            **attributes,
        }
        self.vault.put(name, {"name": name, "versions": [*versions, version], "deleted": None})
        return str(version["version"])

    def rotate_app_secret(
        self, client_id: str, name: str, *, keep_old: bool, expire_old: bool = False
    ) -> str:
        """A new client secret, also put into the vault as `name`; returns its value."""
        app = self.apps[client_id]
        value = secrets.token_urlsafe(30)[:40]
        old = app["secrets"] if keep_old or expire_old else []
        if expire_old:
            old = [{**secret, "expires": time.time() - 1} for secret in old]
        self.apps.put(client_id, {**app, "secrets": [*old, {"value": value, "expires": None}]})
        self.set_secret(name, value)
        return value

    def add_directory(self, slug: str = "", name: str = "", domain: str = "") -> Directory:
        """A further customer: directory, help desk and its key in the vault; no data yet."""
        index = len(self.directories)
        if not slug:
            slug, name, domain = customer(index)
        maker = Random(f"directory-{self.seed}-{slug}")
        config = {
            "guid": _guid(maker),
            "slug": slug,
            "name": name or slug,
            "index": index,
            "domain": domain or f"{slug}.example",
            "consents": {self.client_id: list(ALL_ROLES)},
            "licences": {"entra_id_p1": True, "entra_id_p2": True, "defender": True},
            "azure_reader": True,
            "incident_number": 100,
            "next_story": 0,
        }
        directory = Directory(self.store, config)
        directory.save()
        self.directories[directory.guid] = directory
        key = secrets.token_hex(10)
        self.set_secret(f"freshservice-{slug}", key)
        self.accounts.put(slug, {"slug": slug, "key": key, "first_id": 10_000 * (index + 1) + 1})
        return directory

    def tenants(self) -> list[Document]:
        """What one needs to onboard each customer (written to tenants.json)."""
        return [
            {
                "slug": directory.slug,
                "name": directory.config["name"],
                "directory": directory.guid,
                "client_id": self.client_id,
                "credential_secret": APP_SECRET,
                "ticketing_url": self.origin,
                "ticketing_secret": f"freshservice-{directory.slug}",
            }
            for directory in self.directories.values()
        ]

    def environment(self) -> dict[str, str]:
        """The variables that point a program at this stand-in (written to environment.json)."""
        ca_file = str(self.state / "ca.pem")
        return {
            "AZURE_KEY_VAULT_URL": self.origin,
            "MICROSOFT_LOGIN_URL": self.origin,
            "MICROSOFT_GRAPH_URL": self.origin,
            "AZURE_RESOURCE_MANAGER_URL": self.origin,
            "MICROSOFT_DEFENDER_URL": self.origin,
            "KEV_URL": f"{self.origin}/feeds/known_exploited_vulnerabilities.json",
            "EPSS_URL": f"{self.origin}/feeds/epss.csv.gz",
            "NEWS_FEEDS": f"{self.origin}/feeds/news.xml",
            "IDENTITY_ENDPOINT": f"{self.origin}/msi/token",
            "IDENTITY_HEADER": self.identity_header,
            "OIDC_DIRECTORY": self.provider,
            "OIDC_CLIENT_ID": self.sign_in_client_id,
            "OIDC_CLIENT_SECRET_NAME": SIGN_IN_SECRET,
            "REQUESTS_CA_BUNDLE": ca_file,
            "SSL_CERT_FILE": ca_file,
        }

    def find_directory(self, name: str) -> Directory:
        """By GUID, slug or verified domain; KeyError."""
        lowered = name.lower()
        if lowered in self.directories:
            return self.directories[lowered]
        for directory in self.directories.values():
            if lowered in {directory.slug, directory.domain.lower()}:
                return directory
        raise KeyError(name)


def customer(index: int) -> tuple[str, str, str]:
    """(slug, name, domain) of the customer at this place."""
    slug, name, domain = CUSTOMERS[index % len(CUSTOMERS)]
    if index < len(CUSTOMERS):
        return slug, name, domain
    return f"{slug}-{index}", f"{name} {index}", f"{index}.{domain}"


def _guid(maker: Random) -> str:
    return str(uuid.UUID(int=maker.getrandbits(128), version=4))
