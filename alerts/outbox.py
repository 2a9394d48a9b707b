"""What Microsoft has to be told, and what it said meanwhile. Inside the tenant's scope, no network.

`plan_write_backs` compares the cases that were decided on since (`Case.version` is ahead of
`told_version`) with their alerts, and saves what is owed. `follow_microsoft` takes what people at
Microsoft's side changed into the case, in the transaction that stores the alerts; our own change,
coming back, is told by the same comparison (`alerts.agreement`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from alerts import triage
from alerts.agreement import RESOLVED, UNTOUCHED, Move, moved, owed, said, said_by_case
from alerts.models import Alert, Case, CaseEvent, Redirect, WriteBack
from alerts.rows import as_json, run
from alerts.verdicts import DETERMINATIONS
from tenants.scope import tenant_here

logger = logging.getLogger(__name__)

Kind, State = WriteBack.Kind, WriteBack.State
CASES_A_ROUND = 200
REOPENED, CLOSED, JUDGED, OVERRULED = (
    "reopened_in_microsoft",
    "resolved_in_microsoft",
    "judged_in_microsoft",
    "overruled_in_microsoft",
)

UPSERT = """
INSERT INTO alerts_writeback (kind, target_id, alert_id, case_id, version, wanted, base, assign_to,
  assigned, comment, state, attempts, error)
SELECT kind, target_id, alert_id, case_id, version, wanted, base, assign_to, assigned, comment,
  state, 0, '' FROM json_to_recordset(%s::json) AS x(kind text, target_id text, alert_id bigint,
  case_id bigint, version int, wanted jsonb, base jsonb, assign_to int, assigned int, comment text,
  state text)
ON CONFLICT (kind, target_id) DO UPDATE SET case_id = excluded.case_id, version = excluded.version,
  wanted = excluded.wanted, base = excluded.base, assign_to = excluded.assign_to,
  assigned = excluded.assigned, comment = excluded.comment, state = excluded.state,
  attempts = 0, error = '', due_at = now()
"""
AGREE = """
INSERT INTO alerts_writeback (kind, target_id, alert_id, case_id, version, wanted, base, comment,
  state, attempts, error)
SELECT 'alert', a.provider_id, a.id, c.id, c.version, s.said, s.said, '', 'agreed', 0, ''
FROM alerts_case c JOIN alerts_alert a ON a.case_id = c.id CROSS JOIN LATERAL (
  SELECT jsonb_build_object(
    'status', replace(replace(a.status, 'deleted', 'resolved'), 'unknown', ''),
    'classification', replace(a.classification, 'unknown', ''),
    'determination', replace(a.determination, 'unknown', '')) AS said
) AS s
WHERE c.id = ANY(%s)
ON CONFLICT (kind, target_id) DO UPDATE SET case_id = excluded.case_id,
  version = excluded.version, wanted = excluded.wanted, base = excluded.base, comment = '',
  assign_to = NULL, state = 'agreed', error = ''
