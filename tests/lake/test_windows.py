"""Windows are written once or not at all, wherever a run is killed; nothing old is lost or kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from lake.check import check
from lake.manifest import (
    DamagedLake,
    folder_of,
    last_window,
    named,
    path_of,
    tenants_in,
    windows_of,
)
from lake.reader import Lake
from lake.retention import erase, forget_before, tidy
from lake.rows import read_part
from lake.schema import CASES
from lake.store import Store, store_at
from lake.writer import compact, rewrite_window
from tests.lake.lab import DAY, ONE, TWO, Database, case, event, write


def titles(store: Store, tenant: str = ONE) -> dict[int, str]:
    """The newest title of each case, as a reader sees it."""
    with Lake(store, {tenant: "one"}) as lake:
        return dict(lake.query("SELECT case_id, title FROM cases").rows)  # type: ignore[arg-type]


def three_days(store: Store) -> Database:
    """A window each twelve hours; case 1 changes in each, and each has a case of its own."""
    database = Database()
    for number in range(1, 7):
        database.put("cases", case(number * 10, 1, title=f"change {number}"))
        database.put("cases", case(number * 10 + 1, number + 100, title=f"new {number}"))
        database.put("events", event(number * 10 + 1, number, case_id=1, kind="grew"))
        write(store, database, (number + 1) * 10, hours=12 * (number - 1) + 1)
    return database


def test_a_changed_row_is_in_a_later_window_and_the_newest_counts(store: Store) -> None:
    three_days(store)
    windows = windows_of(store, ONE)
    assert [(one.first, one.parts["cases"].rows) for one in windows] == [
        (n, 2) for n in range(1, 7)
    ]
    assert titles(store) == {1: "change 6", **{n + 100: f"new {n}" for n in range(1, 7)}}
    with Lake(store, {ONE: "one"}) as lake:
        told = lake.query("SELECT title FROM cases_versions WHERE case_id = 1 ORDER BY change")
    assert told.rows == [(f"change {n}",) for n in range(1, 7)]


def test_nothing_new_writes_nothing(store: Store) -> None:
    database = three_days(store)
    before = sorted(store.files(""))
    assert write(store, database, 200, hours=200).parts == {}
    assert sorted(store.files("")) == before
    database.put("cases", case(250, 9, title="late"))
    assert write(store, database, 300, hours=201).since_change == 70


def test_a_file_that_no_window_names_is_not_there(store: Store) -> None:
    three_days(store)
    last = last_window(store, ONE)
    assert last is not None
    store.delete(path_of(ONE, last))
    assert titles(store)[1] == "change 5"
    assert tidy(store, ONE) == 2
    assert set(store.files(folder_of(ONE))) == {
        *named(windows_of(store, ONE)), *(path_of(ONE, one) for one in windows_of(store, ONE))
    }  # fmt: skip


def test_days_are_joined_and_hold_the_same(store: Store) -> None:
    database = three_days(store)
    before = titles(store)
    assert compact(store, ONE, (DAY + timedelta(days=2)).date()) == 2
    assert [(one.first, one.last) for one in windows_of(store, ONE)] == [
        (1, 2),
        (3, 4),
        (5, 5),
        (6, 6),
    ]
    assert titles(store) == before
    assert check(store, ONE, database.feed, lambda table: ()).differences == ()
    assert compact(store, ONE, (DAY + timedelta(days=2)).date()) == 0
    assert tidy(store, ONE) == 2 * (2 + 4)  # of each joined day two windows with two files
    assert titles(store) == before
    with Lake(store, {ONE: "one"}) as lake:
        assert lake.query("SELECT count(*) FROM cases_versions").rows == [(12,)]


def test_what_is_old_is_forgotten_but_not_where_the_next_begins(store: Store) -> None:
    database = three_days(store)
    assert forget_before(store, ONE, DAY + timedelta(hours=24)) == 2
    assert sorted(titles(store)) == [1, 103, 104, 105, 106]
    assert forget_before(store, ONE, DAY + timedelta(days=9)) == 4
    tidy(store, ONE)
    assert [path.split("/")[1] for path in store.files(folder_of(ONE))] == ["windows"]
    database.put("cases", case(75, 9, title="next"))
    assert write(store, database, 80, hours=300).first == 7
    assert titles(store) == {9: "next"}
    assert forget_before(store, ONE, DAY) == 0


def test_a_quiet_time_leaves_no_hole(store: Store) -> None:
    """What was emptied as the newest goes when others have come after it and grown old."""
    database = three_days(store)
    forget_before(store, ONE, DAY + timedelta(days=9))
    assert check(store, ONE, database.feed, lambda table: ()).differences == ()
    for number in (8, 9, 10):
        database.put("cases", case(number * 10, number, title="later"))
        write(store, database, (number + 1) * 10, hours=24 * number)
    assert forget_before(store, ONE, DAY + timedelta(days=9, hours=1)) == 2
    assert [one.first for one in windows_of(store, ONE)] == [9]
    assert titles(store) == {10: "later"}


def test_a_tenant_is_erased_and_others_stay(store: Store) -> None:
    three_days(store)
    write(store, Database(cases=[case(1, 1, title="another's")]), 10, 1, TWO)
    assert tenants_in(store) == [ONE, TWO]
    erase(store, ONE)
    erase(store, ONE)
    assert [path for path in store.files("") if ONE in path] == []
    assert (titles(store), titles(store, TWO)) == ({}, {1: "another's"})


def test_a_window_is_written_again_beside_what_readers_have_open(store: Store) -> None:
    database = three_days(store)
    window = windows_of(store, ONE)[3]
    database.tables["cases"] = [row for row in database.tables["cases"] if row[1] != 104]
    again = rewrite_window(store, ONE, window, database.feed)
    assert again.parts["events"].path != window.parts["events"].path
    assert list(read_part(store, window.parts["cases"].path, CASES))
    assert 104 not in titles(store)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 9, "schema": 1}'])
def test_a_manifest_that_cant_be_read_is_an_error_not_a_hole(store: Store, content: bytes) -> None:
    three_days(store)
    store.write(path_of(ONE, windows_of(store, ONE)[2]), content)
    with pytest.raises(DamagedLake):
        windows_of(store, ONE)


def test_a_missing_window_is_an_error(store: Store) -> None:
    three_days(store)
    store.delete(path_of(ONE, windows_of(store, ONE)[2]))
    with pytest.raises(DamagedLake, match="after number 2"):
        titles(store)


# --- check ----------------------------------------------------------------------------------------


def problems(store: Store, database: Database, until: int = 70) -> set[tuple[str, str]]:
    pending = database.pending(until)
    checked = check(store, ONE, database.feed, lambda table: pending.get(table.name, ()))
    return {(one.table, one.problem) for one in checked.differences}


def test_the_check_finds_what_differs(store: Store) -> None:
    database = three_days(store)
    assert problems(store, database) == set()
    database.put("cases", case(80, 105, title="changed after the last window"))
    assert problems(store, database) == set()
    database.put("cases", case(41, 104, title="another title, without a new change"))
    assert problems(store, database) == {("cases", "rows differ from the database")}
    database.put("cases", case(41, 104, title="new 4"), case(45, 999))
    assert problems(store, database) == {("cases", "rows differ from the database")}


def test_the_check_finds_damaged_and_missing_files(store: Store) -> None:
    database = three_days(store)
    first, second = windows_of(store, ONE)[:2]
    store.write(first.parts["cases"].path, store.read(second.parts["cases"].path))
    assert problems(store, database) == {("cases", "the file is not what was written")}
    store.write(first.parts["cases"].path, b"PAR1")
    store.delete(first.parts["events"].path)
    unreadable = "the file can't be read"
    assert problems(store, database) == {("cases", unreadable), ("events", unreadable)}


# --- killed at every step -------------------------------------------------------------------------


class Killed(Store):
    """Dies at one of its steps as if by SIGKILL: nothing runs after it."""

    def __init__(self, store: Store, steps: int) -> None:
        super().__init__(store.system, store.root)
        self.steps = steps

    def _step(self) -> None:
        if self.steps == 0:
            os._exit(9)
        self.steps -= 1

    def create(self, path: str):  # type: ignore[no-untyped-def]
        self._step()
        stream = super().create(path)
        if not path.endswith(".part"):
            self._step()  # an empty file was begun
        return stream

    def write(self, path: str, data: bytes) -> None:
        super().write(path, data)
        self._step()

    def delete(self, path: str) -> None:
        super().delete(path)
        self._step()

    def delete_folder(self, folder: str) -> None:
        super().delete_folder(folder)
        self._step()


def killed_at(step: int, store: Store, work: Callable[[Store], object]) -> bool:
    """Do it in a process that is killed at that step; whether it came so far."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(Killed(store, step))
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def household(store: Store) -> None:
    tidy(store, ONE)
    forget_before(store, ONE, DAY + timedelta(hours=14))
    compact(store, ONE, (DAY + timedelta(days=2)).date())


