"""Orders of the queue and their cursors: every row once, forwards and back, empty ones too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from csc_portal import queue
from csc_portal.filters import Filter
from csc_portal.ordering import NEWEST, ORDERINGS, Ordering
from tenants.models import QueueEntry, Tenant
from tenants.scope import scope
from tests.csc_portal.web.documents import START, address, alert
from tests.csc_portal.web.test_queue import ME, store

OPEN = Filter(severity=("any",))


@pytest.fixture
def mixed(qa: Tenant, qatest: Tenant) -> list[int]:
    """Twelve cases of each: equal severities and priorities, equal times, some never due."""
    for tenant in (qa, qatest):
        store(
            tenant,
            *(
                alert(
                    f"{n}",
                    address(f"203.0.113.{n}"),
                    severity=("high", "low", "informational")[n % 3],
                    at=START + timedelta(minutes=n // 4),
                )
                for n in range(12)
            ),
        )
        with scope(tenant):
            some = QueueEntry.objects.filter(case_id__in=_odd(tenant))
            some.update(due_at=START, priority=10)
    return [qa.pk, qatest.pk]


def _odd(tenant: Tenant) -> list[int]:
    ids = QueueEntry.objects.filter(tenant_id=tenant.pk).values_list("case_id", flat=True)
    return [case_id for case_id in ids if case_id % 4 == 1]


def _key(order: Ordering, row: queue.Row) -> tuple[object, ...]:
    values = [getattr(row, column) for column in order.columns]
    return tuple((value is None, value or 0) for value in values)


@pytest.mark.parametrize("name", ORDERINGS)
def test_pages_hold_every_row_once_and_in_order(name: str, mixed: list[int]) -> None:
    wanted = Filter(severity=("any",), sort=name)
    order = wanted.ordering
    pages, after = [], ""
    while True:
        found = queue.page(wanted, mixed, ME, after=after, limit=5)
        pages.append(found)
        after = found.after
        if not after:
            break
    seen = [row for page in pages for row in page.rows]
    assert len({row.id for row in seen}) == len(seen) == 24
    keys = [_key(order, row) for row in seen]
    assert keys == sorted(keys, reverse=order.is_descending)
    for page, earlier in zip(pages[1:], pages, strict=False):
        back = queue.page(wanted, mixed, ME, before=page.before, limit=5)
        assert [row.id for row in back.rows] == [row.id for row in earlier.rows]


def test_a_long_queue_goes_on_in_its_order(mixed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rare filter looks at SCANS rows, then says where it stopped: in this order, too."""
    monkeypatch.setattr(queue, "SCANS", 5)
    wanted, seen, after = Filter(severity=("low",), sort="due"), [], ""
    for _ in range(20):
        found = queue.page(wanted, mixed, ME, after=after, limit=4)
        seen += [row.id for row in found.rows]
        after = found.after
        if not after:
            break
    assert len(seen) == len(set(seen)) == 8


def test_closed_cases_have_one_order() -> None:
    assert Filter(status=("any",), sort="priority").ordering is NEWEST
    assert Filter(status=("resolved",), sort="oldest").ordering.name == "oldest"
    assert Filter(status=("new",), sort="priority").ordering.name == "priority"


@pytest.mark.parametrize("name", ORDERINGS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "1",
        "n",
        "n-1-1-1",
        "x-1",
        "1-1-1-1",
        "9" * 30 + "-1",
        "-1-1",
        "1--1",
        "\u0663-\u0661",
    ],
)
def test_no_cursor_breaks_an_order(name: str, text: str) -> None:
    assert ORDERINGS[name].read(text) == []


@pytest.mark.parametrize("name", ORDERINGS)
def test_a_cursor_is_read_as_it_was_written(name: str) -> None:
    order = ORDERINGS[name]
    at = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)
    values = [at if column.endswith("_at") else 7 for column in order.columns]
    assert order.read(order.cursor(values)) == values
    if name == "due":
        assert order.read(order.cursor([None, 7])) == [None, 7]
