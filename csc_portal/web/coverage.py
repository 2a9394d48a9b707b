"""Azure coverage: which resources are watched, for all tenants in scope and for one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F, IntegerField, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from clients.errors import ApiError
from csc_portal.access import tenant_for
from csc_portal.resource_cases import entities_of
from csc_portal.spreadsheet import csv_rows
from csc_portal.typed import moment_of, uuid_of
from csc_portal.web.coverage_forms import ExemptionForm, end_exemption
from csc_portal.web.desk import desk_of, user_of
from posture import listing
from posture.azure_documents import KIND
from posture.coverage import Rule, State, Why, explain
from posture.listing import Group, Wanted
from posture.live_names import LiveNames, read_names
from posture.models import AzureResource, Exemption, Finding, WatchRule
from posture.stored_inventory import rule_of
from posture.tally import last_reads, new_since, percent_of, tally
from tenants.audit import record
from tenants.directories import BadSecret, arm_for, pseudonymiser_for
from tenants.models import FindingEntry, Tenant
from tenants.pseudonyms import label
from tenants.roles import Right
from tenants.scope import granted, scope

PAGE_SIZE = 50
ROWS = 50
MOST_EXPORTED = 200_000
EXPORTED_AT_ONCE = 2_000
SHOWN_FINDINGS = 12
ANY = "any"
STATES = {
    State.UNWATCHED: "Not watched",
    State.WATCHED: "Watched",
    State.EXEMPT: "Exempt",
    State.UNKNOWN: "Unknown",
    State.IGNORED: "Doesn't matter",
}
TABLE = ("watched", "unwatched", "exempt", "unknown", "ignored", "new")


@dataclass(frozen=True, slots=True)
class Line:
    """A resource as the list shows it. `entity`: the page of what alerts named it."""

    row: AzureResource
    label: str
    place: str
    state: str
    why: str
    entity: uuid.UUID | None
    name: str = ""
    place_name: str = ""


@require_safe
def coverage_page(request: HttpRequest) -> HttpResponse:
    """Tenants in scope, those with most unwatched resources first. Four queries of its own."""
    desk = desk_of(request)
    found = Tenant.objects.filter(pk__in=desk.ids).exclude(state=Tenant.State.OFFBOARDED)
    numbers = {key: Sum(Cast(KT(f"coverage__{key}"), IntegerField())) for key in TABLE}
    sums = {key: value or 0 for key, value in found.aggregate(**numbers).items()}
    order = (F("coverage__unwatched").desc(nulls_last=True), "name", "pk")
    page = Paginator(found.order_by(*order), PAGE_SIZE).get_page(request.GET.get("page"))
    with granted(desk.ids):
        entries = FindingEntry.objects.filter(
            tenant_id__in=desk.ids, kind=Finding.Kind.UNWATCHED, closed_at=None
        )
        findings = list(entries.order_by("-severity", "-opened_at", "pk")[:SHOWN_FINDINGS])
    context = {
        "page": page,
        "lines": [(one, moment_of(one.coverage.get("read_at"))) for one in page.object_list],
        "sums": sums,
        "percent": percent_of(sums["watched"], sums["unwatched"]),
        "findings": [(one, desk.rights.tenants[one.tenant_id]) for one in findings],
        "may_export": bool(set(desk.ids) & set(desk.rights.having(Right.EXPORT))),
    }
    return render(request, "coverage/page.html", context)


@require_safe
def coverage_tenant(request: HttpRequest, slug: str) -> HttpResponse:
    rights = desk_of(request).rights
    return _tenant_page(request, tenant_for(user_of(request), slug, Right.SEE_POSTURE, rights))


@require_POST
def coverage_names(request: HttpRequest, slug: str) -> HttpResponse:
    """The same page with names, read live for its rows. Recorded; kept nowhere."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.SHOW_NAMES, desk_of(request).rights)
    with scope(tenant):
        since = new_since(timezone.now())
        rows = listing.page(_wanted(request), since, after=_after(request), limit=ROWS)
    try:
        found = read_names(arm_for(tenant), pseudonymiser_for(tenant), rows)
    except (ApiError, BadSecret) as err:
        found = LiveNames(problem=str(err))
    if found.names:
        record(user.username, "names_shown", tenant, "coverage", {"names": len(found.names)})
    answer = _tenant_page(request, tenant, found)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_POST
