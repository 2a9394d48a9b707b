"""Documents that survive a restart: kept in memory, written through to one SQLite file."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

Document = dict[str, Any]


class Store:
    """Tables of JSON documents under (kind, scope, key)."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A crash of the machine may lose the last writes; a stand-in can bear that.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS document (kind TEXT, scope TEXT, key TEXT, body BLOB,"
            " PRIMARY KEY (kind, scope, key))"
        )
        self._tables: dict[tuple[str, str], Table] = {}

    def table(self, kind: str, scope: str = "") -> "Table":
        """The one table of this kind and scope, read from the file at first use."""
        found = self._tables.get((kind, scope))
        if found is None:
            rows = self._db.execute(
                "SELECT key, body FROM document WHERE kind=? AND scope=? ORDER BY rowid",
                (kind, scope),
            )
            found = Table(self, kind, scope, {key: orjson.loads(body) for key, body in rows})
            self._tables[kind, scope] = found
        return found

    def write(self, kind: str, scope: str, items: Iterable[tuple[str, Document]]) -> None:
        rows = [(kind, scope, key, orjson.dumps(body)) for key, body in items]
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO document VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET body=excluded.body",
            rows,
        )
        self._db.execute("COMMIT")

    def erase(self, kind: str, scope: str, key: str) -> None:
        self._db.execute(
            "DELETE FROM document WHERE kind=? AND scope=? AND key=?", (kind, scope, key)
        )

    def close(self) -> None:
        self._db.close()


class Table(Mapping[str, Document]):
    """Read like a dict; change with `put`, `put_many`, `drop`. `version` counts changes."""

    def __init__(self, store: Store, kind: str, scope: str, rows: dict[str, Document]) -> None:
        self._store = store
        self._kind = kind
        self._scope = scope
        self._rows = rows
        self.version = 0

    def __getitem__(self, key: str) -> Document:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, key: str, document: Document) -> Document:
        self.put_many([(key, document)])
        return document

    def put_many(self, items: Iterable[tuple[str, Document]]) -> None:
        items = list(items)
        self._rows.update(items)
        self._store.write(self._kind, self._scope, items)
        self.version += 1

    def drop(self, key: str) -> Document | None:
        gone = self._rows.pop(key, None)
        if gone is not None:
            self._store.erase(self._kind, self._scope, key)
            self.version += 1
        return gone
