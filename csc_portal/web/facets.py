"""The choices beside the queue: each is a link to the same page with one choice more or less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.text import slugify

from alerts.models import Case
from alerts.products import SOURCES
from csc_portal.access import TenantRef
from csc_portal.filters import PILLAR_BITS, STATUSES, Filter
from csc_portal.queue import Counts
from csc_portal.templatetags.portal import PILLAR_ICONS
from tenants.models import SEVERITIES

STATUS_LABELS = {"new": "New", "in_progress": "In progress", "resolved": "Resolved"}
VERDICT_LABELS = {
    "none": "No verdict",
    "truePositive": "True positive",
    "informationalExpectedActivity": "Expected activity",
    "falsePositive": "False positive",
}
ASSIGNEE_LABELS = {"me": "Me", "none": "Nobody", "anyone": "Anybody"}
TICKET_LABELS = {"yes": "Has a ticket", "no": "No ticket"}
VIP_LABELS = {"yes": "VIP", "no": "Not VIP"}
SLA_LABELS = {"breached": "Breached", "soon": "Due within 1 h", "fine": "Fine"}
SNOOZED_LABELS = {"yes": "Snoozed only", "any": "Snoozed too"}


@dataclass(frozen=True, slots=True)
class Option:
    """`count` is None where no kept sum has it: it comes after the page, into the place `key`."""

    label: str
    url: str
    is_on: bool
    count: int | None = None
    icon: str = ""
    severity: str = ""
    name: str = ""
    value: str = ""

    @property
    def key(self) -> str:
        return f"count-{self.name}-{slugify(self.value)}"


@dataclass(frozen=True, slots=True)
class Facet:
    """`later`: where options come after the page, the id of their list."""

    label: str
    options: list[Option]
    is_open: bool = True
    later: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Open cases of one link of the chain and one severity."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class Counters:
    """The table above the queue: a column a link of the chain, a row a severity."""

    columns: list[Option]
    rows: list[tuple[str, list[Cell]]]


MOST_COLLEAGUES = 15
SHOWN_SEVERITIES = ("high", "medium", "low", "informational")


def counters(wanted: Filter, counts: Counts) -> Counters:
    plain = Filter(wanted.tenant, wanted.group)
    columns = [
        Option(name.capitalize(), "", False, counts.pillar(name), PILLAR_ICONS[name])
        for name in PILLAR_BITS
    ]
    rows = [
        (
            severity,
            [
                Cell(
                    counts.pillar(name, severity),
                    f"?{plain.query(severity=(severity,), pillar=(name,))}",
                )
                for name in PILLAR_BITS
            ],
        )
        for severity in SHOWN_SEVERITIES
    ]
    return Counters(columns, rows)


def facets(
    wanted: Filter,
    counts: Counts,
    busiest: list[tuple[int, int]],
    tenants: Mapping[int, TenantRef],
) -> list[Facet]:
    """Counts are those of all open cases in scope, whatever else is chosen."""
    return [
        Facet(
            "Status",
            [
                Option(
                    STATUS_LABELS[name],
                    _url(wanted, "status", name),
                    name in wanted.statuses,
                    counts.status(name),
                )
                for name in STATUSES
            ],
        ),
        Facet(
            "Severity",
            [
                Option(
                    name.capitalize(),
                    _url(wanted, "severity", name),
                    name in wanted.severities,
                    counts.open(name),
                    severity=name,
                )
                for name in reversed(SEVERITIES)
            ],
        ),
        Facet(
            "Chain",
            [
                Option(
                    name.capitalize(),
                    _url(wanted, "pillar", name),
                    name in wanted.pillar,
                    counts.pillar(name),
                    icon=PILLAR_ICONS[name],
                )
                for name in PILLAR_BITS
            ],
        ),
        replace(_plain("Assignee", "assignee", ASSIGNEE_LABELS, wanted), later="colleagues"),
        _tenants(wanted, busiest, tenants),
        _plain("SLA", "sla", SLA_LABELS, wanted),
        _plain("VIP", "vip", VIP_LABELS, wanted, is_open=bool(wanted.vip)),
        _plain("Source", "source", _sources(wanted), wanted, is_open=bool(wanted.source)),
        _plain("Verdict", "verdict", VERDICT_LABELS, wanted, is_open=bool(wanted.verdict)),
        _plain("Ticket", "ticket", TICKET_LABELS, wanted, is_open=bool(wanted.ticket)),
        Facet(
            "Closed by the portal",
            [
                Option(label, _url(wanted, "closed_by", name), name in wanted.closed_by)
                for name, label in Case.ClosedBy.choices
            ],
            bool(wanted.closed_by),
        ),
        _plain("Snoozed", "snoozed", SNOOZED_LABELS, wanted, is_open=bool(wanted.snoozed)),
    ]


def colleagues(
    wanted: Filter, numbers: Mapping[int, int], names: Mapping[int, str]
) -> list[Option]:
    """Other people with open cases, most first; also the one that was chosen and has none."""
    chosen = int(wanted.assignee) if wanted.assignee.isdecimal() else 0
    shown = list(numbers)[:MOST_COLLEAGUES]
    if chosen and chosen not in shown:
        shown.append(chosen)
    return [
        Option(names[pk], _url(wanted, "assignee", str(pk)), pk == chosen, numbers.get(pk, 0))
        for pk in shown
        if pk in names
    ]


def counted(shown: list[Facet]) -> list[Option]:
    """The options whose counts come after the page."""
    return [option for facet in shown for option in facet.options if option.name]


def _url(wanted: Filter, name: str, value: str) -> str:
    return f"?{wanted.toggled(name, value)}"


def _plain(
    label: str, name: str, labels: Mapping[str, str], wanted: Filter, *, is_open: bool = True
) -> Facet:
    options = [
        Option(
            text, _url(wanted, name, value), value in _chosen(wanted, name), name=name, value=value
        )
        for value, text in labels.items()
    ]
    return Facet(label, options, is_open)


def _chosen(wanted: Filter, name: str) -> tuple[str, ...]:
    value = getattr(wanted, name)
    return value if isinstance(value, tuple) else (value,)


def _sources(wanted: Filter) -> dict[str, str]:
    """Those with a name of their own, and any other that was chosen."""
    return {**SOURCES, **{name: name for name in wanted.source if name not in SOURCES}}


def _tenants(
    wanted: Filter, busiest: list[tuple[int, int]], tenants: Mapping[int, TenantRef]
) -> Facet:
    options = [
        Option(
            tenants[pk].name,
            # One of a group's tenants narrows the group; beside others it is one more.
            _url(replace(wanted, group=()), "tenant", tenants[pk].slug),
            tenants[pk].slug in wanted.tenant,
            count,
        )
        for pk, count in busiest
    ]
    return Facet("Tenant", options)
