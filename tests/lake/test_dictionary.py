"""The schema: documented as it is, and only ever added to."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lake.analyses import ANALYSES
from lake.dictionary import dictionary
from lake.reader import Lake
from lake.schema import CASES, TABLES
from lake.store import store_at
from tests.lake.lab import ONE, Database, case, write

DOC = (Path(__file__).resolve().parents[2] / "docs" / "lake.md").read_text()


def test_the_dictionary_is_that_of_the_schema() -> None:
    _, heading, held = DOC.partition("## Data dictionary\n")
    assert heading
    assert held == dictionary(), "run: python -m lake.dictionary"


def test_commands_and_analyses_are_told() -> None:
    for name in (*ANALYSES, "export", "verify", "query", "keep"):
        assert f"`{name}`" in DOC or f"lake {name}" in DOC, name


def test_keys_are_columns_and_names_are_used_once() -> None:
    for table in TABLES.values():
        assert table.key in table.names
        assert len(set(table.arrow.names)) == len(table.arrow.names)


def test_what_older_files_lack_reads_as_null(tmp_path: Path) -> None:
    """As if `closed_by` and `entity_count` had been added by a later version."""
    store = store_at("", tmp_path)
    rows = [case(1, 1, title="old", closed_by="rule", entity_count=3)]
    window = write(store, Database(cases=rows), 10, 1)
    path = store.full(window.parts["cases"].path)
    older = pq.read_table(path).drop_columns(["closed_by", "entity_count"])
    pq.write_table(older, path)
    write(store, Database(cases=[case(11, 2, title="new", closed_by="rule")]), 20, 2)
    with Lake(store, {ONE: "one"}) as lake:
        found = lake.query("SELECT title, closed_by, entity_count FROM cases ORDER BY case_id").rows
        assert found == [("old", None, None), ("new", "rule", None)]
        assert sorted(row[0] for page in lake.newest(CASES) for row in page) == [1, 11]
    assert pa.types.is_string(CASES.arrow.field("closed_by").type)
