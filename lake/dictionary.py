"""The data dictionary of docs/lake.md, made of the schema: `python -m lake.dictionary`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pyarrow as pa

from lake.schema import COMMON, TABLES, VERSION, Column

NAMES = {
    pa.string(): "text",
    pa.int64(): "whole number",
    pa.int16(): "small number",
    pa.bool_(): "yes or no",
    pa.float64(): "number",
    pa.date32(): "day",
}


def type_name(kind: pa.DataType) -> str:
    """As people say it."""
    if pa.types.is_timestamp(kind):
        return "time, UTC"
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{field.name}: {type_name(field.type)}" for field in kind) + "}"
    return NAMES[kind]


def dictionary() -> str:
    """Markdown, a section for each table."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"Version {VERSION}. Every table begins with:"
    yield from _table(COMMON)
    for table in TABLES.values():
        yield f"\n### {table.name}\n{table.says} Key: `{table.key}`."
        yield from _table(table.columns)


def _table(columns: tuple[Column, ...]) -> Iterator[str]:
    yield "\n| column | type | |\n| --- | --- | --- |"
    for one in columns:
        yield f"| `{one.name}` | {type_name(one.type)} | {one.says} |"


if __name__ == "__main__":
    sys.stdout.write(dictionary())
