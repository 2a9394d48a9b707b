"""What can happen, how it is told and how that is signed. Pure.

Bodies, headers and signatures follow https://www.standardwebhooks.com: any library for that can
check them. A body holds ids, times and words of our own, never a title, name or address.
"""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tenants.roles import Right


class Kind(StrEnum):
    CASE_CREATED = "case.created"
    CASE_UPDATED = "case.updated"
    CASE_CLOSED = "case.closed"
    CASE_GONE = "case.gone"
    DECISION_MADE = "decision.made"
    TICKET_FAILED = "ticket.failed"
    TENANT_SILENT = "tenant.silent"
    SCORE_DROPPED = "score.dropped"


TEST = "webhook.test"
EXPLAINED: dict[Kind, str] = {
    Kind.CASE_CREATED: "A case was opened",
    Kind.CASE_UPDATED: "A case changed, or was opened again",
    Kind.CASE_CLOSED: "A case was closed",
    Kind.CASE_GONE: "A case was merged into another, or erased",
    Kind.DECISION_MADE: "The portal decided about a case",
    Kind.TICKET_FAILED: "A ticket could not be made or changed, and was given up",
    Kind.TENANT_SILENT: "A tenant sends far fewer alerts than usual",
    Kind.SCORE_DROPPED: "A tenant's Secure Score fell, not by Microsoft's counting",
}
NEEDED: dict[Kind, Right] = {
    **dict.fromkeys(Kind, Right.SEE_CASES),
    Kind.TENANT_SILENT: Right.SEE_HEALTH,
    Kind.SCORE_DROPPED: Right.SEE_POSTURE,
}
"""The right of the webhook's owner over the tenant, beside that to manage webhooks there."""


@dataclass(frozen=True, slots=True)
class Occurred:
    """One happening. `event_id` is the same for every webhook and in every attempt."""

    event_id: uuid.UUID
    kind: str
    tenant_id: int | None
    at: datetime
    data: Mapping[str, object]

    @property
    def body(self) -> dict[str, object]:
        timestamp = self.at.isoformat().replace("+00:00", "Z")
        return {"type": self.kind, "timestamp": timestamp, "data": dict(self.data)}


def secret_text(key: bytes) -> str:
    """A key as its receiver keeps it."""
    return "whsec_" + base64.b64encode(key).decode()


def sign(keys: Iterable[bytes], event_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature a key, the newest first."""
    message = f"{event_id}.{timestamp}.".encode() + body
    macs = [base64.b64encode(hmac.digest(key, message, "sha256")).decode() for key in keys]
    return " ".join(f"v1,{mac}" for mac in macs)
