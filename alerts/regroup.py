"""What people do to the grouping: merge cases, split one, take a merge back, forbid a tie.

Inside the tenant's scope. Every function takes the cases with the version that the person saw and
does all of it or nothing; the timeline and the shared queue are told in the same transaction. What
people part stays apart for the portal (`Apart`) until they join it again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from alerts.grow import NEW_CASES
from alerts.merging import merge_rows, write_events
from alerts.models import Alert, Apart, Case, CaseEvent, Cursor
from alerts.moved import refresh_moves
from alerts.refresh import publish, summarise
from alerts.rows import as_json, run
from alerts.triage import STALE, Refused

logger = logging.getLogger(__name__)

MOST_CASES = 50
MOST_IN_CASE = 1000
"""Alerts of a merge by hand: more than the portal puts together by itself."""
MOVE = """
UPDATE alerts_alert a SET case_id = c.id, case_growth = c.growth, joined_by = 'hand',
  join_facts = %s::jsonb
FROM alerts_case c WHERE c.id = %s AND a.id = ANY(%s)
"""
CHANGED = """
UPDATE alerts_case SET version = version + 1, growth = growth + %s, changed_at = now()
WHERE id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Regrouped:
    """`case`: where the alerts are now; `others`: further cases that changed."""

    case: int
    others: tuple[int, ...] = ()


@transaction.atomic
def merge(tenant_id: int, seen: Mapping[int, int], *, into: int, actor_id: int) -> Regrouped:
    """Make all of the cases one: `into`, which is one of them. Raises Refused."""
    cases = _locked(seen)
    losers = sorted(set(cases) - {into})
    if into not in cases or not losers:
        raise Refused("Choose at least two cases, and which of them goes on.")
    if len(cases) > MOST_CASES:
        raise Refused(f"At most {MOST_CASES} cases can be merged at once.")
    if sum(case.alert_count for case in cases.values()) > MOST_IN_CASE:
        raise Refused(f"The case would hold more than {MOST_IN_CASE} alerts.")
    if not cases[into].is_open and any(cases[case].is_open for case in losers):
        raise Refused("An open case can't go into a closed one. Reopen that first.")
    Apart.objects.filter(kind=Apart.Kind.CASES, a__in=cases, b__in=cases).delete()
    run(CHANGED, [1, [into]])
    by_hand = {case: {"by": "hand"} for case in losers}
    merge_rows(dict.fromkeys(losers, into), tenant_id, by_hand, actor_id)
    summarise([into])
    publish(tenant_id, cases)
    logger.info("cases merged by hand into=%s count=%s", into, len(losers))
    return Regrouped(into, tuple(losers))


@transaction.atomic
def split(
    tenant_id: int,
    case_id: int,
    version: int,
    alert_ids: Collection[int],
    *,
    actor_id: int,
    into: tuple[int, int] | None = None,
) -> Regrouped:
    """Take alerts off a case, into a new one or into another (its id and version). Raises Refused.

    The portal will not tie the two cases again. `merge` takes it back.
    """
    cases = _locked({case_id: version, **({into[0]: into[1]} if into else {})})
    case = cases[case_id]
    found = list(
        Alert.objects.filter(case_id=case_id, pk__in=alert_ids).order_by("activity_at", "pk")
    )
    if not found or len(found) != len(set(alert_ids)):
        raise Refused("Choose alerts of this case.")
    if len(found) == case.alert_count:
        raise Refused("All alerts would go. Merge the cases instead.")
    if into and (into[0] == case_id or not cases[into[0]].is_open):
        raise Refused("Choose another case that is open.")
    started = as_json([{"at": found[0].activity_at}])
    target = into[0] if into else run(NEW_CASES, [started])[0][0]
    run(CHANGED, [0, [case_id]])
    if into:
        run(CHANGED, [1, [target]])
    ids = [alert.pk for alert in found]
    run(MOVE, [as_json({"by": "hand", "case": case_id}), target, ids])
    _part("cases", case_id, target, actor_id)
    events = [
        {"c": case_id, "actor": actor_id, "k": "split", "f": {"case": target, "alerts": ids}},
        {"c": target, "actor": actor_id, "k": "split_off", "f": {"case": case_id, "alerts": ids}},
    ]
    write_events(events)
    summarise([case_id, target])
    publish(tenant_id, [case_id, target])
    logger.info("case split case=%s into=%s alerts=%s", case_id, target, len(ids))
    return Regrouped(target, (case_id,))


