"""A copy kept by `changes_since` loses nothing and repeats nothing, however writers overlap."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from csc_portal.streams.news import News
from csc_portal.sync import (
    FEW,
    Changes,
    CursorOfAnotherLife,
    Position,
    changes_since,
    position_now,
)
from tenants.models import Tenant
from tests.lab import wait_for

CASES, WRITERS = 5, 3
TOUCH = """
INSERT INTO tenants_queueentry (tenant_id, case_id, public_id, status, severity, priority, pillars,
  source, category, title, is_vip, alert_count, entity_count, entities, verdict, ticket_ref,
  ticket_url, first_activity_at, last_activity_at, opened_at, changed_at, change)
VALUES (%s, %s, %s, 0, 4, 50, 1, 'x', '', %s, false, 1, 0, '[]', '', '', '', now(), now(), now(),
  now(), pg_current_xact_id()::text::bigint)
ON CONFLICT (tenant_id, case_id) DO UPDATE SET title = excluded.title, change = excluded.change
"""
REMOVE = "DELETE FROM tenants_queueentry WHERE tenant_id = %s AND case_id = %s"
OLDEST_OPEN = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
TRUTH = "SELECT public_id, title FROM tenants_queueentry"


class Store:
    """A writer a tenant, each with a transaction of its own: within one tenant the counts of the
    queue let writers wait for each other. And a program that keeps a copy of all.
    """

    def __init__(self, tenants: list[Tenant]) -> None:
        self.tenants = tenants
        self.tenant_ids = [tenant.pk for tenant in tenants]
        self.writers: list[psycopg.Connection] = []
        for tenant in tenants:
            one = psycopg.connect(settings.BACKING.database_url, autocommit=True)
            one.execute(f"SET ROLE {settings.DATABASES['default']['NAME']}_t{tenant.pk}")
            self.writers.append(one)
        self.titles = 0
        self.reset()

    def reset(self, *, is_listener: bool = False, times: int = 1) -> None:
        """`times`: each tenant is named so often; many are read by another plan than few."""
        self.asked = self.tenant_ids * times
        for one in self.writers:
            one.execute("ROLLBACK")
            for table in ("queueentry", "queuetombstone", "queuerollup"):
                one.execute(f"DELETE FROM tenants_{table}")
        self.position = Position()
        self.news = News(fresh_s=0) if is_listener else None
        self.is_behind = True
        self.copy: dict[uuid.UUID, str] = {}
        self.told: set[tuple[uuid.UUID, str]] = set()

    def id_of(self, writer: int, case: int) -> uuid.UUID:
        return uuid.uuid5(self.tenants[writer].public_id, str(case))

    def write(self, writer: int, case: int, is_removal: bool) -> None:
        one, tenant_id = self.writers[writer], self.tenant_ids[writer]
        if one.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            one.execute("BEGIN")
        if is_removal:
            one.execute(REMOVE, [tenant_id, case])
            return
        self.titles += 1
        one.execute(TOUCH, [tenant_id, case, self.id_of(writer, case), f"title {self.titles}"])

    def settle(self) -> None:
        """Until nobody's older transaction is open: the server has work of its own, too."""
        [last] = self.writers[0].execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        wait_for(lambda: self.oldest_open() > last, 60, "older transactions have ended")

    def oldest_open(self) -> int:
        return int(self.writers[0].execute(OLDEST_OPEN).fetchone()[0])

    def end(self, writer: int, is_kept: bool) -> None:
        self.writers[writer].execute("COMMIT" if is_kept else "ROLLBACK")

    def changes(self, limit: int) -> Changes:
        """A listener, once it has seen all, reads only tenants with news."""
        if self.news is None:
            return changes_since(self.position, self.asked, limit)
        if self.is_behind:
            self.news.join(self.tenant_ids)
            found = changes_since(self.position, self.asked, limit)
            self.is_behind = found.has_more
            return found
        changed, until = self.news.since(self.position, self.tenant_ids)
        if not changed:
            return Changes([], self.position, False, self.position)
        return changes_since(self.position, changed, limit, until)

    def read(self, limit: int) -> bool:
        found = self.changes(limit)
        assert len(found.items) <= limit
        for one in found.items:
            if one.row is None:
                self.copy.pop(one.public_id, None)
                continue
            version = (one.public_id, one.row.title)
            assert version not in self.told, "a change came twice"
            self.told.add(version)
            self.copy[one.public_id] = one.row.title
        self.position = found.reached if self.news else found.position
        return found.has_more

    def truth(self) -> dict[uuid.UUID, str]:
        return dict(row for one in self.writers for row in one.execute(TRUTH).fetchall())

    def close(self) -> None:
        for one in self.writers:
            one.close()


@pytest.fixture(scope="module")
def store(_tenants, django_db_blocker) -> Iterator[Store]:
    with django_db_blocker.unblock():
        found = Store(list(_tenants.values()))
        yield found
        found.reset()
        found.close()
        connection.close()


WRITER = st.integers(0, WRITERS - 1)
STEP = st.one_of(
    st.tuples(st.just("write"), WRITER, st.integers(0, CASES - 1), st.booleans()),
    st.tuples(st.just("end"), WRITER, st.booleans()),
    st.tuples(st.just("read"), st.integers(1, 4)),
)


@bounded(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(STEP, max_size=40), is_listener=st.booleans(), times=st.sampled_from((1, FEW))
)
def test_a_copy_becomes_the_truth(
    store: Store, steps: list[Any], is_listener: bool, times: int
) -> None:
    store.reset(is_listener=is_listener, times=times)
    for name, *words in steps:
        getattr(store, name)(*words)
    for writer in range(WRITERS):
        store.end(writer, is_kept=True)
    store.settle()
    while store.read(3):
        pass
    assert store.copy == store.truth()
    assert not store.read(10)


def test_who_began_first_and_ends_last_is_not_missed(store: Store) -> None:
    store.reset()
    store.write(0, 0, False)
    store.write(1, 1, False)
    store.end(1, is_kept=True)
    assert not store.read(10)
    assert store.copy == {}  # an older transaction is open: its change must not come behind
    store.end(0, is_kept=True)
    store.settle()
    assert not store.read(10)
    assert set(store.copy) == {store.id_of(0, 0), store.id_of(1, 1)}


def test_what_left_the_queue_leaves_the_copy(store: Store) -> None:
    store.reset()
    for is_removal in (False, True, False, True):
        store.write(0, 2, is_removal)
        store.end(0, is_kept=True)
        store.settle()
        store.read(10)
        assert (store.id_of(0, 2) in store.copy) is not is_removal


def test_a_cursor_of_another_database_is_told(store: Store) -> None:
    with pytest.raises(CursorOfAnotherLife):
        changes_since(Position(2**60), store.tenant_ids, 5)


def test_one_look_serves_all_who_listen(store: Store, django_assert_num_queries) -> None:
    store.reset()
    store.settle()
    here, news = position_now(), News(fresh_s=3600)
    news.join(store.tenant_ids)
    store.write(1, 1, False)
    store.end(1, is_kept=True)
    store.settle()
    with django_assert_num_queries(1):
        told = [news.since(here, store.tenant_ids[place:])[0] for place in range(WRITERS)]
    assert told == [[store.tenant_ids[1]], [store.tenant_ids[1]], []]
    with django_assert_num_queries(1):  # however many tenants it may read
        changes_since(here, store.tenant_ids * FEW, 5)
