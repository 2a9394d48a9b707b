"""What a person's sign-ins and directory changes were lately, read at this moment.

For a page that shows names: nothing of it is stored, and whoever calls writes the audit entry.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.asking import Asking
from alerts.content import read_content
from alerts.records import AlertRecord, Kind
from alerts.rows import run
from clients.errors import ApiError
from clients.http import Policy
from clients.microsoft.graph import Graph
from enrichment.audits import Audit
from enrichment.facts import Known, UserRisk
from enrichment.sign_ins import SignIn, Wanted
from enrichment.subjects import Group, Question, Subject
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

LOOK_BACK = timedelta(days=7)
MOST_SIGN_INS = 50
IMPATIENT = Policy(read_s=10, deadline_s=12, attempts=1, retry_after_cap_s=2, governor_wait_s=4)

NEWEST = """
SELECT a.provider_id, a.id FROM alerts_alertentity l JOIN alerts_alert a ON a.id = l.alert_id
WHERE l.entity_id = %s ORDER BY l.at DESC LIMIT 3
"""
KEYS = "SELECT pseudonym FROM alerts_entitykey WHERE entity_id = %s AND is_identity LIMIT 500"
SENTENCES = {
    Known.NO_LICENCE: "the directory has no licence for it (Entra ID P1 or P2).",
    Known.NO_PERMISSION: "the app has no permission for it. Let an administrator consent.",
    Known.FAILED: "Microsoft did not answer. Try again.",
    Known.PENDING: "the limit of calls is used up. Try again in some seconds.",
    Known.UNKNOWN: "there are too many records to show.",
}
NO_PSEUDONYM = uuid.UUID(int=0)
NOBODY = "No alert that Microsoft still has names this person by an id of the directory."


@dataclass(frozen=True, slots=True)
class LiveUser:
    """Newest first. Names and ids: for one answer with `no-store` only. `problems`: sentences."""

    sign_ins: tuple[SignIn, ...] = ()
    audits: tuple[Audit, ...] = ()
    risk: UserRisk | None = None
    problems: tuple[str, ...] = ()


def read_user(
    tenant: Tenant, entity_id: int, graph: Graph, pseudonymiser: Pseudonymiser, now: datetime
) -> LiveUser:
    """The last week of a person that alerts name. Two queries; never raises ApiError."""
    with scope(tenant):
        alerts = [key for key, _ in run(NEWEST, [entity_id])]
        keys = {key for (key,) in run(KEYS, [entity_id])}
    hasty = graph.with_policy(IMPATIENT)
    try:
        content = read_content(hasty, alerts, {})
    except ApiError as err:
        return LiveUser(problems=(str(err),))
    found = _ids(list(content.values()), keys, pseudonymiser)
    if found is None:
        return LiveUser(problems=(NOBODY,))
    return _read(Asking(hasty), *found, now)


def _ids(
    records: list[AlertRecord], keys: set[uuid.UUID], pseudonymiser: Pseudonymiser
) -> tuple[str, str] | None:
    """(object id, principal name) of the person with these pseudonyms; one may be ""."""
    for record in records:
        for entity in record.entities:
            if entity.kind is not Kind.USER:
                continue
            own = [
                one for key in entity.identity for one in pseudonymiser.all_versions("user", key)
            ]
            if keys.intersection(own):
                named = dict(key.split(":", 1) for key in reversed(entity.identity))
                if named.get("oid") or named.get("upn"):
                    return named.get("oid", ""), named.get("upn", "")
    return None


def _read(asking: Asking, user_id: str, upn: str, now: datetime) -> LiveUser:
    questions = {Question.SIGN_IN, Question.AUDITS} | ({Question.RISK} if user_id else set())
    # Two moments, so that everything between them is read as one range.
    moments = (now - LOOK_BACK, now - timedelta(minutes=15))
    subjects = tuple(
        Subject(0, NO_PSEUDONYM, user_id, upn, Wanted(at), frozenset(questions)) for at in moments
    )
    found = asking.about(Group(user_id, upn, subjects), now)
    known = {
        "Sign-ins": found.sign_ins_known, "Directory changes": found.audits_known,
        "Risk": found.risk_known,
    }  # fmt: skip
    return LiveUser(
        tuple(sorted(found.sign_ins, key=lambda one: one.at, reverse=True)[:MOST_SIGN_INS]),
        tuple(sorted(found.audits, key=lambda one: one.at, reverse=True)),
        found.risk,
        tuple(f"{what}: {SENTENCES[state]}" for what, state in known.items() if state in SENTENCES),
    )
