"""The lake as tables of DuckDB that holds the tenants given and nothing else.

The files go in as Arrow datasets, so DuckDB needs no path and is shut off from all of them, from
the network, extensions and its own settings before anybody's SQL runs. What is not registered can't
be named. Memory, threads, time and rows are bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from lake.manifest import windows_of
from lake.rows import Row, rows_of
from lake.schema import COMMON, TABLES, Table
from lake.store import Store

AT_ONCE = 10_000
MOST_ROWS = 10_000
CLOSED = (
    "SET TimeZone = 'UTC'",
    "SET preserve_insertion_order = false",  # takes memory, and nobody may rely on it
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET python_scan_all_frames = false",
    "SET lock_configuration = true",
)
NEWEST = """
CREATE VIEW {name} AS SELECT v.* FROM {name}_versions v
WHERE (hash(tenant), {key}, change) IN (
  SELECT hash(tenant), {key}, max(change) FROM {name}_versions GROUP BY ALL)
"""
"""Tenants by hash: their ids as text would fill the memory that tells the newest from the rest."""
VERDICTS = (
    "CREATE VIEW verdicts AS SELECT tenant, event_id, case_id, happened_at, actor, kind, verdict, "
    "determination, verdict_reason FROM events WHERE verdict <> ''"
)


class BadQuery(ValueError):
    """The SQL can't be run as it is; the message is for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Limits:
    memory_mb: int = 1024
    threads: int = 2
    seconds: float = 60
    rows: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class Answer:
    """`is_cut`: there were more rows than were asked for."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]] = field(default_factory=list)
    is_cut: bool = False


class Lake:
    """Open it with `with`. `tenants`: public id -> slug, for the table `tenants`."""

    def __init__(
        self, store: Store, tenants: Mapping[str, str], limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._db = duckdb.connect(
            ":memory:",
            config={
                "threads": self._limits.threads,
                "memory_limit": f"{self._limits.memory_mb}MB",
                "temp_directory": "",  # what is too big fails; nothing is spilled to a disk
            },
        )
        paths: dict[str, list[str]] = {name: [] for name in TABLES}
        for tenant in tenants:
            for window in windows_of(store, tenant):
                for name, part in window.parts.items():
                    paths[name].append(store.full(part.path))
        for name, table in TABLES.items():
            self._register(store, table, paths[name])
        names = pa.table({"tenant": list(tenants), "slug": list(tenants.values())},
                         pa.schema([("tenant", pa.string()), ("slug", pa.string())]))  # fmt: skip
        self._db.register("tenants", names)
        self._db.execute(VERDICTS)
        for statement in CLOSED:
            self._db.execute(statement)

    def __enter__(self) -> Lake:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def _register(self, store: Store, table: Table, paths: Sequence[str]) -> None:
        """`x_versions` holds every version of a row; the view `x` the newest of each."""
        name, key = table.name, table.key
        held = (
            ds.dataset(list(paths), table.arrow, format="parquet", filesystem=store.system)
            if paths
            else table.arrow.empty_table()
        )
        self._db.register(f"{name}_versions", held)
        self._db.execute(NEWEST.format(name=name, key=key))

    def newest(self, table: Table) -> Iterator[list[Row]]:
        """The newest version of every row, in no order, some thousand at a time."""
        found = self._db.table(table.name).select(*(COMMON[1].name, *table.names))
        for batch in found.to_arrow_reader(AT_ONCE):
            yield rows_of(batch, table)

    def keep(self, name: str, select: str, parameters: Sequence[object] = ()) -> None:
        """A table of what a statement of ours finds, for others that follow. Not for people's.

        Raises BadQuery when that takes too much memory.
        """
        try:
            self._db.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}", list(parameters))
        except duckdb.Error as err:
            raise BadQuery(_first_line(err)) from err

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """One SELECT. Raises BadQuery, also when it takes too long or too much memory."""
        try:
            statements = self._db.extract_statements(sql)
        except duckdb.Error as err:
            raise BadQuery(_first_line(err)) from err
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise BadQuery("Write one SELECT statement; nothing else is run.")
        timer = threading.Timer(self._limits.seconds, self._db.interrupt)
        timer.daemon = True
        timer.start()
        try:
            found = self._db.execute(sql, list(parameters))
            columns = tuple(str(one[0]) for one in found.description or ())
            rows = found.fetchmany(self._limits.rows + 1)
        except duckdb.InterruptException as err:
            raise BadQuery(f"It took longer than {self._limits.seconds:g} s.") from err
        except (duckdb.Error, OSError) as err:
            raise BadQuery(_first_line(err)) from err
        finally:
            timer.cancel()
        return Answer(columns, rows[: self._limits.rows], len(rows) > self._limits.rows)


def _first_line(err: Exception) -> str:
    return str(err).strip().partition("\n")[0][:300] or type(err).__name__
