"""The portal's own shape: a line of JSON, or of CSV, a document. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

import orjson

from csc_portal.spreadsheet import no_formula


def ndjson(documents: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    for document in documents:
        yield orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def csv_lines(columns: Iterable[str], documents: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """RFC 4180, with a line of names. What a spreadsheet would run is made text; lists and objects
    are JSON.
    """
    names = list(columns)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for document in documents:
        writer.writerow([no_formula(_cell(document[name])) for name in names])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if rest := text.getvalue():
        yield rest.encode()


def gathered(parts: Iterable[bytes], size: int = 65_536) -> Iterator[bytes]:
    """The same bytes in fewer pieces: each piece costs a call of the system."""
    waiting, length = [], 0
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= size:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


def _cell(value: object) -> object:
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return "" if value is None else value
    found = orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    return found.strip('"')
