"""What was written when: one manifest a window of a tenant, written last. Files that no manifest
names do not exist for a reader, so a run that was killed has done nothing.

Windows of a tenant are numbered and follow each other without a gap, by ids of transactions: each
holds the rows written by transactions from `since_change` up to `until_change`. A manifest over
several windows (of a whole day) takes the place of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson

from lake.schema import TABLES, VERSION
from lake.store import Store

FORMAT = 1
WINDOWS = "windows"
READERS = 16


class DamagedLake(RuntimeError):
    """A manifest can't be read, or windows are missing between others."""


@dataclass(frozen=True, slots=True)
class Part:
    """One table's file of a window. `checksum`: of the rows, whatever their order."""

    path: str
    rows: int
    checksum: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`first` to `last`: numbers of the windows. `since` and `until`: when, by the database."""

    first: int
    last: int
    since_change: int
    until_change: int
    since: datetime | None
    until: datetime
    parts: Mapping[str, Part] = field(default_factory=dict)
    generation: int = 1

    @property
    def name(self) -> str:
        return f"{self.first:010d}-{self.last:010d}"

    def covers(self, other: Manifest) -> bool:
        return self.first <= other.first and other.last <= self.last and self != other

    def as_bytes(self) -> bytes:
        return orjson.dumps({"format": FORMAT, "schema": VERSION, **asdict(self)})


def folder_of(tenant: str) -> str:
    """Everything of a tenant lies below it."""
    return f"tenant={tenant}"


def path_of(tenant: str, manifest: Manifest) -> str:
    return f"{folder_of(tenant)}/{WINDOWS}/{manifest.name}.json"


def file_of(tenant: str, table: str, manifest: Manifest) -> str:
    """Named by window and generation: what a reader has open is never written over."""
    day = manifest.until.date().isoformat()
    name = f"{manifest.name}.g{manifest.generation}.parquet"
    return f"{folder_of(tenant)}/{table}/day={day}/{name}"


def tenants_in(store: Store) -> list[str]:
    prefix = folder_of("")
    return [name.removeprefix(prefix) for name in store.names("") if name.startswith(prefix)]


def publish(store: Store, tenant: str, manifest: Manifest) -> None:
    store.write(path_of(tenant, manifest), manifest.as_bytes())


def last_window(store: Store, tenant: str) -> Manifest | None:
    """The newest, of one listing and one file."""
    names = _names(store, tenant)
    if not names:
        return None
    newest = max(names, key=lambda name: name.split("-")[1])
    return _read(store, f"{folder_of(tenant)}/{WINDOWS}/{newest}")


def windows_of(store: Store, tenant: str) -> list[Manifest]:
    """Those that count, in their order. Raises DamagedLake, also for a gap between them."""
    found = read_all(store, tenant)
    wide = [one for one in found if one.first < one.last]
    kept = [one for one in found if not any(other.covers(one) for other in wide)]
    kept.sort(key=lambda one: one.first)
    for before, after in pairwise(kept):
        if after.first != before.last + 1 or after.since_change != before.until_change:
            raise DamagedLake(f"Windows are missing after number {before.last}.")
    return kept


def read_all(store: Store, tenant: str) -> list[Manifest]:
    """Also those whose place another has taken."""
    paths = [f"{folder_of(tenant)}/{WINDOWS}/{name}" for name in _names(store, tenant)]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda path: _read(store, path), paths))


def named(manifests: Iterable[Manifest]) -> set[str]:
    return {part.path for one in manifests for part in one.parts.values()}


def _names(store: Store, tenant: str) -> list[str]:
    names = store.names(f"{folder_of(tenant)}/{WINDOWS}")
    return [name for name in names if name.endswith(".json")]


def _read(store: Store, path: str) -> Manifest:
    try:
        found: dict[str, Any] = orjson.loads(store.read(path))
        if found.pop("format") != FORMAT or found.pop("schema") > VERSION:
            raise DamagedLake("A window was written by a newer version of the portal.")
        parts = {name: Part(**part) for name, part in found.pop("parts").items()}
        since, until = found.pop("since"), found.pop("until")
        manifest = Manifest(
            **found,
            parts={name: part for name, part in parts.items() if name in TABLES},
            since=datetime.fromisoformat(since) if since else None,
            until=datetime.fromisoformat(until),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise DamagedLake("A window's manifest can't be read.") from err
    return manifest
