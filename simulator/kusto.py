"""As much of Resource Graph's query language as an inventory asks.

`Resources | where … | project … | order by … | limit n | count`, with =~ == != !~ in~ has contains
startswith, isnull isnotnull isempty isnotempty, tolower tostring todatetime, and or not, a.b[c].
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from simulator import moments

Row = dict[str, Any]
Reader = Callable[[Row], Any]


class BadQuery(ValueError):
    """What could not be understood."""


_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<sign>=~|!~|==|!=|<=|>=|<|>|[()\[\],.=])|(?P<name>[A-Za-z_][A-Za-z0-9_]*~?))"
)
_STAGE = re.compile(r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^|'\"])+")
"""What stands between pipes; a pipe within a string is none."""


def run(query: str, tables: Mapping[str, list[Row]]) -> list[Row]:
    """The rows of the answer; raises BadQuery. `tables` by their names in lower case."""
    table, *stages = [part.strip() for part in _STAGE.findall(query)]
    if table.lower() not in tables:
        raise BadQuery(f"unknown table {table!r}")
    rows = tables[table.lower()]
    for stage in stages:
        rows = _stage(stage, rows)
    return rows


def _stage(stage: str, rows: list[Row]) -> list[Row]:
    verb, _, rest = stage.partition(" ")
    match verb.lower():
        case "where":
            keep = _Expression(rest).whole()
            return [row for row in rows if keep(row)]
        case "project" | "extend":
            return _projected(rest, rows, keep=verb.lower() == "extend")
        case "limit" | "take" if rest.strip().isdecimal():
            return rows[: int(rest)]
        case "count":
            return [{"Count": len(rows)}]
        case "order" | "sort":
            return _ordered(rest.strip().removeprefix("by").strip(), rows)
        case "summarize":
            return _summarized(rest, rows)
    raise BadQuery(f"unknown operator {verb!r}")


def _projected(text: str, rows: list[Row], keep: bool) -> list[Row]:
    columns: list[tuple[str, Reader]] = []
    for part in re.split(r",(?![^()\[\]]*[)\]])", text):
        name, found, source = part.strip().partition("=")
        expression = _Expression(source if found else name)
        columns.append((name.strip(), expression.value()))
    return [
        {**(row if keep else {}), **{name: read(row) for name, read in columns}} for row in rows
    ]


def _ordered(text: str, rows: list[Row]) -> list[Row]:
    for part in reversed(text.split(",")):
        name, _, way = part.strip().partition(" ")
        read = _Expression(name).value()
        rows = sorted(rows, key=_sort_key(read), reverse=way.strip() != "asc")
    return rows


def _sort_key(read: Reader) -> Callable[[Row], str]:
    return lambda row: str(read(row) or "").lower()


def _summarized(text: str, rows: list[Row]) -> list[Row]:
    found = re.fullmatch(r"(?:(\w+)\s*=\s*)?count\(\)(?:\s+by\s+(.+))?", text.strip())
    if found is None:
        raise BadQuery("summarize knows count() by columns")
    title = found[1] or "count_"
    names = [name.strip() for name in (found[2] or "").split(",") if name.strip()]
    groups: dict[tuple[Any, ...], int] = {}
    readers = [_Expression(name).value() for name in names]
    for row in rows:
        key = tuple(str(read(row) or "") for read in readers)
        groups[key] = groups.get(key, 0) + 1
    return [{**dict(zip(names, key, strict=True)), title: n} for key, n in groups.items()]


def _or(one: Callable[[Row], bool], other: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: one(row) or other(row)


def _and(one: Callable[[Row], bool], other: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: one(row) and other(row)


class _Expression:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                raise BadQuery(f"unexpected text at {text[place : place + 20]!r}")
            self._tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            place = match.end()
        self._at = 0

    def whole(self) -> Callable[[Row], bool]:
        found = self._either()
        if self._at < len(self._tokens):
            raise BadQuery(f"unexpected {self._tokens[self._at][1]!r}")
        return found

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise BadQuery(f"{self._text!r} ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, word: str) -> bool:
        if self._next().lower() == word:
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise BadQuery(f"{sign!r} expected before {self._next()!r}")

    def _either(self) -> Callable[[Row], bool]:
        found = self._both()
        while self._takes("or"):
            found = _or(found, self._both())
        return found

    def _both(self) -> Callable[[Row], bool]:
        found = self._single()
        while self._takes("and"):
            found = _and(found, self._single())
        return found

    def _single(self) -> Callable[[Row], bool]:
        if self._takes("not"):
            inner = self._single()
            return lambda row: not inner(row)
        if self._takes("("):
            group = self._either()
            self._expect(")")
            return group
        read = self.value()
        sign = self._next().lower()
        if sign in _TESTS:
            self._at += 1
            return _comparison(_TESTS[sign], read, self.value())
        if sign in {"in", "in~"}:
            self._at += 1
            return self._member(read, sign)
        return lambda row: bool(read(row))

    def _member(self, read: Reader, sign: str) -> Callable[[Row], bool]:
        self._expect("(")
        members = [self.value()({})]
        while self._takes(","):
            members.append(self.value()({}))
        self._expect(")")
        if sign == "in":
            return lambda row: read(row) in members
        lowered = {str(one).lower() for one in members}
        return lambda row: str(read(row)).lower() in lowered

    def value(self) -> Reader:
        kind, text = self._take()
        if kind == "string":
            literal = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda row: literal
        if kind == "number":
            number = float(text)
            return lambda row: number
        if kind != "name":
            raise BadQuery(f"unexpected {text!r}")
        if self._next() == "(" and text.lower() in _CALLS:
            self._at += 1
            inner, function = self.value(), _CALLS[text.lower()]
            self._expect(")")
            return lambda row: function(inner(row))
        return self._path(text)

    def _path(self, first: str) -> Reader:
        path = [first]
        while self._next() in {".", "["}:
            if self._take()[1] == ".":
                path.append(self._take()[1])
            else:
                path.append(self._take()[1][1:-1])
                self._expect("]")
        if path == ["true"] or path == ["false"]:
            return lambda row: path == ["true"]

        def read(row: Row) -> Any:
            value: Any = row
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            return value

        return read


def _comparison(
    test: Callable[[Any, Any], bool], left: Reader, right: Reader
) -> Callable[[Row], bool]:
    return lambda row: test(left(row), right(row))


def _lower(value: Any) -> str:
    return "" if value is None else str(value).lower()


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "=~": lambda a, b: _lower(a) == _lower(b),
    "!~": lambda a, b: _lower(a) != _lower(b),
    "contains": lambda a, b: _lower(b) in _lower(a),
    "has": lambda a, b: _lower(b) in _lower(a),
    "startswith": lambda a, b: _lower(a).startswith(_lower(b)),
    "endswith": lambda a, b: _lower(a).endswith(_lower(b)),
    "<": lambda a, b: a is not None and b is not None and a < b,
    ">": lambda a, b: a is not None and b is not None and a > b,
    "<=": lambda a, b: a is not None and b is not None and a <= b,
    ">=": lambda a, b: a is not None and b is not None and a >= b,
}
_CALLS: dict[str, Callable[[Any], Any]] = {
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isnotempty": lambda value: value not in (None, ""),
    "tolower": _lower,
    "todatetime": lambda value: moments.ticks_or_zero(value) or None,
    "tostring": lambda value: "" if value is None else str(value),
    "not": lambda value: not value,
}