def coverage_exempt(request: HttpRequest, slug: str) -> HttpResponse:
    """Exempt something until a day, or end that."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.MANAGE_RULES, desk_of(request).rights)
    if request.POST.get("do") == "end":
        given = request.POST.get("exemption", "")
        if not end_exemption(tenant, given):
            raise Http404
        record(user.username, "exemption_ended", tenant, f"exemption {uuid.UUID(given)}")
        messages.success(request, "It is not exempt any more. Azure is read again soon.")
        return redirect("azure-tenant", tenant.slug)
    form = ExemptionForm(request.POST)
    if not form.is_valid():
        return _tenant_page(request, tenant, form=form, status=422)
    made = form.save(tenant)
    if made is None:
        form.add_error("covers", "There is no such resource, or there are 500 exemptions.")
        return _tenant_page(request, tenant, form=form, status=422)
    facts: dict[str, object] = {
        "kind": made.covers_kind, "reason": made.reason, "until": made.until.date().isoformat()
    }  # fmt: skip
    record(user.username, "exemption_made", tenant, f"exemption {made.public_id}", facts)
    messages.success(request, "It is exempt. Azure is read again soon.")
    return redirect("azure-tenant", tenant.slug)


def _tenant_page(
    request: HttpRequest,
    tenant: Tenant,
    live: LiveNames | None = None,
    *,
    form: ExemptionForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Nine queries in the tenant's scope, however many resources there are."""
    now, wanted = timezone.now(), _wanted(request)
    live = live or LiveNames()
    with scope(tenant):
        rule_row = WatchRule.objects.first()
        since = new_since(now)
        subscriptions, types = listing.groups(since)
        rows = listing.page(wanted, since, after=_after(request), limit=ROWS + 1)
        entities = entities_of(one.pseudonym for one in rows[:ROWS])
        exemptions = list(Exemption.objects.all())
        reads = last_reads()
        counts = tally(since)
    rule = rule_of(rule_row)
    lines = [_line(one, rule, entities, live) for one in rows[:ROWS]]
    ref = desk_of(request).rights.tenants[tenant.pk]
    context = {
        "tenant": tenant,
        "tally": counts,
        "states": {key: (name, counts.states[key]) for key, name in STATES.items()},
        "rule": rule,
        "rule_text": str(rule),
        "subscriptions": [(one, _place(one, live)) for one in subscriptions],
        "types": types,
        "lines": lines,
        "wanted": wanted,
        "query": _query(wanted),
        "here": _query(wanted, request.GET.get("after", "")),
        "after": rows[ROWS - 1].pseudonym if len(rows) > ROWS else None,
        "exemptions": [(one, _covered(one), one.until <= now) for one in exemptions],
        "reads": reads,
        "live": live,
        "form": form
        or ExemptionForm(initial={"covers": uuid_of(request.GET.get("exempt", "")) or ""}),
        "may_manage": ref.may(Right.MANAGE_RULES),
        "may_export": ref.may(Right.EXPORT),
        "may_show_names": ref.may_show_names,
    }
    return render(request, "coverage/tenant.html", context, status=status)


def _line(
    row: AzureResource, rule: Rule, entities: dict[uuid.UUID, uuid.UUID], live: LiveNames
) -> Line:
    return Line(
        row=row,
        label=label(KIND, row.pseudonym),
        place=label("subscription", row.subscription),
        state=STATES[State(row.state)],
        why=explain(Why(row.why), rule),
        entity=entities.get(row.pseudonym),
        name=live.names.get(row.pseudonym, ""),
        place_name=live.names.get(row.subscription, ""),
    )


