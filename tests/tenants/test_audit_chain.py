"""The chain of the audit log, as pure functions: any change anywhere breaks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.audit_chain import (
    GENESIS,
    Archive,
    Entry,
    Sealed,
    canonical,
    check,
    derive_key,
    seal,
    seal_archive,
)

KEYS = {"v1": derive_key(b"1" * 32), "v2": derive_key(b"2" * 32)}
NOW = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)


def entry(number: int) -> Entry:
    return Entry(
        number * 7, NOW, f"user-{number}", "tested", number, "case 1", {"b": 1, "a": [1.5]}
    )


def chain(count: int = 5, version: str = "v1") -> list[Sealed]:
    rows, before = [], GENESIS
    for seq in range(1, count + 1):
        before = seal(KEYS[version], before, seq, entry(seq))
        rows.append(Sealed(seq, before, version, entry(seq)))
    return rows


def trouble(rows: list[Sealed], keys: dict[str, bytes] = KEYS) -> tuple[int, str] | None:
    broken = check(rows, keys, 0, GENESIS)[2]
    return (broken.seq, broken.why) if broken else None


def test_a_whole_chain_holds_and_tells_its_end() -> None:
    rows = chain()
    assert check(rows, KEYS, 0, GENESIS) == (5, rows[-1].mac, None)
    assert check(rows[2:], KEYS, 2, rows[1].mac) == (5, rows[-1].mac, None)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 8}, {"at": NOW + timedelta(microseconds=1)}, {"actor": "user-33"},
        {"action": "teste"}, {"tenant_id": 4}, {"tenant_id": None}, {"subject": "case 2"},
        {"facts": {"b": 1, "a": [1.6]}}, {"facts": {}},
    ],
)  # fmt: skip
def test_any_changed_field_is_found(change: dict[str, object]) -> None:
    rows = chain()
    assert rows[2].entry is not None
    rows[2] = replace(rows[2], entry=replace(rows[2].entry, **change))
    found = trouble(rows)
    assert found is not None
    assert found[0] == 3


def test_what_is_taken_out_moved_or_added_is_found() -> None:
    rows = chain()
    assert trouble([*rows[:2], *rows[3:]]) == (3, "The seal is missing.")
    assert trouble([*rows[:2], replace(rows[2], entry=None), *rows[3:]]) == (
        3,
        "The entry is missing.",
    )
    swapped = [
        *rows[:2], replace(rows[2], entry=rows[3].entry), replace(rows[3], entry=rows[2].entry),
    ]  # fmt: skip
    assert trouble(swapped) == (3, "The entry or its seal was changed.")
    assert trouble([*rows, rows[-1]]) == (6, "The seal is missing.")


def test_without_the_key_no_chain_can_be_made_anew() -> None:
    forged, before = [], GENESIS
    for row in chain():
        assert row.entry is not None
        changed = replace(row.entry, actor="nobody")
        before = seal(b"guess" * 8, before, row.seq, changed)
        forged.append(replace(row, mac=before, entry=changed))
    assert trouble(forged) == (1, "The entry or its seal was changed.")


def test_a_rotated_key_goes_on_with_the_chain() -> None:
    rows = chain(2)
    third = seal(KEYS["v2"], rows[-1].mac, 3, entry(3))
    rows.append(Sealed(3, third, "v2", entry(3)))
    assert trouble(rows) is None
    assert trouble(rows, {"v2": KEYS["v2"]}) == (
        1,
        "It was sealed with a version of the key that the vault does not have.",
    )


def test_an_archive_is_sealed_with_all_that_it_says() -> None:
    one = Archive(1, 5, b"a" * 32, b"b" * 32)
    others = [replace(one, first=2), replace(one, last=6), replace(one, last_mac=b"c" * 32),
              replace(one, digest=b"c" * 32)]  # fmt: skip
    assert len({seal_archive(KEYS["v1"], archive) for archive in (one, *others)}) == 5


FACTS = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=8)
)
ENTRIES = st.builds(
    Entry, st.integers(1, 2**40), st.datetimes(timezones=st.just(UTC)), st.text(max_size=9),
    st.text(max_size=9), st.none() | st.integers(1, 99), st.text(max_size=9), FACTS,
)  # fmt: skip


@given(ENTRIES, ENTRIES)
def test_other_content_has_other_bytes(one: Entry, other: Entry) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(ENTRIES)
def test_the_bytes_depend_on_the_content_alone(one: Entry) -> None:
    turned = dict(reversed(list(one.facts.items())))
    try:
        elsewhere = one.at.astimezone(timezone(timedelta(hours=2)))
    except OverflowError:
        elsewhere = one.at
    assert canonical(replace(one, facts=turned, at=elsewhere)) == canonical(one)
