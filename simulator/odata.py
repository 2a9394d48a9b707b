"""The `$filter` grammar that the simulated services document: text in, predicate out.

Comparisons (eq ne gt ge lt le), `in`, and/or/not, parentheses, startswith/endswith/contains,
null, strings with '' for a quote, unquoted dates, `collection/any(x: …)` with type casts.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from simulator import moments

Predicate = Callable[[Mapping[str, Any]], bool]
Reader = Callable[[Mapping[str, Any]], Any]
DEEPEST = 40


class BadFilter(ValueError):
    """The text says why, as the service would."""


# Kinds of property: "date", "string", "number", "bool", "enum" with its members after a colon.
Schema = Mapping[str, str]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<date>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d)?)?(?![0-9A-Za-z-]))"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_@][A-Za-z0-9_.@]*(?:/(?:\$count|[A-Za-z_@][A-Za-z0-9_.@]*))*)"
    r"|(?P<sign>[(),:]))"
)
_COMPARE: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "eq": ("Equal", lambda a, b: a == b),
    "ne": ("NotEqual", lambda a, b: a != b),
    "gt": ("GreaterThan", lambda a, b: a is not None and b is not None and a > b),
    "ge": ("GreaterThanOrEqual", lambda a, b: a is not None and b is not None and a >= b),
    "lt": ("LessThan", lambda a, b: a is not None and b is not None and a < b),
    "le": ("LessThanOrEqual", lambda a, b: a is not None and b is not None and a <= b),
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": lambda text, part: part in text,
}


def parse(text: str, schema: Schema, type_name: str) -> Predicate:
    """Raises BadFilter for everything outside the grammar or the schema."""
    parser = _Parser(text, schema, type_name)
    predicate = parser.either()
    if parser.peek() is not None:
        raise BadFilter(f"Syntax error at position {parser.position} in '{text}'.")
    return predicate


def _or(one: Predicate, other: Predicate) -> Predicate:
    return lambda row: one(row) or other(row)


def _and(one: Predicate, other: Predicate) -> Predicate:
    return lambda row: one(row) and other(row)


class _Parser:
    def __init__(self, text: str, schema: Schema, type_name: str) -> None:
        self._text = text
        self._schema = schema
        self._type = type_name
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0
        self._variables: list[str] = []

    @staticmethod
    def _split(text: str) -> list[tuple[str, str, int]]:
        tokens, place = [], 0
        stripped = text.rstrip()
        while place < len(stripped):
            match = _TOKEN.match(stripped, place)
            if match is None or match.end() == place:
                raise BadFilter(f"Syntax error at position {place} in '{text}'.")
            kind = str(match.lastgroup)
            tokens.append((kind, match.group(kind), place))
            place = match.end()
        if not tokens:
            raise BadFilter("An empty expression was given for $filter.")
        return tokens

    @property
    def position(self) -> int:
        return self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at][:2] if self._at < len(self._tokens) else None

    def _take(self) -> tuple[str, str]:
        token = self.peek()
        if token is None:
            raise BadFilter(f"Expression expected at position {self.position} in '{self._text}'.")
        self._at += 1
        return token

    def _takes(self, value: str) -> bool:
        token = self.peek()
        if token is not None and token[0] in {"name", "sign"} and token[1] == value:
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise BadFilter(f"'{sign}' expected at position {self.position} in '{self._text}'.")

    def either(self) -> Predicate:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadFilter("The node count limit for $filter has been exceeded.")
        found = self._both()
        while self._takes("or"):
            found = _or(found, self._both())
        self._depth -= 1
        return found

    def _both(self) -> Predicate:
        found = self._negated()
        while self._takes("and"):
            found = _and(found, self._negated())
        return found

    def _negated(self) -> Predicate:
        if self._takes("not"):
            inner = self._negated()
            return lambda row: not inner(row)
        return self._primary()

    def _primary(self) -> Predicate:
        if self._takes("("):
            inner = self.either()
            self._expect(")")
            return inner
        kind, value = self._take()
        if kind != "name":
            raise BadFilter(f"Syntax error at position {self.position} in '{self._text}'.")
        if value.lower() in _FUNCTIONS and self._takes("("):
            return self._function(_FUNCTIONS[value.lower()])
        if value.endswith("/any") and self._takes("("):
            return self._any(value.removesuffix("/any"))
        return self._comparison(value)

    def _function(self, function: Callable[[str, str], bool]) -> Predicate:
        kind, name = self._take()
        read, _ = self._property(name if kind == "name" else "")
        self._expect(",")
        part = str(self._literal("string", "Equal")).lower()
        self._expect(")")

        def predicate(row: Mapping[str, Any]) -> bool:
            value = read(row)
            return isinstance(value, str) and function(value.lower(), part)

        return predicate

    def _any(self, collection: str) -> Predicate:
        if collection not in self._schema and collection.partition("/")[0] not in self._variables:
            raise BadFilter(
                f"Could not find a property named '{collection}' on type '{self._type}'."
            )
        variable = self._take()[1]
        self._expect(":")
        self._variables.append(variable)
        inner = self.either()
        self._variables.pop()
        self._expect(")")
        path = collection.split("/")

        def predicate(row: Mapping[str, Any]) -> bool:
            items = _walk(row, path)
            if not isinstance(items, list):
                return False
            return any(inner({**row, variable: item}) for item in items)

        return predicate

    def _comparison(self, name: str) -> Predicate:
        read, kind = self._property(name)
        operator = self._take()[1]
        if operator == "in":
            return self._membership(read, kind)
        if operator not in _COMPARE:
            raise BadFilter(f"Syntax error at position {self.position} in '{self._text}'.")
        title, compare = _COMPARE[operator]
        wanted = self._literal(kind, title)
        convert = _converter(kind)
        if convert is None:
            return lambda row: compare(read(row), wanted)
        return lambda row: compare(convert(read(row)), wanted)

    def _membership(self, read: Reader, kind: str) -> Predicate:
        self._expect("(")
        wanted = [self._literal(kind, "Equal")]
        while self._takes(","):
            wanted.append(self._literal(kind, "Equal"))
        self._expect(")")
        convert = _converter(kind)
        return lambda row: (convert(read(row)) if convert else read(row)) in wanted

    def _property(self, name: str) -> tuple[Reader, str]:
        """Reader and kind of a property; inside any() also of the variable's own."""
        first, _, rest = name.partition("/")
        if first in self._variables:
            path = name.split("/")
            return (lambda row: _walk(row, path)), "any"
        kind = self._schema.get(name)
        if kind is None:
            raise BadFilter(f"Could not find a property named '{name}' on type '{self._type}'.")
        if not rest:
            return (lambda row: row.get(name)), kind
        path = name.split("/")
        return (lambda row: _walk(row, path)), kind

    def _literal(self, kind: str, operator: str) -> Any:
        found, text = self._take()
        if found == "name" and text == "null":
            return None
        if found == "name" and text in {"true", "false"} and kind in {"bool", "any"}:
            return text == "true"
        value = text[1:-1].replace("''", "'") if found == "string" else text
        base = kind.partition(":")[0]
        expected = {"date": "date", "number": "number", "bool": "bool"}.get(base, "string")
        # Ids are strings to the services, but are often given bare when they are GUIDs.
        fits = {expected} | ({"guid"} if base == "string" else set())
        if base != "any" and found not in fits:
            names = {"date": "Edm.DateTimeOffset", "number": "Edm.Int32", "bool": "Edm.Boolean"}
            raise BadFilter(
                "A binary operator with incompatible types was detected. Found operand types"
                f" '{names.get(base, 'Edm.String')}' and '{names.get(found, 'Edm.String')}' for "
                "operator"
                f" kind '{operator}'."
            )
        if base == "date":
            return moments.ticks(value)
        if base == "number":
            return float(value)
        if base == "enum":
            members = kind.partition(":")[2].split(",")
            if members != [""] and value.lower() not in {member.lower() for member in members}:
                raise BadFilter(f"The string '{value}' is not a valid enumeration type constant.")
        return value.lower() if base in {"enum", "string", "any"} else value


def _converter(kind: str) -> Callable[[Any], Any] | None:
    base = kind.partition(":")[0]
    if base == "date":
        return lambda value: moments.ticks_or_zero(value) or None
    if base in {"enum", "string", "any"}:
        # Graph compares these strings without regard to case.
        return lambda value: value.lower() if isinstance(value, str) else value
    return None


def _walk(row: Any, path: list[str]) -> Any:
    """Follow a path; a segment with dots is a cast and must equal the type."""
    for part in path:
        if not isinstance(row, Mapping):
            return None
        if "." in part and not part.startswith("@"):
            if row.get("@odata.type") != f"#{part}":
                return None
            continue
        row = row.get(part)
    return row
