"""What an analyst does to one case. What can't be done says why, and keeps what was typed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from alerts import regroup, triage
from alerts.models import Alert, Apart, Case, CaseEvent
from alerts.rules import Refused as BadText
from alerts.suppress import NewSuppression, end_suppression, suppress
from alerts.triage import Refused
from alerts.verdicts import problem_of
from csc_portal.access import case_for
from csc_portal.comments import send_comment
from csc_portal.judgement import note_next
from csc_portal.many import NO_SYSTEM, NOT_THEIRS, ORDERS, Order, hurry
from csc_portal.people import workers
from csc_portal.typed import number_of, uuid_of
from csc_portal.web.case import case_context
from csc_portal.web.desk import desk_of, user_of
from tenants.audit import record
from tenants.models import SEVERITIES, QueueEntry, Tenant, User
from tenants.roles import Right
from tenants.scope import scope

DONE = {
    "assign": "Assigned.",
    "start": "In progress.",
    "resolve": "Resolved.",
    "reopen": "Open again.",
    "judge": "Verdict set.",
    "severity": "Severity set.",
    "snooze": "Snoozed.",
    "wake": "Back in the queue.",
    "ticket": "The ticket is on its way.",
}
SO_ALREADY = "It is so already."
CHOOSE = "Choose what to do."


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it. `goes_on`: public id of the case where the page goes on."""

    message: str
    is_done: bool
    goes_on: uuid.UUID | None = None