@pytest.mark.parametrize("work", ["write", "keep house", "erase"])
def test_killed_at_every_step_and_run_again_is_the_same(work: str, tmp_path) -> None:
    """The content after the second run is that of a run that nobody killed."""
    for step in range(100):
        store = store_at("", tmp_path / str(step))
        database = three_days(store)
        database.put("cases", case(75, 1, title="change 7"), case(76, 107, title="new 7"))
        database.put("events", event(76, 7, case_id=1))
        if work != "write":
            write(store, database, 80, hours=80)

        def run(at: Store, database: Database = database) -> None:
            if work == "write":
                write(at, database, 80, hours=80)
            elif work == "erase":
                erase(at, ONE)
            else:
                household(at)

        was_killed = killed_at(step, store, run)
        run(store)
        if work == "erase":
            assert list(store.files("")) == []
        else:
            gone = set() if work == "write" else {101, 102}
            wanted = {1: "change 7", **{n + 100: f"new {n}" for n in range(1, 8)}}
            assert titles(store) == {key: value for key, value in wanted.items() if key not in gone}
            assert problems(store, database, 80) == set()
            with Lake(store, {ONE: "one"}) as lake:
                rows = lake.query("SELECT count(*), count(DISTINCT event_id) FROM events_versions")
            assert rows.rows == [(7 - len(gone),) * 2]
        if not was_killed:
            assert step > 1
            return
    raise AssertionError("it never came to its end")
