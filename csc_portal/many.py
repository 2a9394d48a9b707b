"""What is done to many cases at once, over tenants, with a result for each.

A tenant's cases are changed in transactions of at most AT_ONCE, so that nobody waits long for their
locks; what one refuses does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from alerts import regroup, suppress, triage
from alerts.models import Case, CaseEvent
from alerts.rules import Refused as BadText
from alerts.triage import Outcome, Refused, Seen
from csc_portal.access import Rights, TenantRef
from csc_portal.comments import send_comment
from csc_portal.judgement import note_next
from csc_portal.outcome_due import look_soon
from csc_portal.people import workers
from csc_portal.typed import number_of, uuid_of
from tenants.models import SEVERITIES, QueueEntry, Tenant
from tenants.scope import granted, scope
from ticketing.plan import plan_deliveries

AT_ONCE = 200
GONE = "This case was merged into another, or is not yours."
NOT_ALLOWED = "You may only look at cases of this tenant."
NOT_THEIRS = "This person may not work on cases of this tenant."
NO_SYSTEM = "This tenant has no ticket system."
NO_EFFECT = "Nothing to do: it is so already."


@dataclass(frozen=True, slots=True)
class Order:
    """`do` is one of ORDERS; `fields` are a form's, as the person filled it in."""

    do: str
    fields: Mapping[str, str]
    actor_id: int
    author: str = ""

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case. `seen`: its state now, for another try; "" if none makes sense."""

    public_id: str
    title: str
    tenant: str
    message: str = ""
    seen: str = ""

    @property
    def is_done(self) -> bool:
        return not self.message


Act = Callable[[Order, Tenant, Seen], Outcome]


def _assign(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    assignee = number_of(order["assignee"]) or order.actor_id
    return triage.assign(tenant.pk, seen, actor_id=order.actor_id, assignee_id=assignee)


def _unassign(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return triage.assign(tenant.pk, seen, actor_id=order.actor_id, assignee_id=None)


def _start(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return triage.start(tenant.pk, seen, actor_id=order.actor_id)


def _reopen(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return triage.reopen(tenant.pk, seen, actor_id=order.actor_id)


def _resolve(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return triage.resolve(tenant.pk, seen, actor_id=order.actor_id, **_verdict(order))


def _judge(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return triage.judge(tenant.pk, seen, actor_id=order.actor_id, **_verdict(order))


def _verdict(order: Order) -> dict[str, str]:
    return {name: order[name] for name in ("verdict", "determination", "reason")}


def _severity(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    if order["severity"] not in SEVERITIES:
        raise Refused("Choose a severity.")
    rank, reason = SEVERITIES.index(order["severity"]), order["severity_reason"]
    return triage.set_severity(
        tenant.pk, seen, actor_id=order.actor_id, severity=rank, reason=reason
    )


def _snooze(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return suppress.snooze(
        tenant.pk,
        seen,
        actor_id=order.actor_id,
        until=_until(order),
        reason=order["snooze_reason"],
        now=timezone.now(),
    )


def _until(order: Order) -> datetime:
    """`until` is one of the times offered; `at` is written by hand, in the user's zone."""
    try:
        found = parse_datetime(order["at"] or order["until"])
    except ValueError:
        found = None
    if found is None:
        raise Refused("Choose until when.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def _wake(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    return suppress.wake(tenant.pk, seen, actor_id=order.actor_id)


@transaction.atomic
def _ticket(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    """Open cases that have no ticket wait no longer for one."""
    found = Case.objects.select_for_update().filter(pk__in=seen).order_by("pk")
    current = [case for case in found if case.version == seen[case.pk]]
    owed = [case.pk for case in current if case.is_open and not case.ticket_ref]
    Case.objects.filter(pk__in=owed).update(ticket_after=None)
    CaseEvent.objects.bulk_create(
        CaseEvent(case_id=pk, actor_id=order.actor_id, kind="ticket_asked") for pk in owed
    )
    plan_deliveries()
    others = tuple(case.pk for case in current if case.pk not in owed)
    return Outcome(tuple(owed), others)


def _merge(order: Order, tenant: Tenant, seen: Seen) -> Outcome:
    """Into the case that is named by its number, else into the one with most alerts."""
    number = order["into"].strip().lstrip("#")
    if number and not number.isdecimal():
        raise Refused("Write the number of the case, like 17.")
    cases = dict(seen)
    if number:
        goal = Case.objects.filter(pk=int(number[:15])).exclude(status=Case.Status.MERGED).first()
        if goal is None:
            raise Refused(f"{tenant.name} has no case of this number.")
        cases.setdefault(goal.pk, goal.version)
        into = goal.pk
    else:
        into = max(Case.objects.filter(pk__in=seen), key=lambda c: (c.alert_count, -c.pk)).pk
    regroup.merge(tenant.pk, cases, into=into, actor_id=order.actor_id)
    return Outcome(tuple(seen))


ORDERS: dict[str, Act] = {
    "assign": _assign,
    "unassign": _unassign,
    "start": _start,
    "reopen": _reopen,
    "resolve": _resolve,
    "judge": _judge,
    "severity": _severity,
    "snooze": _snooze,
    "wake": _wake,
    "ticket": _ticket,
    "merge": _merge,
}
COMMENT = "comment"
"""Goes out while the person waits, a case after the other, and is kept nowhere."""
MOST_COMMENTED = 20
BY_TENANT = frozenset({"merge"})
"""What one tenant's cases refuse is told of these; the others' may well do."""


def run_order(rights: Rights, seen: Mapping[str, str], order: Order) -> list[Result]:
    """`seen`: a case's public id -> `Row.seen_state` as the person saw it. Results in that order.

    Raises Refused if the order makes sense for no case.
    """
    if order.do == COMMENT and len(seen) > MOST_COMMENTED:
        raise Refused(f"A comment goes to at most {MOST_COMMENTED} cases at once.")
    by_tenant = _entries(rights, seen)
    tenants = Tenant.objects.select_related("ticketing").in_bulk(by_tenant)
    results: dict[str, Result] = {}
    for pk, entries in by_tenant.items():
        ref = rights.tenants[pk]
        problem = forbidden(order, ref, tenants[pk])
        if problem:
            results.update((str(e.public_id), _result(e, ref, (problem, ""))) for e in entries)
            continue
        if order.do == COMMENT:
            told = {e.case_id: (_comment(order, tenants[pk], e), "") for e in entries}
            results.update((str(e.public_id), _result(e, ref, told[e.case_id])) for e in entries)
            continue
        with scope(tenants[pk]):
            for start in range(0, len(entries), AT_ONCE):
                part = entries[start : start + AT_ONCE]
                told = _act(order, tenants[pk], part, seen)
                results.update((str(e.public_id), _result(e, ref, told[e.case_id])) for e in part)
        hurry(order, tenants[pk])
    missing = Result("", "A case", "", GONE)
    return [results.get(key, missing) for key in seen]


def _comment(order: Order, tenant: Tenant, entry: QueueEntry) -> str:
    """ "" if it is in the ticket, else why not."""
    try:
        sent = send_comment(
            tenant,
            entry.case_id,
            order["comment"],
            order["nonce"],
            actor_id=order.actor_id,
            author=order.author,
            to_microsoft=order["to_microsoft"] == "yes",
        )
    except Case.DoesNotExist:
        return GONE
    return sent.problem


def hurry(order: Order, tenant: Tenant) -> None:
    """What follows from the order is looked at next, not when the tenant's turn comes."""
    if order.do in ("snooze", "wake"):
        note_next(tenant, timezone.now())
    elif order.do == "ticket":
        Tenant.objects.filter(pk=tenant.pk).update(next_delivery_at=timezone.now())
    else:
        look_soon([tenant.pk])


def _entries(rights: Rights, seen: Iterable[str]) -> dict[int, list[QueueEntry]]:
    with granted(rights.ids):
        found = QueueEntry.objects.filter(
            public_id__in=list(filter(None, map(uuid_of, seen))), tenant_id__in=rights.ids
        )
        by_tenant: dict[int, list[QueueEntry]] = {}
        for entry in found.order_by("tenant_id", "case_id"):
            by_tenant.setdefault(entry.tenant_id, []).append(entry)
    return by_tenant


def forbidden(order: Order, ref: TenantRef, tenant: Tenant) -> str:
    if not ref.may_act:
        return NOT_ALLOWED
    if order.do == "ticket" and not hasattr(tenant, "ticketing"):
        return NO_SYSTEM
    if order.do == "assign" and order["assignee"].isdecimal():
        allowed = {person.pk for person in workers([ref.pk])}
        return "" if number_of(order["assignee"]) in allowed else NOT_THEIRS
    return ""


def _result(entry: QueueEntry, tenant: TenantRef, told: tuple[str, str]) -> Result:
    return Result(str(entry.public_id), entry.title, tenant.name, *told)


def _act(
    order: Order, tenant: Tenant, entries: Sequence[QueueEntry], seen: Mapping[str, str]
) -> dict[int, tuple[str, str]]:
    """Case id -> why it was not done ("" if it was), and the state it is in.

    The queue's rows carry no version, so what the person saw of a row is compared instead.
    """
    cases = Case.objects.in_bulk([entry.case_id for entry in entries])
    told = {entry.case_id: (GONE, "") for entry in entries}
    versions: dict[int, int] = {}
    for entry in entries:
        case = cases.get(entry.case_id)
        if case is None or case.status == Case.Status.MERGED:
            continue
        now = f"{case.status}.{case.assignee_id or ''}.{case.verdict}"
        told[case.pk] = (triage.STALE, now)
        if now == seen.get(str(entry.public_id)):
            versions[case.pk] = case.version
    outcome = Outcome()
    if versions:
        try:
            outcome = ORDERS[order.do](order, tenant, versions)
        except BadText as err:
            raise Refused(str(err)) from err
        except Refused as err:
            if order.do not in BY_TENANT:
                raise
            told.update((pk, (str(err), told[pk][1])) for pk in versions)
    told.update((pk, ("", "")) for pk in outcome.changed)
    told.update((pk, (NO_EFFECT, "")) for pk in outcome.unchanged)
    return told