"""


# --- what is owed ---------------------------------------------------------------------------------


def plan_write_backs() -> int:
    """Save what Microsoft has to be told; returns how many alerts and incidents wait then."""
    planned = 0
    while True:
        with transaction.atomic():
            cases = list(
                Case.objects.select_for_update(skip_locked=True)
                .filter(version__gt=F("told_version"))
                .order_by("pk")[:CASES_A_ROUND]
            )
            if not cases:
                return planned
            planned += _plan([case for case in cases if case.status != Case.Status.MERGED])
            ids = [case.pk for case in cases]
            Case.objects.filter(pk__in=ids).update(told_version=F("version"))


def _plan(cases: Collection[Case]) -> int:
    mode = tenant_here().write_back
    ids = [case.pk for case in cases]
    alerts: dict[int, list[Alert]] = {pk: [] for pk in ids}
    for alert in Alert.objects.filter(case_id__in=ids).order_by("-severity", "activity_at", "pk"):
        alerts[alert.case_id or 0].append(alert)
    known: dict[tuple[str, str], WriteBack] = {}
    targets = [alert.provider_id for some in alerts.values() for alert in some]
    for row in WriteBack.objects.filter(kind=Kind.ALERT, target_id__in=targets):
        known[row.kind, row.target_id] = row
    incidents = _whole_incidents(ids) if mode != "off" else {}
    for row in WriteBack.objects.filter(
        kind=Kind.INCIDENT, target_id__in=[one for some in incidents.values() for one in some]
    ):
        known[row.kind, row.target_id] = row
    rows: list[dict[str, object]] = []
    for case in cases:
        rows += _rows_of(case, alerts[case.pk], incidents.get(case.pk, ()), known, mode)
    if rows:
        run(UPSERT, [as_json(rows)])
    return sum(row["state"] == State.PENDING for row in rows)


def _whole_incidents(case_ids: Collection[int]) -> dict[int, list[str]]:
    """Case -> Microsoft's incidents all of whose alerts, as far as we know them, are in it."""
    mine = Alert.objects.filter(case_id__in=case_ids).exclude(incident_id="")
    names = set(mine.order_by().values_list("incident_id", flat=True).distinct())
    merged = set(Redirect.objects.filter(pk__in=names).values_list("pk", flat=True))
    homes: dict[str, set[int | None]] = {}
    pairs = Alert.objects.filter(incident_id__in=names).order_by()
    for name, case_id in pairs.values_list("incident_id", "case_id").distinct():
        homes.setdefault(name, set()).add(case_id)
    found: dict[int, list[str]] = {}
    for name, cases in sorted(homes.items()):
        (case_id, *others) = cases
        if not others and case_id is not None and name not in merged:
            found.setdefault(case_id, []).append(name)
    return found


def _rows_of(
    case: Case,
    alerts: Iterable[Alert],
    incidents: Iterable[str],
    known: Mapping[tuple[str, str], WriteBack],
    mode: str,
) -> list[dict[str, object]]:
    """The rows of one case; those that nothing has to be told or remembered of are left out."""
    now = said_by_case(case.status, case.verdict, case.determination)
    assign_to = case.assignee_id if mode == "all" else None
    rows = []
    for alert in alerts:
        theirs = said(alert.status, alert.classification, alert.determination)
        row = _row(case, now, theirs, known.get((Kind.ALERT, alert.provider_id)), assign_to, mode)
        if row is not None:
            rows.append({**row, "kind": Kind.ALERT, "target_id": alert.provider_id})
            rows[-1]["alert_id"] = alert.pk
    for name in incidents:
        old = known.get((Kind.INCIDENT, name))
        # What Microsoft says of it is not stored; the sender compares it when it reads it.
        base = old.base if old else {}
        row = _row(case, now, base, old, assign_to, mode)
        if row is not None:
            rows.append({**row, "kind": Kind.INCIDENT, "target_id": name, "alert_id": None})
    changed = [row for row in rows if "status" in row["wanted"]["waiting"]]
    if changed and mode == "all":
        # One comment a decision: on the incident if it is all ours, else on the worst alert.
        lead = next((row for row in changed if row["kind"] == Kind.INCIDENT), changed[0])
        lead["comment"] = "resolved" if not case.is_open else "reopened"
    return rows


def _row(
    case: Case,
    now: Mapping[str, str],
    theirs: Mapping[str, str],
    old: WriteBack | None,
    assign_to: int | None,
    mode: str,
) -> dict[str, object] | None:
    before = old.wanted if old else UNTOUCHED
    waits = old is not None and old.state == State.PENDING
    waiting = before.get("waiting", ()) if waits else ()
    fields = owed(before, now, theirs, waiting)
    assigned = old.assigned if old else None
    is_assigned = assign_to != assigned and mode == "all"
    if not fields and old is None and case.is_open and not is_assigned:
        return None
    pending = (bool(fields) or is_assigned) and mode != "off"
    return {
        "case_id": case.pk,
        "version": case.version,
        "wanted": {**now, "waiting": sorted(fields)},
        "base": theirs,
        "assign_to": assign_to,
        "assigned": assigned,
        "comment": old.comment if waits and old is not None and fields else "",
        "state": State.PENDING if pending else State.OFF if fields else State.AGREED,
    }


# --- what Microsoft says --------------------------------------------------------------------------


@dataclass(slots=True)
class _Taken:
    """What people at Microsoft's side did to the alerts of one case."""

    reopened: bool = False
    in_progress: bool = False
    resolved: bool = False
    verdict: tuple[str, str] = ("", "")
    overruled: int = 0
    alerts: int = 0


