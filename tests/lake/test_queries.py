"""People's SQL sees the tables of the tenants given, and nothing else of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.reader import BadQuery, Lake, Limits
from lake.store import Store, store_at
from tests.lake.lab import ONE, TWO, Database, case, event, write

SECRET = "another tenant's title"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = store_at("", tmp_path_factory.mktemp("queries") / "lake")
    rows = [case(number, number, title=f"title {number % 3}") for number in range(1, 100)]
    events = [event(1, 1, case_id=1, kind="judged", verdict="falsePositive"), event(2, 2)]
    write(store, Database(cases=rows, events=events), 200, 1, ONE)
    write(store, Database(cases=[case(1, 1, title=SECRET)]), 200, 1, TWO)
    return store


@pytest.fixture(scope="module")
def lake(full: Store):  # type: ignore[no-untyped-def]
    with Lake(full, {ONE: "one"}, Limits(rows=20)) as opened:
        yield opened


def file_of_two(store: Store) -> str:
    return next(store.full(path) for path in store.files(f"tenant={TWO}") if "parquet" in path)


def test_a_question_is_answered(lake: Lake) -> None:
    answer = lake.query("SELECT title, count(*) AS n FROM cases GROUP BY title ORDER BY title")
    assert answer.columns == ("title", "n")
    assert answer.rows == [(f"title {number}", 33) for number in range(3)]
    assert lake.query("SELECT slug FROM tenants JOIN cases USING (tenant) LIMIT 1").rows == [
        ("one",)
    ]
    assert lake.query("SELECT verdict FROM verdicts").rows == [("falsePositive",)]
    assert lake.query("SELECT * FROM scores").rows == []


def test_rows_are_bounded_and_the_answer_says_so(lake: Lake) -> None:
    answer = lake.query("SELECT case_id FROM cases")
    assert (len(answer.rows), answer.is_cut) == (20, True)
    assert not lake.query("SELECT case_id FROM cases LIMIT 20").is_cut


def test_another_tenant_is_not_there(lake: Lake) -> None:
    assert lake.query(f"SELECT * FROM cases WHERE tenant = '{TWO}'").rows == []
    assert SECRET not in str(lake.query("SELECT DISTINCT title FROM cases_versions").rows)


ATTACKS = {
    "a file of another tenant": "SELECT * FROM read_parquet('{two}')",
    "a file of its own": "SELECT * FROM read_parquet('{one}')",
    "a file by its name": "SELECT * FROM '{two}'",
    "all files": "SELECT * FROM read_parquet('{root}/**/*.parquet')",
    "what files are called": "SELECT * FROM glob('{root}/*')",
    "what a file is made of": "SELECT * FROM parquet_metadata('{two}')",
    "a text": "SELECT * FROM read_text('/etc/passwd')",
    "bytes": "SELECT * FROM read_blob('/etc/passwd')",
    "a table of a text": "SELECT * FROM read_csv('/etc/passwd')",
    "guessing at a text": "SELECT * FROM sniff_csv('/etc/passwd')",
    "JSON": "SELECT * FROM read_json('/etc/passwd')",
    "the network": "SELECT * FROM read_csv('https://example.com/x.csv')",
    "writing a file": "COPY cases TO '{root}/x.csv'",
    "writing everything": "EXPORT DATABASE '{root}/x'",
    "another database": "ATTACH '{root}/x.db' AS x",
    "an extension": "INSTALL httpfs",
    "loading an extension": "LOAD httpfs",
    "a setting": "SET enable_external_access = true",
    "a setting back": "RESET lock_configuration",
    "a pragma": "PRAGMA enable_profiling",
    "a secret": "CREATE SECRET (TYPE s3)",
    "a table": "CREATE TABLE x AS SELECT 1",
    "a view in place of ours": "CREATE OR REPLACE VIEW cases AS SELECT 1",
    "dropping": "DROP VIEW cases",
    "two statements": "SELECT 1; SELECT 2",
    "a statement behind": "SELECT 1; SET memory_limit = '64GB'",
    "a variable of the program": "SELECT * FROM store",
    "another variable": "SELECT * FROM paths",
    "the environment": "SELECT getenv('HOME')",
    "Python": "SELECT * FROM python_map_function()",
    "explaining by doing": "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
    "SQL in SQL": "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "a table by name": "SELECT * FROM query_table('{two}')",
    "nothing": "",
    "no SQL": "tell me everything",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_else_can_be_reached(name: str, lake: Lake, full: Store) -> None:
    own = next(full.full(path) for path in full.files(f"tenant={ONE}") if "parquet" in path)
    sql = ATTACKS[name].format(one=own, two=file_of_two(full), root=full.root)
    before = sorted(full.files(""))
    with pytest.raises(BadQuery) as refused:
        lake.query(sql)
    assert SECRET not in str(refused.value)
    assert sorted(full.files("")) == before
    assert not Path(full.root, "x").exists()
    assert lake.query("SELECT count(*) FROM cases").rows == [(99,)]


def test_no_path_stands_in_what_sql_can_read(lake: Lake, full: Store) -> None:
    for source in ("duckdb_views()", "duckdb_tables()", "duckdb_settings()", "duckdb_databases()"):
        assert full.root not in str(lake.query(f"SELECT * FROM {source}").rows)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    ],
)
def test_what_takes_too_long_is_stopped(sql: str, full: Store) -> None:
    with Lake(full, {ONE: "one"}, Limits(seconds=0.3)) as lake:
        with pytest.raises(BadQuery, match=r"longer than 0\.3 s"):
            lake.query(sql)
        assert lake.query("SELECT 1").rows == [(1,)]


def test_what_takes_too_much_memory_is_refused(full: Store) -> None:
    with Lake(full, {ONE: "one"}, Limits(memory_mb=64)) as lake, pytest.raises(BadQuery):
        lake.query(
            "SELECT list(a) FROM (SELECT repeat('x', 1000) || range AS a FROM range(9000000))"
        )
