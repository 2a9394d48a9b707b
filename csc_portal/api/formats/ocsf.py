"""OCSF 1.3: a case is an Incident Finding (2005), an alert a Detection Finding (2004).

https://schema.ocsf.io/1.3.0/classes/incident_finding and .../detection_finding. An observable holds
a pseudonym, so its type is "Other" with our own word: one of OCSF's types would promise an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from csc_portal.api.formats.documents import (
    PRODUCT,
    AlertDocument,
    CaseDocument,
    Thing,
    milliseconds,
    tactic_of,
)

VERSION = "1.3.0"
CATEGORY = 2
DETECTION = 2004
INCIDENT = 2005
CREATE, UPDATE, CLOSE = 1, 2, 3
ACTIVITIES = {CREATE: "Create", UPDATE: "Update", CLOSE: "Close"}
SEVERITIES = ("Unknown", "Informational", "Low", "Medium", "High")
"""By `severity_id`; our ranks are the same numbers."""
CASE_STATUS = ((1, "New"), (2, "In Progress"), (4, "Resolved"))
ALERT_STATUS = {"new": (1, "New"), "inProgress": (2, "In Progress"), "resolved": (4, "Resolved")}
VERDICTS = {
    "truePositive": (2, "True Positive"),
    "falsePositive": (1, "False Positive"),
    "informationalExpectedActivity": (5, "Benign"),
}
PRIORITIES = ((75, 4, "Critical"), (50, 3, "High"), (25, 2, "Medium"), (0, 1, "Low"))
"""From so many points on."""
MATRIX = "https://attack.mitre.org"
Json = dict[str, object]


def incident_finding(case: CaseDocument) -> Json:
    activity = CLOSE if case.status == 2 else CREATE if case.is_new else UPDATE
    status_id, status = CASE_STATUS[case.status]
    info: Json = {
        "uid": str(case.public_id),
        "title": case.title,
        "types": [case.category] if case.category else [],
        "attacks": _attacks(case.category, ()),
        "data_sources": [case.source],
        "related_events_count": case.alert_count,
        "created_time": milliseconds(case.opened_at),
        "modified_time": milliseconds(case.changed_at),
        "first_seen_time": milliseconds(case.first_activity_at),
        "last_seen_time": milliseconds(case.last_activity_at),
    }
    found = _event(INCIDENT, activity, case.severity, milliseconds(case.changed_at))
    found |= {
        "metadata": _metadata(case.tenant, profiles=[]),
        "finding_info_list": [info],
        "status_id": status_id,
        "status": status,
        "desc": case.title,
        # A person's name would be the provider's business: the group is enough for the schema.
        "assignee_group": {"name": PRODUCT},
        "start_time": milliseconds(case.first_activity_at),
        "end_time": milliseconds(case.last_activity_at),
        "observables": _observables(case.things),
        **_verdict(case.verdict),
    }
    found["priority_id"], found["priority"] = next(
        (number, word) for points, number, word in PRIORITIES if max(0, case.priority) >= points
    )
    if case.ticket:
        found["ticket"] = {"uid": case.ticket}
    return found


def detection_finding(alert: AlertDocument) -> Json:
    status_id, status = ALERT_STATUS.get(alert.status, (0, "Unknown"))
    activity = UPDATE if alert.updated_at > alert.created_at else CREATE
    if status_id == 4:
        activity = CLOSE
    info: Json = {
        "uid": alert.provider_id,
        "title": alert.title,
        "types": [alert.category] if alert.category else [],
        "attacks": _attacks(alert.category, alert.techniques),
        "data_sources": [alert.source],
        "product": {"vendor_name": "Microsoft", "name": alert.product or alert.source},
        "created_time": milliseconds(alert.created_at),
        "modified_time": milliseconds(alert.updated_at),
        "first_seen_time": milliseconds(alert.activity_at),
        "last_seen_time": milliseconds(alert.last_activity_at),
    }
    if alert.detector:
        info["analytic"] = {"type_id": 1, "type": "Rule", "uid": alert.detector}
    judged = _verdict(alert.classification)
    metadata = _metadata(alert.tenant, profiles=["incident"] if judged else [])
    if alert.case:
        metadata["correlation_uid"] = str(alert.case)
    found = _event(DETECTION, activity, alert.severity, milliseconds(alert.created_at))
    return found | {
        "metadata": metadata,
        "finding_info": info,
        "status_id": status_id,
        "status": status,
        "message": alert.title,
        "start_time": milliseconds(alert.activity_at),
        "end_time": milliseconds(alert.last_activity_at),
        "observables": _observables(alert.things),
        **judged,
    }


def _event(class_uid: int, activity: int, severity: int, time: int) -> Json:
    """What every event of OCSF has."""
    return {
        "class_uid": class_uid,
        "class_name": "Incident Finding" if class_uid == INCIDENT else "Detection Finding",
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": ACTIVITIES[activity],
        "type_uid": class_uid * 100 + activity,
        "severity_id": severity,
        "severity": SEVERITIES[severity],
        "time": time,
    }


def _metadata(tenant: str, *, profiles: list[str]) -> Json:
    return {
        "version": VERSION,
        "product": {"vendor_name": PRODUCT, "name": PRODUCT},
        "profiles": profiles,
        "tenant_uid": tenant,
    }


def _verdict(word: str) -> Json:
    if word not in VERDICTS:
        return {}
    number, caption = VERDICTS[word]
    return {"verdict_id": number, "verdict": caption}


def _attacks(category: str, techniques: Sequence[str]) -> list[Json]:
    """One object a technique, with the tactic; the tactic alone if no technique is known."""
    tactic = tactic_of(category)
    shared: Json = {"tactic": {"uid": tactic[0], "name": tactic[1]}} if tactic else {}
    found = [_technique(technique) | shared for technique in techniques]
    return found or ([shared] if shared else [])


def _technique(technique: str) -> Json:
    parent, dot, _ = technique.partition(".")
    found: Json = {"technique": {"uid": parent, "src_url": f"{MATRIX}/techniques/{parent}/"}}
    if dot:
        found["sub_technique"] = {"uid": technique}
    return found


def _observables(things: Iterable[Thing]) -> list[Json]:
    return [
        {
            "name": f"csc.{thing.kind}",
            "type_id": 99,
            "type": "Pseudonym",
            "value": str(thing.pseudonym),
        }
        for thing in things
    ]
