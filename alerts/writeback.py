"""Tells Microsoft what was decided here, as the outbox says: alerts first, then their incidents.

What is to be changed is read first and stored as a poll stores it: whatever people changed there
meanwhile has gone into the case by then, and is not overwritten. Microsoft's answer is stored in
the same way, so that the next poll finds nothing new. A PATCH sets the same again if it is
repeated; a comment holds our reference and is looked for before it is repeated. So it does no harm
to be killed at any step. One worker at a time sends for a tenant (`csc_portal.outcome`).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.agreement import said
from alerts.feed import take_documents
from alerts.models import Alert, CaseEvent, WriteBack
from alerts.normalise.enums import CLASSIFICATIONS, DETERMINATIONS
from alerts.verdicts import VERDICTS
from clients.errors import ApiError, Forbidden, NotFound, RateLimited, Rejected
from clients.microsoft.batch import Results
from clients.microsoft.graph import Graph
from clients.microsoft.security import (
    alerts_by_id,
    comment_alert,
    comment_incident,
    incidents_by_id,
    update_alerts,
    update_incidents,
)
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser
from tenants.scope import scope

logger = logging.getLogger(__name__)

Kind, State = WriteBack.Kind, WriteBack.State
ROWS_A_ROUND = 40
MOST_ATTEMPTS = 30
FIRST_WAIT_S, LONGEST_WAIT_S = 30, 3600
RARELY = timedelta(hours=6)
PERMISSION = {
    Kind.ALERT: "SecurityAlert.ReadWrite.All",
    Kind.INCIDENT: "SecurityIncident.ReadWrite.All",
}
LACKING = (
    "Microsoft does not let the portal write: grant the app {permission} and let an administrator "
    "of the customer consent again, or switch write-back off. It is tried again every few hours."
)
FOREIGN = "Left alone: it also holds alerts that are not in this case."
_INCIDENT_STATUS = {"new": "active"}

AddressesOf = Callable[[Iterable[int]], Mapping[int, str]]
"""Ids of public.user -> their user principal names, for those that have one."""


@dataclass(slots=True)
class Written:
    """What a run did. `wait_s` is set when Microsoft's limit stopped it."""

    written: int = 0
    failed: int = 0
    error: str = ""
    wait_s: float = 0


@dataclass(slots=True)
class _Round:
    """One run's helpers and what was tried in it."""

    tenant: Tenant
    graph: Graph
    pseudonymiser: Pseudonymiser
    now: Callable[[], datetime]
    addresses_of: AddressesOf
    at_once: bool
    sent: Written = field(default_factory=Written)
    tried: set[int] = field(default_factory=set)


def send_write_backs(
    tenant: Tenant,
    graph: Graph,
    pseudonymiser: Pseudonymiser,
    now: Callable[[], datetime],
    addresses_of: AddressesOf,
    *,
    at_once: bool = False,
) -> Written:
    """Send what is due; with `at_once` also what waits for a retry. Enters scopes itself."""
    run = _Round(tenant, graph, pseudonymiser, now, addresses_of, at_once)
    for kind in (Kind.ALERT, Kind.INCIDENT):
        while rows := _due(run, kind):
            run.tried.update(row.pk for row in rows)
            try:
                if kind == Kind.ALERT:
                    _send_alerts(run, rows)
                else:
                    _send_incidents(run, rows)
            except ApiError as err:  # of the whole call: no token, say
                for row in rows:
                    _fail(run, row, err)
                if isinstance(err, RateLimited):
                    run.sent.wait_s = err.retry_after_s or FIRST_WAIT_S
                return run.sent
            if run.sent.wait_s:
                return run.sent
    return run.sent


def next_due() -> datetime | None:
    """When the next of the tenant's write-backs is due. Inside the scope."""
    rows = WriteBack.objects.filter(state=State.PENDING).order_by("due_at")
    return rows.values_list("due_at", flat=True).first()


def problem() -> str:
    """What keeps decisions from Microsoft, as one sentence, or "". Inside the tenant's scope."""
    waiting = WriteBack.objects.filter(state=State.PENDING).exclude(error="").order_by("-pk")
    return waiting.values_list("error", flat=True).first() or ""


def _due(run: _Round, kind: str) -> list[WriteBack]:
    with scope(run.tenant):
        rows = WriteBack.objects.filter(kind=kind, state=State.PENDING).exclude(pk__in=run.tried)
        if not run.at_once:
            lacking = rows.filter(due_at__gt=run.now(), error=_lacking(kind))
            if until := lacking.values_list("due_at", flat=True).first():
                rows.filter(due_at__lte=run.now()).update(due_at=until, error=_lacking(kind))
                return []
            rows = rows.filter(due_at__lte=run.now())
        return list(rows.select_related("case").order_by("due_at", "pk")[:ROWS_A_ROUND])


