"""What has to be done to a text before a spreadsheet may open it. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

_RUN = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The last are wide ones, which some take for the first."""


def no_formula(value: object) -> object:
    """Text that a spreadsheet would run gets an apostrophe in front. See OWASP, CSV injection."""
    if isinstance(value, str) and (value.startswith(_RUN) or value.lstrip().startswith(_RUN)):
        return "'" + value
    return value


def csv_rows(lines: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Iterator[str]:
    """CSV with its head, a line at a time, so that it can be sent while it is read."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for line in lines:
        yield text.getvalue()
        text.seek(0)
        text.truncate()
        writer.writerow([no_formula(line[name]) for name in columns])
    yield text.getvalue()