@transaction.atomic
def unmerge(tenant_id: int, merged_id: int, version: int, *, actor_id: int) -> Regrouped:
    """Take a merge back: the alerts that came from the merged case return, and it is as it was.

    `version`: of the case that it went into. Raises Refused if that is not the last thing that
    happened to the merged case, or none of its alerts is left there.
    """
    merged = Case.objects.filter(pk=merged_id, status=Case.Status.MERGED).first()
    if merged is None or merged.merged_into is None:
        raise Refused("This case is not merged into another one.")
    if merged.merged_into.status == Case.Status.MERGED:
        raise Refused("The other case was merged on. Take that back first.")
    winner = _locked({merged.merged_into.pk: version})[merged.merged_into.pk]
    event = (
        CaseEvent.objects.filter(case=winner, kind="merged", facts__case=merged_id)
        .order_by("-pk")
        .first()
    )
    came = event.facts.get("alerts", []) if event else []
    ids = list(Alert.objects.filter(case=winner, pk__in=came).values_list("pk", flat=True))
    if event is None or not ids:
        raise Refused("None of its alerts is in the other case any more.")
    if len(ids) == winner.alert_count:
        raise Refused("All alerts would go. Nothing would be left of the other case.")
    status = event.facts.get("status", Case.Status.NEW)
    Case.objects.filter(pk=merged_id).update(status=status, merged_into=None)
    run(CHANGED, [1, [merged_id]])
    run(CHANGED, [0, [winner.pk]])
    run(MOVE, [as_json({"by": "hand", "case": winner.pk}), merged_id, ids])
    refresh_moves(tenant_id)
    _part("cases", merged_id, winner.pk, actor_id)
    events = [
        {"c": case, "actor": actor_id, "k": "unmerged", "f": {"case": other, "alerts": ids}}
        for case, other in ((winner.pk, merged_id), (merged_id, winner.pk))
    ]
    write_events(events)
    summarise([winner.pk, merged_id])
    publish(tenant_id, [winner.pk, merged_id])
    logger.info("merge taken back case=%s from=%s", merged_id, winner.pk)
    return Regrouped(merged_id, (winner.pk,))


# --- never tie these again ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parted:
    """One pair that is kept apart; `kind`: cases, alerts or entities."""

    pk: int
    kind: str
    a: int
    b: int
    actor_id: int | None


def keep_apart(kind: str, one: int, other: int, *, actor_id: int) -> None:
    """Never tie these two (alerts or entities, by id) again. Raises Refused. Twice is once.

    What is in one case already stays there; `split` parts it. An entity that shall tie nothing at
    all is `alerts.hubs.pin_hub`.
    """
    if kind not in (Apart.Kind.ALERTS, Apart.Kind.ENTITIES):
        raise Refused("Choose two alerts or two entities.")
    if one == other:
        raise Refused("Choose two different ones.")
    table = "alerts_alert" if kind == Apart.Kind.ALERTS else "alerts_entity"
    there = run(f"SELECT id FROM {table} WHERE id = ANY(%s)", [[one, other]])  # noqa: S608 ours
    if len(there) != 2:
        raise Refused("One of the two is not there any more.")
    _part(kind, one, other, actor_id)


def apart_of(case_id: int) -> list[Parted]:
    """The pairs that name this case or an alert of it, newest first."""
    alerts = Alert.objects.filter(case_id=case_id).values("pk")
    rows = Apart.objects.filter(
        Q(kind=Apart.Kind.CASES) & (Q(a=case_id) | Q(b=case_id))
        | Q(kind=Apart.Kind.ALERTS) & (Q(a__in=alerts) | Q(b__in=alerts))
    )
    found = rows.order_by("-pk").values_list("pk", "kind", "a", "b", "actor_id")
    return [Parted(*row) for row in found[:MOST_IN_CASE]]


def allow_again(case_id: int, parted_id: int) -> None:
    """Take back a pair of this case. Only what comes may be tied by that. Raises Refused."""
    if parted_id not in {pair.pk for pair in apart_of(case_id)}:
        raise Refused("This is not kept apart any more.")
    Apart.objects.filter(pk=parted_id).delete()


def _part(kind: str, one: int, other: int, actor_id: int) -> None:
    a, b = sorted((one, other))
    Apart.objects.get_or_create(kind=kind, a=a, b=b, defaults={"actor_id": actor_id})


def _locked(seen: Mapping[int, int]) -> dict[int, Case]:
    """The cases, if nobody changed one meanwhile. No page of alerts comes in between."""
    Cursor.objects.select_for_update().get(source="lock")
    cases = Case.objects.select_for_update().filter(pk__in=seen).exclude(status=Case.Status.MERGED)
    found = {case.pk: case for case in cases.order_by("pk")}
    if len(found) != len(seen) or any(found[pk].version != seen[pk] for pk in found):
        raise Refused(STALE)
    return found