def follow_microsoft(tenant_id: int, alert_ids: Iterable[int]) -> set[int]:
    """Compare these alerts, just stored, with what was told of them; the cases that followed.

    Part of the transaction that stored them.
    """
    rows = WriteBack.objects.filter(alert_id__in=list(alert_ids)).select_related("alert")
    cases: dict[int, _Taken] = {}
    compared: list[WriteBack] = []
    for row in rows.order_by("-alert__severity", "pk"):
        alert = row.alert
        theirs = said(alert.status, alert.classification, alert.determination)
        waiting = row.wanted.get("waiting", []) if row.state == State.PENDING else []
        move = moved(row.base, theirs, row.wanted, waiting)
        if move is None:
            continue
        row.base = theirs
        left = [
            name
            for name in waiting
            if name not in move.changed and theirs[name] != row.wanted.get(name, "")
        ]
        row.wanted = {**row.wanted, **{n: theirs[n] for n in move.changed}, "waiting": left}
        if not move.is_echo:
            if waiting and not left:
                row.state = State.OVERRULED
            _note(cases.setdefault(alert.case_id or row.case_id, _Taken()), move, theirs)
        compared.append(row)
    if compared:
        WriteBack.objects.bulk_update(compared, ["base", "wanted", "state"])
    for case_id, taken in sorted(cases.items()):
        _take(tenant_id, case_id, taken)
    return set(cases)


def _note(taken: _Taken, move: Move, theirs: Mapping[str, str]) -> None:
    taken.reopened |= move.reopened
    taken.in_progress |= move.reopened and theirs["status"] == "inProgress"
    taken.resolved |= move.resolved
    taken.overruled += move.overrules
    taken.alerts += 1
    if move.verdict and not taken.verdict[0]:
        taken.verdict = (move.verdict, move.determination)


def _take(tenant_id: int, case_id: int, taken: _Taken) -> None:
    """Theirs goes into the case. What the case says then is agreed: it is not sent back."""
    verdict, determination = taken.verdict
    if taken.overruled:
        facts = {"alerts": taken.overruled}
        CaseEvent.objects.create(case_id=case_id, kind=OVERRULED, facts=facts)
    if taken.reopened:
        triage.take_reopened(tenant_id, [case_id], kind=REOPENED, in_progress=taken.in_progress)
    elif taken.resolved and not _has_unresolved(case_id):
        triage.take_resolved(
            tenant_id, [case_id], kind=CLOSED, verdict=verdict, determination=_pair(*taken.verdict)
        )
    elif verdict:
        triage.take_verdict(
            tenant_id,
            [case_id],
            kind=JUDGED,
            verdict=verdict,
            determination=_pair(verdict, determination),
        )
    _settle(case_id, is_reopened=taken.reopened)
    logger.info("case follows Microsoft id=%s alerts=%s", case_id, taken.alerts)


def _settle(case_id: int, *, is_reopened: bool) -> None:
    """From now on our side says what the case says; a case open again has nothing to close."""
    Case.objects.filter(pk=case_id).update(told_version=F("version"))
    case = Case.objects.get(pk=case_id)
    if case.status == Case.Status.MERGED:
        return
    now = said_by_case(case.status, case.verdict, case.determination)
    rows = list(WriteBack.objects.filter(case_id=case_id))
    for row in rows:
        waiting = row.wanted.get("waiting", []) if row.state == State.PENDING else []
        if is_reopened and waiting:
            waiting, row.state = [], State.OVERRULED
        row.wanted, row.version = {**now, "waiting": waiting}, case.version
    WriteBack.objects.bulk_update(rows, ["wanted", "version", "state"])


def _has_unresolved(case_id: int) -> bool:
    open_alerts = Alert.objects.filter(case_id=case_id).exclude(status__in=(RESOLVED, "deleted"))
    return open_alerts.exists()


def _pair(verdict: str, determination: str) -> str:
    """The determination if it goes with the verdict, else "": Microsoft lets any two stand."""
    return determination if determination in DETERMINATIONS.get(verdict, {}) else ""


def agree(case_ids: Collection[int]) -> None:
    """Remember what Microsoft said when it closed these cases, so that reopening is noticed."""
    if case_ids:
        run(AGREE, [sorted(case_ids)])
