"""Rows to Parquet and back, with a checksum that does not depend on their order. Bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lake.manifest import Part
from lake.schema import TIME, WHOLE, Table
from lake.store import Store

Row = tuple[object, ...]
"""`change`, then the table's own columns in their order."""
ROW_GROUP = 20_000
AT_ONCE = 10_000
_AS_JSON = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


class Checksum:
    """The sum of the rows' hashes: of the same rows the same, in any order and any parts."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Iterable[Sequence[object]]) -> None:
        for row in rows:
            data = orjson.dumps(list(row), option=_AS_JSON)
            self._sum += int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
            self.rows += 1

    @property
    def text(self) -> str:
        return f"{self._sum % 2**64:016x}"


def write_part(
    store: Store, path: str, table: Table, tenant: str, pages: Iterable[Sequence[Row]]
) -> Part | None:
    """A file of the rows; None, and no file, if there are none."""
    groups = _groups(pages)
    first = next(groups, None)
    if first is None:
        return None
    checksum = Checksum()
    with store.create(path) as stream:
        with pq.ParquetWriter(stream, table.arrow, compression="zstd") as writer:
            for group in _and_then(first, groups):
                batch = _batch(table, tenant, group)
                checksum.add(rows_of(batch, table))
                writer.write_batch(batch)
        size = stream.tell()
    return Part(path, checksum.rows, checksum.text, size)


def read_part(store: Store, path: str, table: Table) -> Iterator[list[Row]]:
    """The rows of a file, some thousand at a time. Columns that it lacks are null."""
    names = ("change", *table.names)
    with (
        store.system.open_input_file(store.full(path)) as stream,
        pq.ParquetFile(stream) as file,
    ):
        known = [name for name in names if name in file.schema_arrow.names]
        for batch in file.iter_batches(AT_ONCE, columns=known):
            yield rows_of(batch, table)


def as_stored(table: Table, rows: Sequence[Row]) -> list[Row]:
    """The rows as the lake gives them back: a whole number may have become another, say."""
    return rows_of(_batch(table, "", rows), table)


def rows_of(batch: pa.RecordBatch, table: Table) -> list[Row]:
    """`change` and the table's columns; those that the batch lacks are null.

    Times are whole microseconds since 1970: to make them `datetime` takes most of the time.
    """
    known = set(batch.schema.names)
    columns = [
        _values(batch.column(name)) if name in known else [None] * len(batch)
        for name in ("change", *table.names)
    ]
    return list(zip(*columns, strict=True))


def _values(column: pa.Array) -> list[object]:
    return list((column.cast(WHOLE) if column.type == TIME else column).to_pylist())


def _batch(table: Table, tenant: str, rows: Sequence[Row]) -> pa.RecordBatch:
    columns = [[tenant] * len(rows), *map(list, zip(*rows, strict=True))]
    arrays = [
        pa.array(values, field.type) for values, field in zip(columns, table.arrow, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=table.arrow)


def _groups(pages: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    """Pages put together until they are worth a row group."""
    held: list[Row] = []
    for page in pages:
        held += page
        if len(held) >= ROW_GROUP:
            yield held
            held = []
    if held:
        yield held


def _and_then(first: list[Row], others: Iterator[list[Row]]) -> Iterator[list[Row]]:
    yield first
    yield from others
