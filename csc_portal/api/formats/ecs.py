"""Elastic Common Schema 8.11: cases and alerts as documents of `event.kind: alert`.

https://www.elastic.co/guide/en/ecs/8.11. `related.user` and `related.hosts` hold pseudonyms, which
are keywords there. `related.ip` is of the type `ip` and would refuse one: addresses, like all other
things, stand in `csc.entities`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from csc_portal.api.formats.documents import (
    PRODUCT,
    AlertDocument,
    CaseDocument,
    Thing,
    tactic_of,
)

VERSION = "8.11.0"
USERS = frozenset({"user", "mailbox", "service_principal"})
HOSTS = frozenset({"device", "iot_device"})
Json = dict[str, object]


def case_document(case: CaseDocument) -> Json:
    event: Json = {
        "id": str(case.public_id),
        "kind": "alert",
        "category": ["intrusion_detection"],
        "type": ["info"],
        "module": "csc_portal",
        "dataset": "csc_portal.case",
        "provider": case.source,
        "severity": case.severity,
        "risk_score": float(case.priority),
        "created": _time(case.opened_at),
        "start": _time(case.first_activity_at),
        "end": _time(case.last_activity_at),
    }
    found = _document(case.changed_at, case.tenant, case.title, event, case.things)
    return found | {
        **_threat(case.category, ()),
        "csc": {
            "case": {"number": case.number, "status": case.status, "verdict": case.verdict,
                     "ticket": case.ticket, "alerts": case.alert_count},
            "entities": _entities(case.things),
        },
    }  # fmt: skip


def alert_document(alert: AlertDocument) -> Json:
    event: Json = {
        "id": alert.provider_id,
        "kind": "alert",
        "category": ["intrusion_detection"],
        "type": ["info"],
        "module": "csc_portal",
        "dataset": "csc_portal.alert",
        "provider": alert.source,
        "severity": alert.severity,
        "created": _time(alert.created_at),
        "start": _time(alert.activity_at),
        "end": _time(alert.last_activity_at),
    }
    found = _document(alert.updated_at, alert.tenant, alert.title, event, alert.things)
    rule: Json = {"name": alert.title, "ruleset": alert.product or alert.source}
    if alert.detector:
        rule["id"] = alert.detector
    case = str(alert.case) if alert.case else ""
    return found | {
        "rule": rule,
        **_threat(alert.category, alert.techniques),
        "csc": {
            "alert": {"case": case, "status": alert.status, "verdict": alert.classification},
            "entities": _entities(alert.things),
        },
    }


def _document(
    at: datetime, tenant: str, message: str, event: Json, things: Sequence[Thing]
) -> Json:
    return {
        "@timestamp": _time(at),
        "ecs": {"version": VERSION},
        "message": message,
        "event": event,
        "observer": {"vendor": PRODUCT, "product": PRODUCT},
        "organization": {"id": tenant},
        "related": {
            "user": [str(thing.pseudonym) for thing in things if thing.kind in USERS],
            "hosts": [str(thing.pseudonym) for thing in things if thing.kind in HOSTS],
        },
    }


def _threat(category: str, techniques: Sequence[str]) -> Json:
    tactic = tactic_of(category)
    if not tactic and not techniques:
        return {}
    threat: Json = {"framework": "MITRE ATT&CK"}
    if tactic:
        threat["tactic"] = {"id": [tactic[0]], "name": [tactic[1]]}
    if techniques:
        parents = list(dict.fromkeys(one.partition(".")[0] for one in techniques))
        technique: Json = {"id": parents}
        if subs := [one for one in techniques if "." in one]:
            technique["subtechnique"] = {"id": subs}
        threat["technique"] = technique
    return {"threat": threat}


def _entities(things: Iterable[Thing]) -> list[Json]:
    return [{"kind": thing.kind, "pseudonym": str(thing.pseudonym)} for thing in things]


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