def _place(group: Group, live: LiveNames) -> str:
    key = group.subscription or uuid.UUID(int=0)
    return live.names.get(key) or label("subscription", key)


def _covered(one: Exemption) -> str:
    return label(KIND if one.covers_kind == "resource" else one.covers_kind, one.covers)


def _wanted(request: HttpRequest) -> Wanted:
    asked = request.GET
    state = asked.get("state", State.UNWATCHED.value)
    known = {one.value for one in State}
    return Wanted(
        state="" if state == ANY else state if state in known else State.UNWATCHED.value,
        type=asked.get("type", "").replace("\0", "")[:120],
        subscription=uuid_of(asked.get("subscription", "")),
        is_new=asked.get("new") == "1",
    )


def _query(wanted: Wanted, after: str = "") -> str:
    pairs = {
        "state": wanted.state or ANY,
        "type": wanted.type,
        "subscription": str(wanted.subscription or ""),
        "new": "1" if wanted.is_new else "",
        "after": str(uuid_of(after) or ""),
    }
    return urlencode({key: value for key, value in pairs.items() if value})


def _after(request: HttpRequest) -> uuid.UUID | None:
    return uuid_of(request.GET.get("after", ""))


@require_safe
def coverage_export(request: HttpRequest) -> HttpResponseBase:
    """The list of tenants as CSV: counts only."""
    desk, user = desk_of(request), user_of(request)
    ids = set(desk.ids) & set(desk.rights.having(Right.EXPORT))
    record(user.username, "exported", facts={"format": "csv", "tenants": len(ids)})
    rows = Tenant.objects.filter(pk__in=ids).order_by("name", "pk")
    lines = (
        {
            "tenant": one.slug,
            **{key: one.coverage.get(key, "") for key in TABLE},
            "read_at": one.coverage.get("read_at") or "",
        }
        for one in rows
    )
    return _csv(lines, ("tenant", *TABLE, "read_at"), "azure-coverage.csv")


@require_safe
def coverage_resources(request: HttpRequest, slug: str) -> HttpResponseBase:
    """All resources that meet the filter, as CSV: pseudonyms, never names."""
    user = user_of(request)
    tenant = tenant_for(user, slug, Right.EXPORT, desk_of(request).rights)
    record(user.username, "exported", tenant, facts={"format": "csv"})
    columns = ("resource", "pseudonym", "subscription", "type", "location", "state", "reason",
               "first_seen", "changed")  # fmt: skip
    return _csv(_exported(tenant, _wanted(request)), columns, f"{tenant.slug}-azure.csv")


def _exported(tenant: Tenant, wanted: Wanted) -> Iterator[dict[str, object]]:
    """Read while it is sent, a page at a time: the scope is not open between pages."""
    after, left = None, MOST_EXPORTED
    with scope(tenant):
        since = new_since(timezone.now())
        rule = rule_of(WatchRule.objects.first())
    while left > 0:
        with scope(tenant):
            rows = listing.page(wanted, since, after=after, limit=min(left, EXPORTED_AT_ONCE))
        if not rows:
            return
        for row in rows:
            yield {
                "resource": label(KIND, row.pseudonym),
                "pseudonym": str(row.pseudonym),
                "subscription": label("subscription", row.subscription),
                "type": row.type,
                "location": row.location,
                "state": row.state,
                "reason": explain(Why(row.why), rule),
                "first_seen": row.first_seen_at.isoformat(),
                "changed": row.changed_at.isoformat(),
            }
        after, left = rows[-1].pseudonym, left - len(rows)


def _csv(
    lines: Iterator[dict[str, object]], columns: tuple[str, ...], name: str
) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(csv_rows(lines, columns), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
