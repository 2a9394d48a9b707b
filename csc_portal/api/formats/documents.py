"""What the open schemas are made of: a case and an alert, as the portal knows them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenants.pseudonyms import label

PRODUCT = "CSC Portal"

TACTICS = {
    "reconnaissance": ("TA0043", "Reconnaissance"),
    "resourcedevelopment": ("TA0042", "Resource Development"),
    "initialaccess": ("TA0001", "Initial Access"),
    "execution": ("TA0002", "Execution"),
    "persistence": ("TA0003", "Persistence"),
    "privilegeescalation": ("TA0004", "Privilege Escalation"),
    "defenseevasion": ("TA0005", "Defense Evasion"),
    "credentialaccess": ("TA0006", "Credential Access"),
    "discovery": ("TA0007", "Discovery"),
    "lateralmovement": ("TA0008", "Lateral Movement"),
    "collection": ("TA0009", "Collection"),
    "commandandcontrol": ("TA0011", "Command and Control"),
    "exfiltration": ("TA0010", "Exfiltration"),
    "impact": ("TA0040", "Impact"),
}
"""Microsoft's categories that are tactics of MITRE ATT&CK (Enterprise) -> id and name."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity. Its pseudonym differs between tenants."""

    kind: str
    pseudonym: uuid.UUID

    @property
    def label(self) -> str:
        """As pages say it: "User K7Q-93F"."""
        return label(self.kind, self.pseudonym)


@dataclass(frozen=True, slots=True)
class CaseDocument:
    """A case. `status`: 0 new, 1 in progress, 2 resolved. `severity`: 0 unknown ... 4 high."""

    public_id: uuid.UUID
    number: int
    tenant: str
    title: str
    category: str
    source: str
    status: int
    severity: int
    priority: int
    verdict: str
    ticket: str
    alert_count: int
    things: Sequence[Thing]
    first_activity_at: datetime
    last_activity_at: datetime
    opened_at: datetime
    changed_at: datetime

    @property
    def is_new(self) -> bool:
        return self.status < 2 and (self.changed_at - self.opened_at).total_seconds() < 1


@dataclass(frozen=True, slots=True)
class AlertDocument:
    """An alert. `status` in Microsoft's words: new, inProgress, resolved."""

    provider_id: str
    case: uuid.UUID | None
    tenant: str
    title: str
    category: str
    techniques: Sequence[str]
    source: str
    product: str
    detector: str
    severity: int
    status: str
    classification: str
    things: Sequence[Thing]
    created_at: datetime
    updated_at: datetime
    activity_at: datetime
    last_activity_at: datetime


def tactic_of(category: str) -> tuple[str, str] | None:
    """Id and name of the tactic that a category names, if it is one."""
    return TACTICS.get("".join(c for c in category if c.isalnum()).casefold())


def milliseconds(at: datetime) -> int:
    """Since 1970, as OCSF's `timestamp_t` wants it."""
    return round(at.timestamp() * 1000)
