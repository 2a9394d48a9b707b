"""Reading the audit log: which entries somebody may see, filtered, page by page or all of them.

A customer sees entries of their own tenant, and of the provider's people only that it was one of
them; filtering by a name must not tell either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict

from alerts.rows import run
from csc_portal.access import Rights, TenantRef
from csc_portal.audit_formats import Line
from csc_portal.people import SOMEBODY
from csc_portal.typed import number_of
from tenants.audit import SYSTEM
from tenants.grants import DIRECTORY
from tenants.models import AuditEntry, AuditSeal, Tenant
from tenants.roles import CUSTOMER_ROLES, Right

CHUNK = 1_000
LONGEST = 150
NOT_PEOPLE = frozenset({SYSTEM, DIRECTORY})

_OWN_PEOPLE = """
SELECT u.id, u.username FROM tenants_user u JOIN tenants_grant g ON g.user_id = u.id
GROUP BY u.id HAVING bool_and(g.role = ANY(%s)) AND array_agg(g.tenant_id::int) && %s::int[]
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filter, as the query string spells it. `problems` are sentences for people."""

    who: str = ""
    action: str = ""
    since: str = ""
    until: str = ""
    zone: tzinfo = field(default=UTC, compare=False)
    problems: tuple[str, ...] = field(default=(), compare=False)

    def query(self) -> str:
        """The filter as a query string; "" for none."""
        names = [f.name for f in fields(self) if f.name not in {"zone", "problems"}]
        return urlencode([(name, getattr(self, name)) for name in names if getattr(self, name)])


def parse(query: QueryDict, zone: tzinfo = UTC) -> Wanted:
    """Never raises; what is no time becomes a problem. A time without a zone is of `zone`."""
    texts = {
        name: query.get(name, "").replace("\0", "").strip()[:LONGEST]
        for name in ("who", "action", "since", "until")
    }
    problems = tuple(
        f"'{name}' is no time. Write it as 2026-11-20T08:00."
        for name in ("since", "until")
        if texts[name] and _time(texts[name], zone) is None
    )
    return Wanted(**texts, zone=zone, problems=problems)


def _time(text: str, zone: tzinfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class Reader:
    """Who reads: the tenants whose entries they may see, and how people are named to them.

    `is_everywhere`: entries of no tenant too. `own_people` is None for the provider's side; for a
    customer it holds the user names that they may read, and `own_ids` the numbers of these users.
    """

    tenants: Mapping[int, TenantRef | Tenant]
    is_everywhere: bool
    own_people: frozenset[str] | None = None
    own_ids: frozenset[int] = frozenset()

    def name(self, actor: str) -> str:
        if self.own_people is None or actor in self.own_people:
            return actor
        return SOMEBODY

    def subject(self, subject: str) -> str:
        kind, _, number = subject.partition(" ")
        return subject if kind != "user" or self._may_know(number_of(number)) else kind

    def facts(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        owner = facts.get("owner")
        if not isinstance(owner, int) or self._may_know(owner):
            return facts
        return {name: fact for name, fact in facts.items() if name != "owner"}

    def _may_know(self, user_id: int) -> bool:
        return self.own_people is None or user_id in self.own_ids


def reader_for(rights: Rights, tenant_ids: Sequence[int], *, is_narrowed: bool) -> Reader:
    """One query for a customer, none for the provider's people."""
    allowed = set(rights.having(Right.SEE_AUDIT))
    refs = {pk: rights.tenants[pk] for pk in tenant_ids if pk in allowed}
    is_everywhere = Right.SEE_AUDIT in rights.everywhere and not is_narrowed
    if all(ref.sees_provider for ref in refs.values()):
        return Reader(refs, is_everywhere)
    # Whoever is a customer in one of these tenants is one in all of them.
    return customers_reader(refs)


def customers_reader(tenants: Mapping[int, TenantRef | Tenant]) -> Reader:
    """Somebody of these customers. One query."""
    found = run(_OWN_PEOPLE, [sorted(CUSTOMER_ROLES), list(tenants)])
    names = NOT_PEOPLE | {name for _, name in found}
    return Reader(tenants, False, names, frozenset(user_id for user_id, _ in found))


def page(reader: Reader, wanted: Wanted, before: int | None, limit: int) -> list[Line]:
    """Newest first. Two queries: the entries and their places in the chain."""
    if wanted.problems:
        return []
    entries = AuditEntry.objects.filter(_condition(reader, wanted))
    if before is not None:
        entries = entries.filter(pk__lt=before)
    return _lines(list(entries.order_by("-pk")[:limit]), reader)


def about(reader: Reader, subject: str, limit: int) -> list[Line]:
    """Entries of one thing, as `record` was told its kind and public id. Newest first."""
    entries = AuditEntry.objects.filter(_condition(reader, Wanted()), subject=subject)
    return _lines(list(entries.order_by("-pk")[:limit]), reader)


def stream(reader: Reader, wanted: Wanted) -> Iterator[Line]:
    """All of them, oldest first, in constant memory. Entries written meanwhile are left out."""
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    entries = AuditEntry.objects.filter(_condition(reader, wanted), pk__lte=newest).order_by("pk")
    after = 0
    while True:
        chunk = list(entries.filter(pk__gt=after)[:CHUNK])
        yield from _lines(chunk, reader)
        if len(chunk) < CHUNK:
            return
        after = chunk[-1].pk


def _condition(reader: Reader, wanted: Wanted) -> Q:
    met = Q(tenant_id__in=list(reader.tenants))
    if reader.is_everywhere:
        # Also of tenants that were erased: their entries stay.
        met = Q()
    if wanted.who:
        met &= _by(wanted.who, reader.own_people)
    if wanted.action:
        met &= Q(action=wanted.action)
    since, until = (_time(text, wanted.zone) for text in (wanted.since, wanted.until))
    if since:
        met &= Q(at__gte=since)
    if until:
        met &= Q(at__lt=until)
    return met


def _by(who: str, own_people: frozenset[str] | None) -> Q:
    if own_people is None or who in own_people:
        return Q(actor=who)
    if who == SOMEBODY:
        return ~Q(actor__in=own_people)
    return Q(pk=None)  # whether there is such a person is not told


def _lines(entries: Sequence[AuditEntry], reader: Reader) -> list[Line]:
    ids = [entry.pk for entry in entries]
    places = dict(AuditSeal.objects.filter(entry_id__in=ids).values_list("entry_id", "seq"))
    return [_line(entry, reader, places.get(entry.pk)) for entry in entries]


def _line(entry: AuditEntry, reader: Reader, seq: int | None) -> Line:
    tenant: Any = reader.tenants.get(entry.tenant_id or 0)
    return Line(
        entry.pk, entry.at, reader.name(entry.actor), entry.action, tenant.slug if tenant else "",
        reader.subject(entry.subject), reader.facts(entry.facts), seq,
    )  # fmt: skip
