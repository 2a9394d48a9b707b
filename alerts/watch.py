"""Watches the directory audits of people for 72 hours after an odd sign-in.

A watch holds the alert, not the person: whose audits count is compared by pseudonyms, so nobody has
to be looked up. All audits of the directory are read in one go for everybody who is watched, unless
asking for each person is cheaper. A hit is kept as a row of its own beside the alert (a made-up
alert would be one that Microsoft does not know); it opens the alert's case again, whoever closed
it, and raises its priority.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from alerts.content import read_content
from alerts.dossier import TAME
from alerts.proof import PROVABLE
from alerts.refresh import publish
from alerts.reopening import reopen, tell
from alerts.rows import as_json, run
from alerts.subjects import asked_about
from clients.errors import ApiError
from clients.microsoft.audit_logs import (
    audits_by_user,
    audits_of_target,
    directory_audit_pages,
    read_many,
)
from clients.microsoft.batch import BatchRequest
from clients.microsoft.graph import Graph
from enrichment.audits import operation_of, read_audits
from tenants.canonical import canonical_id
from tenants.documents import objects, raw, text
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

LASTS = timedelta(hours=72)
EVERY = timedelta(hours=1)
LAG = timedelta(hours=1)
"""Audits come up to so late: each reading begins so much before the end of the last."""
CLAIMED_FOR = timedelta(minutes=10)
BACK_OFF = (timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1))
PAGE_SIZE = 999
MOST_WATCHED = 500
READS_A_PERSON = 2
"""What a person did, and what was done to them."""
WATCHED_SOURCES = ("azureadidentityprotection",)

PLAN = """
INSERT INTO alerts_watch (alert_id, since, until, read_until, next_at, failures, problem)
SELECT a.id, a.activity_at, a.activity_at + %s, a.activity_at, %s, 0, ''
FROM alerts_alert a
WHERE a.case_id = ANY(%s) AND a.activity_at > %s - %s AND a.activity_at <= %s
  AND (lower(a.service_source) = ANY(%s) OR (lower(a.service_source), lower(a.title)) IN (
    SELECT * FROM unnest(%s::text[], %s::text[])))
  AND EXISTS (SELECT FROM alerts_alertentity l JOIN alerts_entity e ON e.id = l.entity_id
    WHERE l.alert_id = a.id AND e.kind = 'user')
