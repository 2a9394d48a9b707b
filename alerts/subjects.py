"""From an alert in full to what is to be asked about its user. Pure; ids stay in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from alerts.grouping import Groups
from alerts.records import AlertRecord, EntityRecord, Kind
from enrichment.sign_ins import Wanted
from enrichment.subjects import Question, Subject
from tenants.pseudonyms import Pseudonymiser

_SIGN_IN_SOURCES = frozenset(
    {
        "azureAdIdentityProtection",
        "microsoftDefenderForCloudApps",
        "microsoftSentinel",
        "microsoft365Defender",
    }
)
_SIGN_IN_CATEGORIES = frozenset(
    {"initialaccess", "credentialaccess", "defenseevasion", "lateralmovement", "suspiciousactivity"}
)
_NOT_ABOUT_ACCOUNTS = frozenset(
    {"microsoftDefenderForEndpoint", "microsoftDefenderForCloud", "dataLossPrevention"}
)
"""These name users by the way. What those change in the directory is not read: it costs most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The subject of an alert, None if there is nobody to ask about; how many users it names."""

    subject: Subject | None
    user_count: int


def asked_about(alert_id: int, record: AlertRecord, pseudonymiser: Pseudonymiser) -> Asked:
    """Alerts of one user whom the directory knows by id or principal name."""
    users = _persons(one for one in record.entities if one.kind is Kind.USER)
    if len(users) != 1:
        return Asked(None, len(users))
    keys = users[0]
    user_id, upn = _named(keys, "oid"), _named(keys, "upn")
    if not user_id and not upn:
        return Asked(None, 1)
    wanted = _wanted(record)
    subject = Subject(
        alert_id,
        pseudonymiser.pseudonym(Kind.USER, keys[0]),
        user_id,
        upn,
        wanted,
        _questions(record, wanted, user_id),
    )
    return Asked(subject, 1)


def _persons(entities: Iterable[EntityRecord]) -> list[tuple[str, ...]]:
    """Identity keys of each person; records that share one are one."""
    groups: Groups[str] = Groups()
    given: list[str] = []
    for entity in entities:
        groups.join(entity.identity)
        given += entity.identity
    order = {key: place for place, key in enumerate(dict.fromkeys(given))}
    return [tuple(sorted(found, key=order.__getitem__)) for found in groups.sets().values()]


def _named(keys: Iterable[str], namespace: str) -> str:
    return next((key.partition(":")[2] for key in keys if key.startswith(f"{namespace}:")), "")


def _wanted(record: AlertRecord) -> Wanted:
    def values(kind: Kind, namespace: str) -> frozenset[str]:
        found = (_named(one.identity, namespace) for one in record.entities if one.kind is kind)
        return frozenset(filter(None, found))

    return Wanted(
        at=record.first_activity_at or record.created_at,
        request_ids=values(Kind.LOGON_REQUEST, "request"),
        addresses=values(Kind.IP, "ip"),
        until=record.last_activity_at,
    )


def _questions(record: AlertRecord, wanted: Wanted, user_id: str) -> frozenset[Question]:
    found = set()
    has_session = any(one.kind is Kind.LOGON_SESSION for one in record.entities)
    categories = {category.replace(" ", "").casefold() for category in record.categories}
    is_like_one = record.service_source in _SIGN_IN_SOURCES and (
        has_session or bool(categories & _SIGN_IN_CATEGORIES)
    )
    if wanted.request_ids or (is_like_one and wanted.addresses):
        found.add(Question.SIGN_IN)
    if user_id:
        found.add(Question.RISK)
    if record.service_source not in _NOT_ABOUT_ACCOUNTS or Question.SIGN_IN in found:
        found.add(Question.AUDITS)
    return frozenset(found)


def pseudonym_versions(record: AlertRecord, pseudonymiser: Pseudonymiser) -> list[list[uuid.UUID]]:
    """Of each identity that the alert names: its pseudonyms, newest first, if there are several."""
    found = [
        pseudonymiser.all_versions(entity.kind.value, key)
        for entity in record.entities
        for key in (*entity.identity, *entity.search)
    ]
    return [versions for versions in found if len(versions) > 1]