# --- alerts ---------------------------------------------------------------------------------------


def _send_alerts(run: _Round, rows: list[WriteBack]) -> None:
    found = _take(run, rows, alerts_by_id(run.graph, [row.target_id for row in rows]))
    rows = _reread(run, [row for row in rows if row.target_id in found])
    addresses = _addresses(run, rows)
    changes = {
        row.target_id: fields
        for row in rows
        if (fields := {**_waiting(row), **_assignment(row, found[row.target_id], addresses)})
    }
    answers = update_alerts(run.graph, changes) if changes else {}
    done = _take(run, [row for row in rows if row.target_id in changes], answers)
    for row in rows:
        if row.target_id not in changes or row.target_id in done:
            _finish(run, row, found[row.target_id], is_written=row.target_id in changes)


def _take(run: _Round, rows: list[WriteBack], answers: Results) -> dict[str, Mapping[str, object]]:
    """Store the alerts among the answers as a poll does; what failed is written down."""
    documents: dict[str, Mapping[str, object]] = {}
    for row in rows:
        answer = answers[row.target_id]
        if isinstance(answer, ApiError):
            _fail(run, row, answer)
        else:
            documents[row.target_id] = answer
    whole = [one for one in documents.values() if one.get("id")]  # a 204 says nothing
    if whole:
        take_documents(run.tenant, whole, run.pseudonymiser)
    return documents


def _reread(run: _Round, rows: list[WriteBack]) -> list[WriteBack]:
    """What is still to be sent after Microsoft's side was stored."""
    with scope(run.tenant):
        left = WriteBack.objects.filter(pk__in=[row.pk for row in rows], state=State.PENDING)
        return list(left.select_related("case").order_by("pk"))


def _waiting(row: WriteBack) -> dict[str, object]:
    return {name: row.wanted[name] for name in row.wanted.get("waiting", [])}


def _addresses(run: _Round, rows: Iterable[WriteBack]) -> Mapping[int, str]:
    people = {pk for row in rows for pk in (row.assign_to, row.assigned) if pk}
    return run.addresses_of(people) if people else {}


def _assignment(
    row: WriteBack, theirs: Mapping[str, object], addresses: Mapping[int, str]
) -> dict[str, object]:
    """`assignedTo`, unless somebody else of theirs has it, or our user has no address there."""
    if row.assign_to == row.assigned:
        return {}
    has_it = str(theirs.get("assignedTo") or "").casefold()
    wanted = addresses.get(row.assign_to or 0, "")
    was_ours = addresses.get(row.assigned or 0, "").casefold()
    if has_it not in ("", was_ours) or has_it == wanted.casefold():
        return {}
    if not wanted and (row.assign_to is not None or not has_it):
        return {}
    return {"assignedTo": wanted or None}


# --- incidents ------------------------------------------------------------------------------------


def _send_incidents(run: _Round, rows: list[WriteBack]) -> None:
    answers = incidents_by_id(run.graph, [row.target_id for row in rows])
    found: dict[str, Mapping[str, object]] = {}
    for row in rows:
        answer = answers[row.target_id]
        if isinstance(answer, ApiError):
            _fail(run, row, answer)
        elif not _is_ours(run, row, answer):
            _save(run, row, state=State.AGREED, error=FOREIGN)
        else:
            found[row.target_id] = answer
    rows = [row for row in rows if row.target_id in found]
    addresses = _addresses(run, rows)
    changes = {
        row.target_id: fields
        for row in rows
        if (
            fields := {
                **_of_incident(row, found[row.target_id]),
                **_assignment(row, found[row.target_id], addresses),
            }
        )
    }
    results = update_incidents(run.graph, changes) if changes else {}
    for row in rows:
        answer = results.get(row.target_id, {})
        if isinstance(answer, ApiError):
            _fail(run, row, answer)
            continue
        _save(run, row, base=_said_by_incident(answer or found[row.target_id]))
        _finish(run, row, found[row.target_id], is_written=row.target_id in changes)


def _is_ours(run: _Round, row: WriteBack, incident: Mapping[str, object]) -> bool:
    """Whether all of its alerts are in the case: resolving it would resolve them all."""
    if incident.get("status") == "redirected" or incident.get("alerts@odata.nextLink"):
        return False
    alerts = incident.get("alerts")
    given = alerts if isinstance(alerts, list) else []
    ids = {str(one.get("id")) for one in given if isinstance(one, dict)}
    with scope(run.tenant):
        mine = Alert.objects.filter(case_id=row.case_id, provider_id__in=ids)
        return bool(ids) and mine.count() == len(ids)


