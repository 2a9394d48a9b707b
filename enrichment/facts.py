"""What is known about the sign-in, the user and the things behind an alert.

Frozen values, metadata and pseudonyms only, that enrichment makes and that priority, policy and the
proof read. Whatever is not known says why: nothing is assumed.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Known(StrEnum):
    """Whether a question to Microsoft has been answered."""

    YES = "yes"
    PENDING = "pending"
    """Not there yet, and logs lag: asked again later."""
    UNKNOWN = "unknown"
    """The lag has passed and nothing came. That is final."""
    NOT_ASKED = "not_asked"
    """The question makes no sense for this alert (no user in it, several, too old). Final."""
    NO_LICENCE = "no_licence"
    NO_PERMISSION = "no_permission"
    FAILED = "failed"
    """The source is down or throttled: asked again later."""

    @property
    def is_final(self) -> bool:
        return self not in (Known.PENDING, Known.FAILED)


class Mfa(StrEnum):
    """What multi-factor authentication did in one sign-in."""

    PERFORMED = "performed"
    """A step of it succeeded in this very sign-in."""
    CLAIM = "claim"
    """Satisfied by a claim in the token: done at another time, and stolen tokens carry it. Also MFA
    that signs another device in: by a device code, or a transfer."""
    NOT_REQUIRED = "not_required"
    DENIED = "denied"
    """The user refused a prompt, reported it as fraud or entered a wrong code."""
    UNANSWERED = "unanswered"
    UNKNOWN = "unknown"


class MatchedBy(StrEnum):
    """How the sign-in that an alert is about was found, the surest first."""

    REQUEST = "request_id"
    CORRELATION = "correlation_id"
    ADDRESS_AND_TIME = "user_address_time"


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """One sign-in. `request`, `address`, `device`, `session`, `token`: pseudonyms, None if absent.

    `country` is an ISO 3166 code or "". `method` is a word of our own list (`fido2`, `app`, ...) or
    "". `risk`: Microsoft's level during the sign-in. `error_code`: 0 is success.
    """

    at: datetime
    request: uuid.UUID | None = None
    matched_by: MatchedBy | None = None
    error_code: int | None = None
    mfa: Mfa = Mfa.UNKNOWN
    method: str = ""
    is_phishing_resistant: bool = False
    is_interactive: bool | None = None
    address: uuid.UUID | None = None
    device: uuid.UUID | None = None
    is_managed_device: bool | None = None
    session: uuid.UUID | None = None
    token: uuid.UUID | None = None
    app: uuid.UUID | None = None
    country: str = ""
    risk: str = ""

    @property
    def succeeded(self) -> bool:
        return self.error_code == 0


@dataclass(frozen=True, slots=True)
class Prompts:
    """MFA prompts of the user in the hours before the sign-in that were not granted."""

    denied: int = 0
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class UserRisk:
    """Entra ID Protection's opinion of the user now. `detections`: riskEventTypes, open list."""

    level: str = ""
    state: str = ""
    detections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditFact:
    """A directory change by or to the user that is worth knowing. `operation`: our word for it."""

    operation: str
    at: datetime
    is_success: bool = True
    record: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Everything that enrichment found for one alert.

    `sign_in` is the very sign-in that the alert is about, or None; `sign_in_known` says why it is
    None, or that not all around it was read. Likewise `risk` and `audits`. Only YES may be relied
    on: with PENDING there may be a first answer already, which the lag of the logs can still
    change. All of it is about one user; `user_count` tells how many the alert names.
    """

    alert_id: int
    user: uuid.UUID | None = None
    user_count: int = 0
    sign_in: SignInFacts | None = None
    sign_in_known: Known = Known.PENDING
    prompts: Prompts = field(default_factory=Prompts)
    risk: UserRisk | None = None
    risk_known: Known = Known.PENDING
    audits: tuple[AuditFact, ...] = ()
    audits_known: Known = Known.PENDING


@dataclass(frozen=True, slots=True)
class AssetMark:
    """An entity of the case belongs to a class: `vip`, `crown_jewel`, or the tenant's own."""

    entity: uuid.UUID
    kind: str
    asset_class: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many closed cases people judged in which way."""

    true_positive: int = 0
    false_positive: int = 0
    expected: int = 0


@dataclass(frozen=True, slots=True)
class PastVerdicts(Verdicts):
    """Of the tenant's other cases with the same detection; `same_entity`: those that share a
    person, device or the like with this one, counted in the first numbers, too.

    What the portal closed by itself is not counted: it would confirm itself.
    """

    same_entity: Verdicts = field(default_factory=Verdicts)


class TraceKind(StrEnum):
    """What a sign-in leaves behind, by which it can be met again."""

    TOKEN = "token"  # noqa: S105 a kind of trace, not a secret
    SESSION = "session"
    DEVICE = "device"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class SharedTrace:
    """A trace of the sign-in of `alert_id` is also in `case_id`, another open case."""

    alert_id: int
    kind: TraceKind
    case_id: int


@dataclass(frozen=True, slots=True)
class CaseEvidence:
    """What is known about a case: facts of each of its alerts, and of the tenant's past."""

    alerts: tuple[AlertFacts, ...] = ()
    marks: tuple[AssetMark, ...] = ()
    past: PastVerdicts = field(default_factory=PastVerdicts)
    shared_elsewhere: tuple[SharedTrace, ...] = ()
