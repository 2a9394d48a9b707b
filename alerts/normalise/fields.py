"""Readers for fields of alerts; those for documents of any kind are in `tenants.documents`.

They don't raise, but for `provider_id`: what can't be understood reads as nothing.
"""

import re
from collections.abc import Iterable, Mapping

from tenants.canonical import clean
from tenants.documents import strings, text

# One that begins with "/" is an address in Azure, which names groups and resources.
_PROVIDER_ID = re.compile(r"[A-Za-z0-9._:;=+\-][A-Za-z0-9._:;=+/\-]{0,199}")
_INCIDENT_ID = re.compile(r"[0-9A-Za-z_\-]{1,64}")
_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?")
_TIME_OR_TYPE = re.compile(r"[\d:.TZtz+\- ]{8,40}|#microsoft\.graph\.[A-Za-z.]{1,80}", re.ASCII)
_SHORTEST_ID = 4  # digits; shorter numbers are counts and levels, and would blank titles
_MOST_LISTED = 30
LONGEST_SHOWN = 1000


class Unreadable(ValueError):
    """The document can't be taken. Names the field and the problem, never a value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def paragraphs(value: object) -> str:
    """Longer text as it is; a list of texts, one a line."""
    return value if type(value) is str else "\n".join(strings(value))


def shown(value: object, depth: int = 0) -> str:
    """A value for people to read, at most LONGEST_SHOWN characters."""
    if type(value) is str:
        return clean(value[:LONGEST_SHOWN])
    if type(value) is bool:
        return "yes" if value else "no"
    if type(value) is list and depth < 3:
        parts = (shown(item, depth + 1) for item in value[:_MOST_LISTED])
        return ", ".join(filter(None, parts))[:LONGEST_SHOWN]
    if type(value) is dict and depth < 3:
        pairs = ((str(key), shown(item, depth + 1)) for key, item in list(value.items())[:30])
        return "; ".join(f"{key}: {item}" for key, item in pairs if item)[:LONGEST_SHOWN]
    return text(value)


def enum_value(value: object, known: Mapping[str, str], otherwise: str = "unknown") -> str:
    """The member in Microsoft's spelling; `known` maps lower case to it."""
    return known.get(value.strip().casefold(), otherwise) if type(value) is str else otherwise


def provider_id(value: object) -> str:
    """The source's alert id. Unreadable if it is missing or has characters that ids don't have."""
    found = text(value)
    if not found:
        raise Unreadable("id", "is missing")
    if not _PROVIDER_ID.fullmatch(found):
        raise Unreadable("id", "has characters that an alert id doesn't have")
    return found


def incident_id(value: object, sensitive: frozenset[str]) -> str:
    """Microsoft's incident id, or "" if it doesn't look like one. Usually a number."""
    found = text(value)
    if not _INCIDENT_ID.fullmatch(found):
        return ""
    if found.isdigit() or not any(found.casefold() in item.casefold() for item in sensitive):
        return found
    return ""


def techniques(value: object) -> tuple[str, ...]:
    """MITRE technique ids in order, each once."""
    found = (item.upper() for item in strings(value)[:100])
    return tuple(dict.fromkeys(item for item in found if _TECHNIQUE.fullmatch(item)))


def https_url(value: object) -> str:
    """An https URL of at most 2,000 characters, else ""."""
    found = text(value)
    return found if found.startswith("https://") and len(found) <= 2000 else ""


def leaves(
    document: Mapping[str, object], harmless: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Every text in a document, and every number that could be an id. No recursion.

    Left out in the fields of `harmless`: the members given there in lower case, times and types.
    Any other value of such a field counts.
    """
    found: set[str] = set()
    stack: list[Iterable[tuple[str, object]]] = [document.items()]
    while stack:
        for field, value in stack.pop():
            if type(value) is str:
                if value and not (field in harmless and _names_nothing(value, harmless[field])):
                    found.add(value)
            elif not value:
                continue
            elif type(value) is dict:
                if field in _FREE_KEYS:  # so are those of objects within
                    found.update(value)
                    stack.append([(field, inner) for inner in value.values()])
                else:
                    stack.append(value.items())
            elif type(value) is list:
                stack.append([(field, item) for item in value])
            elif len(number := text(value)) >= _SHORTEST_ID:
                found.add(number)
    return frozenset(found)


def _names_nothing(value: str, members: frozenset[str]) -> bool:
    return value.casefold() in members or _TIME_OR_TYPE.fullmatch(value) is not None


_FREE_KEYS = frozenset({"additionalData", "customDetails", "labels", "selector"})


def without(document: Mapping[str, object], fields: frozenset[str]) -> dict[str, object]:
    """The document's other fields."""
    return {key: value for key, value in document.items() if key not in fields}