ON CONFLICT (alert_id) DO NOTHING RETURNING id
"""
# One that is due takes all others along: they cost no more.
CLAIM = """
UPDATE alerts_watch SET next_at = %s WHERE id IN (
  SELECT id FROM alerts_watch WHERE next_at IS NOT NULL
    AND EXISTS (SELECT FROM alerts_watch WHERE next_at <= %s)
  ORDER BY next_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, alert_id, since, until, read_until, failures
"""
PEOPLE = """
SELECT l.alert_id, k.pseudonym FROM alerts_alertentity l
JOIN alerts_entity e ON e.id = l.entity_id AND e.kind = 'user'
JOIN alerts_entitykey k ON k.entity_id = e.id AND k.is_identity
WHERE l.alert_id = ANY(%s)
"""
PROVIDER_IDS = "SELECT id, provider_id FROM alerts_alert WHERE id = ANY(%s)"
HITS = """
INSERT INTO alerts_watchhit (watch_id, record, operation, at, is_success)
SELECT w, r, o, t, s FROM jsonb_to_recordset(%s::jsonb)
  AS x(w bigint, r uuid, o text, t timestamptz, s boolean)
ON CONFLICT (watch_id, record) DO NOTHING RETURNING watch_id, operation
"""
DONE = """
UPDATE alerts_watch SET read_until = least(until, %s), failures = 0, problem = '',
  next_at = CASE WHEN until + %s <= %s THEN NULL ELSE %s END
WHERE id = ANY(%s)
"""
FAILED = """
UPDATE alerts_watch SET failures = failures + 1, problem = %s, next_at = %s WHERE id = ANY(%s)
"""
CASES = """
SELECT w.id, c.id, c.status FROM alerts_watch w JOIN alerts_alert a ON a.id = w.alert_id
JOIN alerts_case c ON c.id = a.case_id WHERE w.id = ANY(%s)
"""
# A decision that was thought out without the hit must not be applied any more: see alerts.decide.
TOUCH = "UPDATE alerts_case SET judge_at = 'epoch', changed_at = now() WHERE id = ANY(%s)"
RESOLVED = 2


@dataclass(frozen=True, slots=True)
class Watched:
    """What one run did. `reads`: requests to the audit log."""

    watches: int = 0
    hits: int = 0
    reopened: int = 0
    reads: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Watch:
    id: int
    alert_id: int
    since: datetime
    until: datetime
    read_until: datetime
    failures: int


def plan_watches(case_ids: Iterable[int], now: datetime) -> int:
    """Watch the people of the odd sign-ins in these cases. In the scope; one statement."""
    pairs = [(source, title) for source, titles in PROVABLE.items() for title in sorted(titles)]
    sources, titles = [one for one, _ in pairs], [one for _, one in pairs]
    wanted = [LASTS, now, sorted(case_ids), now, LASTS, now, list(WATCHED_SOURCES), sources, titles]
    return len(run(PLAN, wanted))


def run_watches(
    tenant: Tenant, graph: Graph, pseudonymiser: Pseudonymiser, now: datetime
) -> Watched:
    """Read what happened to everybody who is watched, if that is due. Never raises ApiError.

    Safe to run again, late, or side by side: a hit is kept once, a reading that fails is repeated
    from where the last one ended.
    """
    with scope(tenant):
        watches = [_Watch(*row) for row in run(CLAIM, [now + CLAIMED_FOR, now, MOST_WATCHED])]
        people = _people(watches)
    if not watches:
        return Watched()
    reading = _Reading(graph, pseudonymiser, min(one.read_until for one in watches) - LAG, now)
    try:
        found = reading.everybody(READS_A_PERSON * len(watches))
        if found is None:
            named = _subjects(tenant, graph, watches, pseudonymiser)
            found = reading.each(named) if named is not None else None
        if found is None:
            found = reading.everybody() or []
    except ApiError as err:
        logger.warning("watch failed tenant_id=%s kind=%s", tenant.pk, type(err).__name__)
        _put_off(tenant, watches, err, now)
        return Watched(len(watches), reads=reading.reads, error=str(err))
    with scope(tenant):
        hits, reopened = _keep(tenant.pk, watches, people, found, pseudonymiser, now)
    return Watched(len(watches), hits, reopened, reading.reads)


class _Reading:
    """The audits of a time, and what they cost."""

    def __init__(
        self, graph: Graph, pseudonymiser: Pseudonymiser, since: datetime, until: datetime
    ) -> None:
        self._graph = graph
        self._pseudonymiser = pseudonymiser
        self._since, self._until = since, until
        self.reads = 0

    def everybody(self, most: int | None = None) -> list[object] | None:
        """All audits of the directory; None once that has cost `most`, as asking for each would."""
        documents: list[object] = []
        pages = directory_audit_pages(
            self._graph, since=self._since, until=self._until, page_size=PAGE_SIZE
        )
        for page in pages:
            self.reads += 1
            documents += (one for one in page if _is_worth_it(one))
            if most is not None and self.reads >= most and len(page) >= PAGE_SIZE:
                return None
        self.reads = max(self.reads, 1)
        return documents

    def each(self, people: Mapping[str, str]) -> list[object] | None:
        """The audits by and to each person; None if somebody has more than can be read so.

        `people`: object id, or "", by principal name.
        """
        requests: list[BatchRequest] = []
        for number, (upn, user_id) in enumerate(people.items()):
            span = {"since": self._since, "until": self._until}
            requests.append(audits_by_user(f"by-{number}", user_id=user_id, upn=upn, **span))
            if user_id:
                requests.append(audits_of_target(f"to-{number}", target_id=user_id, **span))
        self.reads += len(requests)
        documents: list[object] = []
        for answer in read_many(self._graph, requests).values():
            if isinstance(answer, ApiError):
                raise answer
            if answer.get("@odata.nextLink"):
                return None
            value = answer.get("value")
            documents += value if isinstance(value, list) else ()
        return documents


def _is_worth_it(document: object) -> bool:
    """Memory holds only records that a hit can come of."""
    for one in objects(document):
        operation = operation_of(text(one.get("activityDisplayName")))
        return operation is not None
    return False


def _people(watches: Sequence[_Watch]) -> dict[int, set[uuid.UUID]]:
    """Pseudonyms of each alert's users."""
    found: dict[int, set[uuid.UUID]] = defaultdict(set)
    for alert_id, pseudonym in run(PEOPLE, [[one.alert_id for one in watches]]):
        found[alert_id].add(pseudonym)
    return found


def _subjects(
    tenant: Tenant, graph: Graph, watches: Sequence[_Watch], pseudonymiser: Pseudonymiser
) -> dict[str, str] | None:
    """Who is watched, by name, for the length of one reading: from the alerts at Microsoft. None
    if one of them does not tell any more.
    """
    with scope(tenant):
        keys = dict(run(PROVIDER_IDS, [[one.alert_id for one in watches]]))
    content = read_content(graph, list(keys.values()), {})
    found: dict[str, str] = {}
    for alert_id, provider_id in keys.items():
        if provider_id not in content:
            return None
        subject = asked_about(alert_id, content[provider_id], pseudonymiser).subject
        if subject is None:
            return None
        found[subject.upn or subject.user_id] = subject.user_id
    return found


def _put_off(tenant: Tenant, watches: Sequence[_Watch], err: ApiError, now: datetime) -> None:
    failures = max(one.failures for one in watches)
    wait = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
    wait = max(wait, timedelta(seconds=err.retry_after_s or 0))
    with scope(tenant):
        run(FAILED, [type(err).__name__[:20], now + wait, [one.id for one in watches]])


def _keep(
    tenant_id: int,
    watches: Sequence[_Watch],
    people: Mapping[int, set[uuid.UUID]],
    documents: Sequence[object],
    pseudonymiser: Pseudonymiser,
    now: datetime,
) -> tuple[int, int]:
    """Store the hits, open and raise their cases. (new hits, cases opened again)"""
    rows = list(_hits(watches, people, documents, pseudonymiser))
    ids = [one.id for one in watches]
    with transaction.atomic():
        operations: dict[int, list[str]] = defaultdict(list)
        new = run(HITS, [as_json(rows)]) if rows else []
        for watch_id, operation in new:
            operations[watch_id].append(operation)
        run(DONE, [now, LAG, now, now + EVERY, ids])
        reopened = _raise_cases(tenant_id, operations) if operations else 0
    if new:
        logger.info("watch found something hits=%s", len(new))
    return len(new), reopened


def _hits(
    watches: Sequence[_Watch],
    people: Mapping[int, set[uuid.UUID]],
    documents: Sequence[object],
    pseudonymiser: Pseudonymiser,
) -> Iterator[dict[str, object]]:
    for document in documents:
        for audit in read_audits([document]):
            if audit.operation.value in TAME:
                continue
            named = set(_named(document, pseudonymiser))
            for watch in watches:
                if watch.since <= audit.at <= watch.until and named & people[watch.alert_id]:
                    yield {
                        "w": watch.id,
                        "r": pseudonymiser.pseudonym("audit", audit.id),
                        "o": audit.operation.value,
                        "t": audit.at,
                        "s": audit.is_success,
                    }


def _named(document: object, pseudonymiser: Pseudonymiser) -> Iterator[uuid.UUID]:
    """Pseudonyms of everybody whom an audit names: who did it, and to whom."""
    for record in objects(document):
        actors = [
            user for one in objects(record.get("initiatedBy")) for user in objects(one.get("user"))
        ]
        for person in (*actors, *objects(record.get("targetResources"))):
            for prefix, name in (("oid", "id"), ("upn", "userPrincipalName")):
                if value := canonical_id(raw(person.get(name))):
                    yield from pseudonymiser.all_versions("user", f"{prefix}:{value}")


def _raise_cases(tenant_id: int, operations: Mapping[int, Sequence[str]]) -> int:
    by_case: dict[int, set[str]] = defaultdict(set)
    closed = set()
    for watch_id, case_id, status in run(CASES, [list(operations)]):
        by_case[case_id] |= set(operations[watch_id])
        if status == RESOLVED:
            closed.add(case_id)
    found = {case: {"operations": sorted(names)} for case, names in by_case.items()}
    opened = reopen({case: found[case] for case in closed}, "watch") if closed else set()
    tell([(case, "watch_hit", facts) for case, facts in found.items()])
    run(TOUCH, [sorted(by_case)])
    publish(tenant_id, by_case)
    return len(opened)
