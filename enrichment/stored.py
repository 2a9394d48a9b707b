"""Facts as JSON for the database, and back. Older rows may lack fields: then the default holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from enrichment.facts import (
    AlertFacts,
    AuditFact,
    Known,
    MatchedBy,
    Mfa,
    Prompts,
    SignInFacts,
    UserRisk,
)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def to_json(facts: AlertFacts) -> dict[str, object]:
    """Without the alert's id, which is the row's key."""
    found = _plain(facts)
    assert isinstance(found, dict)  # noqa: S101 a dataclass becomes a dict
    found.pop("alert_id")
    return found


def from_json(alert_id: int, stored: Mapping[str, object]) -> AlertFacts:
    """The facts of a row. A word that this version does not know reads as unknown."""
    return AlertFacts(
        alert_id=alert_id,
        user=_id(stored.get("user")),
        user_count=_number(stored.get("user_count")) or 0,
        sign_in=_sign_in(stored.get("sign_in")),
        sign_in_known=_word(Known, stored.get("sign_in_known", Known.PENDING), Known.UNKNOWN),
        prompts=_prompts(stored.get("prompts")),
        risk=_risk(stored.get("risk")),
        risk_known=_word(Known, stored.get("risk_known", Known.PENDING), Known.UNKNOWN),
        audits=tuple(_audits(stored.get("audits"))),
        audits_known=_word(Known, stored.get("audits_known", Known.PENDING), Known.UNKNOWN),
    )


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def _sign_in(value: object) -> SignInFacts | None:
    if not isinstance(value, dict) or (at := _time(value.get("at"))) is None:
        return None
    matched = value.get("matched_by")
    return SignInFacts(
        at=at,
        request=_id(value.get("request")),
        matched_by=_word(MatchedBy, matched, None) if matched else None,
        error_code=_number(value.get("error_code")),
        mfa=_word(Mfa, value.get("mfa"), Mfa.UNKNOWN),
        method=_text(value.get("method")),
        is_phishing_resistant=value.get("is_phishing_resistant") is True,
        is_interactive=_flag(value.get("is_interactive")),
        address=_id(value.get("address")),
        device=_id(value.get("device")),
        is_managed_device=_flag(value.get("is_managed_device")),
        session=_id(value.get("session")),
        token=_id(value.get("token")),
        app=_id(value.get("app")),
        country=_text(value.get("country")),
        risk=_text(value.get("risk")),
    )


def _prompts(value: object) -> Prompts:
    if not isinstance(value, dict):
        return Prompts()
    return Prompts(_number(value.get("denied")) or 0, _number(value.get("unanswered")) or 0)


def _risk(value: object) -> UserRisk | None:
    if not isinstance(value, dict):
        return None
    detections = value.get("detections")
    words = detections if isinstance(detections, list) else []
    return UserRisk(
        _text(value.get("level")), _text(value.get("state")), tuple(_text(one) for one in words)
    )


def _audits(value: object) -> list[AuditFact]:
    found = []
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict) and (at := _time(one.get("at"))) is not None:
            success = one.get("is_success") is True
            found.append(
                AuditFact(_text(one.get("operation")), at, success, _id(one.get("record")))
            )
    return found


def _word(words: type[E], value: object, otherwise: T) -> E | T:
    try:
        return words(str(value))
    except ValueError:
        return otherwise


def _id(value: object) -> uuid.UUID | None:
    return uuid.UUID(value) if isinstance(value, str) else None


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
