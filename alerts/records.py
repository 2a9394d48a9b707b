"""What every source's alert becomes: the one shape that the rest of the portal works on."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum


class Severity(StrEnum):
    UNKNOWN = "unknown"
    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Pillar(IntFlag):
    """The links of the chain that an alert touches; stored as bits."""

    IDENTITY = 1
    DEVICE = 2
    APP = 4
    DATA = 8
    INFRASTRUCTURE = 16


class Kind(StrEnum):
    """What sort of thing an entity is. Part of its pseudonym, so members are never renamed."""

    USER = "user"
    GROUP = "group"
    AD_DOMAIN = "ad_domain"
    LOGON_SESSION = "logon_session"
    LOGON_REQUEST = "logon_request"
    DEVICE = "device"
    IOT_DEVICE = "iot_device"
    PROCESS = "process"
    REGISTRY = "registry"
    MALWARE = "malware"
    CLOUD_APP = "cloud_app"
    OAUTH_APP = "oauth_app"
    SERVICE_PRINCIPAL = "service_principal"
    AI_AGENT = "ai_agent"
    ORGANIZATION = "organization"
    REPOSITORY = "repository"
    MAILBOX = "mailbox"
    MAILBOX_RULE = "mailbox_rule"
    MAIL = "mail"
    MAIL_CLUSTER = "mail_cluster"
    SUBMISSION = "submission"
    TEAMS_MESSAGE = "teams_message"
    FILE = "file"
    BLOB = "blob"
    BLOB_CONTAINER = "blob_container"
    SAS_TOKEN = "sas_token"  # noqa: S105 a kind of evidence, not a secret
    IP = "ip"
    URL = "url"
    DOMAIN = "domain"
    NETWORK_CONNECTION = "network_connection"
    NIC = "nic"
    CLOUD_RESOURCE = "cloud_resource"
    CONTAINER = "container"
    CONTAINER_IMAGE = "container_image"
    CONTAINER_REGISTRY = "container_registry"
    KUBERNETES = "kubernetes"
    VULNERABILITY = "vulnerability"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EntityRecord:
    """One thing that an alert names.

    `identity`: canonical namespaced keys ("oid:..", "upn:.."), strongest first, never empty.
    `search`: keys that help to find it but don't identify it. `name` and `details` are for people
    and go to the ticket only. `ties`: sharing it can put two alerts into one case.
    """

    kind: Kind
    identity: tuple[str, ...]
    search: tuple[str, ...] = ()
    name: str = ""
    details: tuple[tuple[str, str], ...] = ()
    roles: tuple[str, ...] = ()
    verdict: str = ""
    remediation: str = ""
    ties: bool = False


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert, read completely. Times are aware and in UTC.

    `description` and `recommended_actions` are as the source wrote them, the title is cleaned.
    Personal, so never stored: title, description, recommended_actions, assigned_to, the two URLs,
    entities and sensitive. Everything else has been checked to be safe to store. `sensitive` is
    every text of the document that may name a person or a thing. `unread` says what was not
    understood or left out: short names of evidence types, or a sentence.
    """

    provider_id: str
    source: str
    title: str
    description: str
    recommended_actions: str
    severity: Severity
    status: str
    classification: str
    determination: str
    service_source: str
    detection_source: str
    product: str
    detector_id: str
    categories: tuple[str, ...]
    techniques: tuple[str, ...]
    incident_id: str
    incident_url: str
    alert_url: str
    assigned_to: str
    created_at: datetime
    updated_at: datetime
    first_activity_at: datetime | None
    last_activity_at: datetime | None
    resolved_at: datetime | None
    entities: tuple[EntityRecord, ...]
    sensitive: frozenset[str]
    unread: tuple[str, ...] = ()