def _said_by_incident(incident: Mapping[str, object]) -> dict[str, str]:
    status = str(incident.get("status"))
    known = {"active": "new", "inProgress": "inProgress", "resolved": "resolved"}
    classification = str(incident.get("classification") or "").casefold()
    determination = str(incident.get("determination") or "").casefold()
    return said(
        known.get(status, ""),
        CLASSIFICATIONS.get(classification, ""),
        DETERMINATIONS.get(determination, ""),
    )


def _of_incident(row: WriteBack, incident: Mapping[str, object]) -> dict[str, object]:
    """What to set: what somebody there chose since we looked stays."""
    theirs, base = _said_by_incident(incident), row.base
    fields: dict[str, object] = {}
    for name in row.wanted.get("waiting", []):
        ours, usual = row.wanted[name], "new" if name == "status" else ""
        if theirs[name] == ours:
            continue
        # Defender resolves and reopens an incident by itself when its alerts are.
        if name != "status" and theirs[name] not in (usual, base.get(name, usual)):
            continue
        fields[name] = _INCIDENT_STATUS.get(ours, ours) if name == "status" else ours
    return fields


# --- how it ended ---------------------------------------------------------------------------------


def _finish(run: _Round, row: WriteBack, before: Mapping[str, object], *, is_written: bool) -> None:
    """The comment, if one belongs to it, then the row."""
    run.sent.written += is_written
    if row.comment:
        reference = f"{row.case.reference}/m{row.version}"
        try:
            if not _has_comment(before, reference):
                _comment(run.graph, row, reference)
        except ApiError as err:
            _fail(run, row, err)
            return
    _save(run, row, state=State.SENT, error="", sent_at=run.now(), assigned=row.assign_to)
    if is_written and row.comment:
        with scope(run.tenant):
            facts = {"fields": sorted(row.wanted.get("waiting", []))}
            CaseEvent.objects.create(case_id=row.case_id, kind="told_microsoft", facts=facts)


def _has_comment(document: Mapping[str, object], reference: str) -> bool:
    comments = document.get("comments")
    return isinstance(comments, list) and any(
        f"[{reference}]" in str(one.get("comment")) for one in comments if isinstance(one, dict)
    )


def _comment(graph: Graph, row: WriteBack, reference: str) -> None:
    """Our own words only: no name and no text of people is kept to be said here."""
    verdict = VERDICTS.get(row.wanted.get("classification", ""), "").lower()
    said_there = "Reopened in CSC Portal."
    if row.comment == "resolved":
        said_there = f"Closed in CSC Portal{f' as {verdict}' if verdict else ''}."
    write = comment_alert if row.kind == Kind.ALERT else comment_incident
    write(graph, row.target_id, f"{said_there} [{reference}]")


def _save(run: _Round, row: WriteBack, **values: object) -> None:
    """Unless the case moved on meanwhile: then what it says now is planned anew."""
    with scope(run.tenant):
        same = WriteBack.objects.filter(pk=row.pk, version=row.version)
        if values.get("state") == State.SENT:
            same = same.filter(state=State.PENDING)
        same.update(**values)


def _fail(run: _Round, row: WriteBack, err: ApiError) -> None:
    """Final for what is not there or refused; rarely again without the permission; else backoff,
    without end where the fault may pass: no outage and no limit costs a decision.
    """
    run.sent.failed += 1
    run.sent.error = str(err)
    attempts = row.attempts + 1
    if isinstance(err, Forbidden):
        run.sent.error = _lacking(row.kind)
        until = run.now() + RARELY
        with scope(run.tenant):
            waiting = WriteBack.objects.filter(kind=row.kind, state=State.PENDING)
            run.tried.update(waiting.values_list("pk", flat=True))
            waiting.update(due_at=until, error=run.sent.error)
        logger.warning("Microsoft may not be written to tenant_id=%s", run.tenant.pk)
        return
    is_final = isinstance(err, NotFound) or (attempts >= MOST_ATTEMPTS and not err.retryable)
    is_final = is_final or (isinstance(err, Rejected) and err.status is not None)
    if isinstance(err, RateLimited):
        run.sent.wait_s = err.retry_after_s or FIRST_WAIT_S
    backoff = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempts - 1, 10))
    wait = err.retry_after_s or backoff * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    _save(
        run,
        row,
        attempts=attempts,
        error=str(err)[:300],
        due_at=run.now() + timedelta(seconds=wait),
        state=State.FAILED if is_final else State.PENDING,
    )
    level = logging.ERROR if is_final and not isinstance(err, NotFound) else logging.WARNING
    logger.log(level, "write-back failed id=%s kind=%s", row.pk, type(err).__name__)


def _lacking(kind: str) -> str:
    return LACKING.format(permission=PERMISSION[Kind(kind)])