@require_POST
def case_triage(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do` one of DONE, `version` (as the person saw it), and fields as many.Order has them."""
    entry, tenant = _door(request, public_id)
    return _answer(request, tenant, entry, _triage(request, tenant, entry.case_id))


@require_POST
def case_regroup(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`do`: merge (`into` a number), split (`alert`, repeated; `into`), unmerge (`case`), apart
    (two of `alert`) or allow (`pair`); `version`.
    """
    entry, tenant = _door(request, public_id)
    do = _REGROUPED.get(request.POST.get("do", ""))
    if do is None or not _version(request):
        return _answer(request, tenant, entry, Told(CHOOSE, False))
    try:
        with scope(tenant):
            told = do(request, tenant.pk, entry.case_id)
    except Refused as err:
        told = Told(str(err), False)
    if told.is_done:
        hurry(Order("merge", {}, user_of(request).pk), tenant)
    return _answer(request, tenant, entry, told)


@require_POST
def case_suppress(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A new suppression of a detection of this case, or the end of one (`end`, its public id)."""
    entry, tenant = _door(request, public_id, Right.MANAGE_RULES)
    user = user_of(request)
    try:
        with scope(tenant):
            told = _suppress(request.POST, entry.case_id, user)
    except BadText as err:
        told = Told(str(err), False)
    if told.is_done:
        action = "suppression_ended" if "end" in request.POST else "suppression_made"
        record(user.username, action, tenant, f"case {entry.public_id}")
        note_next(tenant, timezone.now())
    return _answer(request, tenant, entry, told)


@sensitive_variables("text")
@sensitive_post_parameters("comment")
@require_POST
def case_comment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`comment`, `nonce`, `to_microsoft`. Sent now and kept nowhere; what failed stays typed."""
    entry, tenant = _door(request, public_id)
    user, text = user_of(request), request.POST.get("comment", "")
    sent = send_comment(
        tenant,
        entry.case_id,
        text,
        request.POST.get("nonce", ""),
        actor_id=user.pk,
        author=user.get_full_name() or user.username,
        to_microsoft=request.POST.get("to_microsoft") == "yes",
    )
    places = {"ticket": "in the ticket", "microsoft": "at Microsoft"}
    where = " and ".join(places[one] for one in sent.where)
    message = " ".join(part for part in (where and f"It is {where}.", sent.problem) if part)
    told = Told(message, not sent.problem)
    if not request.htmx:
        return _answer(request, tenant, entry, told)
    context = {
        "case": entry,
        "told": told,
        "typed": {} if told.is_done else request.POST,
        "nonce": uuid.uuid4().hex if told.is_done else request.POST.get("nonce", ""),
        "tells_microsoft": tenant.write_back == Tenant.WriteBackMode.ALL,
        "has_ticketing": hasattr(tenant, "ticketing"),
    }
    return render(request, "case/_comment.html", context)


def _door(
    request: HttpRequest, public_id: uuid.UUID, right: Right = Right.ACT
) -> tuple[QueueEntry, Tenant]:
    return case_for(user_of(request), public_id, right, desk_of(request).rights)


def _answer(request: HttpRequest, tenant: Tenant, entry: QueueEntry, told: Told) -> HttpResponse:
    """The case as it is now. If it was not done, what was typed stands in the form again."""
    goes_on = told.goes_on or entry.public_id
    address = reverse("case", args=[goes_on])
    if told.is_done and not request.htmx:
        messages.success(request, told.message)
        return redirect(address)
    # The row has moved on by what was done.
    entry, _ = case_for(user_of(request), goes_on, rights=desk_of(request).rights)
    more: dict[str, object] = {"told": told}
    if not told.is_done:
        chosen = f"determination-{request.POST.get('verdict', '')}"
        more |= {"typed": request.POST, "opened": request.POST.get("do", "")}
        more["typed_determination"] = request.POST.get(chosen, "")
        more["nonce"] = request.POST.get("nonce", "") or uuid.uuid4().hex
    context = case_context(request, tenant, entry, **more)
    if not request.htmx:
        return render(request, "case/page.html", context, status=409)
    response = render(request, "case/_body.html", context)
    response.headers["HX-Trigger"] = "casesChanged"
    if told.goes_on and not context["is_flyout"]:
        response.headers["HX-Push-Url"] = address
    return response


def _version(request: HttpRequest) -> int:
    """0 for none."""
    return number_of(request.POST.get("version", ""))


# --- triage ---------------------------------------------------------------------------------------


def _triage(request: HttpRequest, tenant: Tenant, case_id: int) -> Told:
    do, version, user = request.POST.get("do", ""), _version(request), user_of(request)
    if do not in DONE or not version:
        return Told(CHOOSE, False)
    fields = _fields(request.POST, user)
    wanted = "unassign" if do == "assign" and not fields["assignee"] else do
    order = Order(wanted, fields, user.pk, user.username)
    if problem := _problem(order, tenant):
        return Told(problem, False)
    try:
        with scope(tenant):
            outcome = ORDERS[wanted](order, tenant, {case_id: version})
            is_there = Case.objects.filter(pk=case_id, version=version).exists()
    except (Refused, BadText) as err:
        return Told(str(err), False)
    if outcome.changed:
        hurry(order, tenant)
        return Told(DONE[do], True)
    # Nothing changed and the version is another one: somebody was first.
    return Told(SO_ALREADY, True) if is_there else Told(triage.STALE, False)


def _fields(posted: Mapping[str, str], user: User) -> dict[str, str]:
    """The form's fields as `many` reads them; the determination is that of the chosen verdict."""
    fields = {name: posted[name] for name in posted}
    verdict = fields.get("verdict", "")
    chosen = f"determination-{verdict}"
    fields["determination"] = fields.get(chosen, fields.get("determination", ""))
    if verdict != "falsePositive":
        fields["reason"] = ""
    assignee = fields.get("assignee", "")
    fields["assignee"] = str(user.pk) if assignee == "me" else assignee
    return fields


def _problem(order: Order, tenant: Tenant) -> str:
    if order.do in ("resolve", "judge"):
        judged = (order["verdict"], order["determination"], order["reason"])
        return problem_of(*judged, ask=True)
    if order.do == "ticket" and not hasattr(tenant, "ticketing"):
        return NO_SYSTEM
    if order.do == "assign":
        allowed = {str(person.pk) for person in workers([tenant.pk])}
        return "" if order["assignee"] in allowed else NOT_THEIRS
    return ""


# --- grouping -------------------------------------------------------------------------------------


def _numbered(text: str, but: int) -> Case | None:
    """The case of the tenant with this number; None for no text. Raises Refused."""
    number = text.strip().lstrip("#")
    if not number:
        return None
    if not number.isdecimal() or len(number) > 15:
        raise Refused("Write the number of the case, like 17.")
    found = Case.objects.filter(pk=int(number)).exclude(status=Case.Status.MERGED).first()
    if found is None or found.pk == but:
        raise Refused("The tenant has no other case of this number.")
    return found


def _merge(request: HttpRequest, tenant_id: int, case_id: int) -> Told:
    goal = _numbered(request.POST.get("into", ""), case_id)
    if goal is None:
        raise Refused("Write the number of the case that goes on.")
    seen = {case_id: _version(request), goal.pk: goal.version}
    regroup.merge(tenant_id, seen, into=goal.pk, actor_id=user_of(request).pk)
    return Told(f"Merged. This is case #{goal.pk}.", True, goal.public_id)


def _split(request: HttpRequest, tenant_id: int, case_id: int) -> Told:
    into = _numbered(request.POST.get("into", ""), case_id)
    parted = regroup.split(
        tenant_id,
        case_id,
        _version(request),
        _alert_ids(request),
        actor_id=user_of(request).pk,
        into=(into.pk, into.version) if into else None,
    )
    return Told(f"Split off into case #{parted.case}. The portal will not tie the two again.", True)


def _unmerge(request: HttpRequest, tenant_id: int, case_id: int) -> Told:
    merged_id = number_of(request.POST.get("case", ""))
    if not Case.objects.filter(pk=merged_id, merged_into_id=case_id).exists():
        raise Refused("This case was not merged into this one.")
    regroup.unmerge(tenant_id, merged_id, _version(request), actor_id=user_of(request).pk)
    return Told(f"Case #{merged_id} is on its own again.", True)


def _apart(request: HttpRequest, tenant_id: int, case_id: int) -> Told:
    ids = sorted(set(_alert_ids(request)))
    mine = Alert.objects.filter(case_id=case_id, pk__in=ids).count()
    if len(ids) != 2 or mine != 2:
        raise Refused("Choose two alerts of this case.")
    actor_id = user_of(request).pk
    regroup.keep_apart(Apart.Kind.ALERTS, *ids, actor_id=actor_id)
    CaseEvent.objects.create(
        case_id=case_id, actor_id=actor_id, kind="kept_apart", facts={"alerts": ids}
    )
    return Told("The two are never tied again. Split one off to part them now.", True)


def _allow(request: HttpRequest, tenant_id: int, case_id: int) -> Told:
    regroup.allow_again(case_id, number_of(request.POST.get("pair", "")))
    CaseEvent.objects.create(case_id=case_id, actor_id=user_of(request).pk, kind="allowed_again")
    return Told("What comes may tie them again.", True)


def _alert_ids(request: HttpRequest) -> list[int]:
    texts = request.POST.getlist("alert")[: regroup.MOST_IN_CASE]
    return [number for text in texts if (number := number_of(text))]


_REGROUPED: dict[str, Callable[[HttpRequest, int, int], Told]] = {
    "merge": _merge,
    "split": _split,
    "unmerge": _unmerge,
    "apart": _apart,
    "allow": _allow,
}


# --- suppressing ----------------------------------------------------------------------------------


def _suppress(posted: Mapping[str, str], case_id: int, user: User) -> Told:
    now = timezone.now()
    if "end" in posted:
        is_ended = end_suppression(uuid_of(posted["end"]) or uuid.UUID(int=0), now=now)
        return Told("The suppression has ended." if is_ended else "It had ended before.", True)
    number = number_of(posted.get("detection", ""))
    alert = Alert.objects.filter(case_id=case_id, pk=number).first()
    if alert is None:
        raise BadText("Choose the detection.")
    severity = posted.get("most_severity", "")
    entity = uuid_of(posted.get("entity", ""))
    if posted.get("entity") and entity is None:
        raise BadText("This person or thing is not known.")
    new = NewSuppression(
        service_source=alert.service_source,
        detection=alert.title,
        entity=entity,
        most_severity=SEVERITIES.index(severity) if severity in SEVERITIES else -1,
        reason=posted.get("suppress_reason", ""),
        expires_at=_end_of(posted.get("expires", ""), now),
    )
    suppress(new, actor_id=user.pk, now=now)
    return Told("Suppressed. Open cases of it are closed at the next judgement.", True)


def _end_of(text: str, now: datetime) -> datetime:
    """The end of that day in the user's zone; what is no day is refused as the past is."""
    try:
        following = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return now
    return timezone.make_aware(datetime.combine(following, time()))
