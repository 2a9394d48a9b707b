"""What CISA's and FIRST's public lists say. Pure; anything may be in them.

https://www.cisa.gov/known-exploited-vulnerabilities-catalog, https://www.first.org/epss/data_stats
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from clients import jsons
from clients.errors import BadPayload
from clients.failures import member
from posture.plain import plain
from posture.weakness_documents import cve_of, day_of

LARGEST_CSV = 64 * 1024 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Exploited:
    """An entry of the KEV catalogue."""

    cve: str
    vendor: str
    product: str
    name: str
    added_on: date
    due_on: date | None
    by_ransomware: bool
    action: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`as_of`: the list's own word for its version. `unread`: entries that made no sense."""

    entries: tuple[Exploited, ...]
    as_of: str
    unread: int


def read_kev(raw: bytes) -> Catalogue:
    """Raises BadPayload for what is no catalogue, or one without a single entry."""
    try:
        body = jsons.loads(raw)
    except ValueError:
        raise BadPayload("CISA's list is no JSON, or only a part of it.") from None
    rows = member(body, "vulnerabilities")
    if not isinstance(rows, list):
        raise BadPayload("CISA's list: the field vulnerabilities is missing or no list.")
    found = {one.cve: one for row in rows if (one := _exploited(row)) is not None}
    if not found:
        raise BadPayload("CISA's list holds no entry that can be read.")
    return Catalogue(
        tuple(found.values()), plain(member(body, "catalogVersion"), 40), len(rows) - len(found)
    )


def _exploited(row: object) -> Exploited | None:
    if not isinstance(row, dict):
        return None
    cve, added = cve_of(row.get("cveID")), day_of(row.get("dateAdded"))
    if not cve or added is None:
        return None
    return Exploited(
        cve=cve,
        vendor=plain(row.get("vendorProject"), 120),
        product=plain(row.get("product"), 200),
        name=plain(row.get("vulnerabilityName"), 300),
        added_on=added,
        due_on=day_of(row.get("dueDate")),
        by_ransomware=str(row.get("knownRansomwareCampaignUse")).lower() == "known",
        action=plain(row.get("requiredAction"), 600),
    )


def unpack(raw: bytes) -> bytes:
    """The CSV, packed or not. Raises BadPayload for a damaged file and for one that is a bomb."""
    if not raw.startswith(_GZIP):
        return raw
    parts: list[bytes] = []
    left = LARGEST_CSV
    while raw.startswith(_GZIP):  # a file may be several, one after the other
        unpacker = zlib.decompressobj(wbits=31)
        try:
            parts.append(unpacker.decompress(raw, left + 1))
        except zlib.error:
            raise BadPayload("The list of EPSS is damaged.") from None
        left -= len(parts[-1])
        if left < 0:
            raise BadPayload("The list of EPSS is far too large.")
        if not unpacker.eof:
            raise BadPayload("The list of EPSS ends too early.")
        raw = unpacker.unused_data
    return b"".join(parts)


def epss_day(raw: bytes) -> str:
    """The day that the scores are of, as the first line says; "" if it does not."""
    first = raw.split(b"\n", 1)[0].decode("utf-8", "replace")
    _, found, rest = first.partition("score_date:")
    day = day_of(rest) if found and first.startswith("#") else None
    return day.isoformat() if day else ""


def read_epss(raw: bytes) -> Iterator[tuple[str, float, float]]:
    """(CVE, score, percentile) of each line that can be read."""
    for line in io.TextIOWrapper(io.BytesIO(raw), "utf-8", "replace"):
        row = line.rstrip().split(",")
        cve = cve_of(row[0]) if len(row) == 3 else ""
        if not cve:
            continue
        try:
            score, percentile = float(row[1]), float(row[2])
        except ValueError:
            continue
        if 0 <= score <= 1 and 0 <= percentile <= 1:
            yield cve, score, percentile
