"""Fills `${name}` in a description's values. There is nothing else: no expression, no attribute.

Values are put into JSON values before they are serialised, and are quoted in paths, so that no text
can end the string it stands in.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from clients.errors import BadPayload

_FIELD = re.compile(r"\$(?:(\$)|\{([a-z_]*)\}|)")

Values = Mapping[str, object]


def names_in(template: object) -> Iterator[str]:
    """Every name that a template asks for; "" for a "$" that is neither ${name} nor $$."""
    if isinstance(template, str):
        for match in _FIELD.finditer(template):
            if not match[1]:
                yield match[2] or ""
    elif isinstance(template, Mapping):
        for inner in template.values():
            yield from names_in(inner)
    elif isinstance(template, list):
        for inner in template:
            yield from names_in(inner)


def fill(template: object, values: Values) -> object:
    """A JSON value with its names filled. A text that is one name only takes that value's type."""
    if isinstance(template, str):
        whole = re.fullmatch(r"\$\{([a-z_]+)\}", template)
        return values[whole[1]] if whole else fill_text(template, values)
    if isinstance(template, Mapping):
        return {name: fill(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [fill(inner, values) for inner in template]
    return template


def fill_text(template: str, values: Values) -> str:
    """A text with its names filled; a list is joined by commas."""
    return _FIELD.sub(lambda match: match[1] or _shown(values[match[2]]), template)


def fill_path(template: str, values: Values) -> str:
    """A path with its names filled and quoted, so that none can add a segment or a query."""
    return _FIELD.sub(lambda match: match[1] or quote(_shown(values[match[2]]), safe=""), template)


def at(document: object, path: str) -> object:
    """What stands at a path such as "issue.id" or "items.0.id"; None if there is nothing.

    "" is the document itself.
    """
    for name in path.split(".") if path else ():
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def list_at(document: object, path: str, service: str) -> list[object]:
    """The list at a path. Raises BadPayload."""
    found = at(document, path)
    if not isinstance(found, list):
        raise BadPayload(f"{service}: the field {path or 'of the answer'} is missing or no list.")
    return found


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
