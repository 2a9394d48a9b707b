"""Keeps what is publicly known of threats, and compares it with a tenant's weaknesses.

The lists lie in `public` and are the same for all; whose weaknesses are on them is found in the
tenant's scope. A list that can't be fetched stays as it was, and says how old it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from itertools import islice

from django.db import transaction

from posture.findings import Found, Settled, settle
from posture.models import Finding
from posture.threat_documents import (
    Catalogue,
    epss_day,
    read_epss,
    read_kev,
    unpack,
)
from tenants.models import KnownExploited
from tenants.rows import as_json, run

AT_ONCE = 10_000
LIKELY = 0.5
"""An EPSS score from here on counts as likely."""
MEDIUM, HIGH = 3, 4
LISTED = 50

STORE_SCORES = """
INSERT INTO tenants_exploitscore (cve, score, percentile)
SELECT r.cve, r.score, r.percentile
FROM jsonb_to_recordset(%s::jsonb) AS r (cve text, score float8, percentile float8)
ON CONFLICT (cve) DO UPDATE SET score = excluded.score, percentile = excluded.percentile
WHERE (tenants_exploitscore.score, tenants_exploitscore.percentile)
  IS DISTINCT FROM (excluded.score, excluded.percentile)
"""
EXPLOITED = """
SELECT w.cve, w.severity, w.exposed, ARRAY(SELECT jsonb_array_elements_text(w.products)),
  k.name, k.added_on, k.due_on, k.by_ransomware, e.score
FROM posture_weakness w JOIN tenants_knownexploited k ON k.cve = w.cve
LEFT JOIN tenants_exploitscore e ON e.cve = w.cve
ORDER BY k.by_ransomware DESC, w.severity DESC, w.exposed DESC, w.cve
"""
COUNTS = """
SELECT count(*), count(*) FILTER (WHERE w.severity = 4), count(*) FILTER (WHERE w.severity = 3),
  count(*) FILTER (WHERE k.cve IS NULL AND e.score >= %s)
FROM posture_weakness w LEFT JOIN tenants_knownexploited k ON k.cve = w.cve
LEFT JOIN tenants_exploitscore e ON e.cve = w.cve
"""


@dataclass(frozen=True, slots=True)
class Match:
    """A weakness of the tenant's that attackers use. `score`: EPSS, 0 to 1."""

    cve: str
    severity: int
    exposed: int
    products: list[str]
    name: str
    added_on: date
    due_on: date | None
    by_ransomware: bool
    score: float | None


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a tenant stands. `likely`: not known as exploited, but EPSS thinks it will be."""

    total: int = 0
    critical: int = 0
    high: int = 0
    likely: int = 0
    exploited: int = 0
    ransomware: int = 0
    settled: Settled = field(default_factory=Settled)

    def as_json(self) -> dict[str, object]:
        """As it lies on the tenant's row, for the list of all tenants."""
        names = ("total", "critical", "high", "likely", "exploited", "ransomware")
        return {name: getattr(self, name) for name in names}


def keep_kev(raw: bytes) -> Catalogue:
    """Make the stored catalogue this one. Raises BadPayload; what is stored stays then."""
    found = read_kev(raw)
    rows = [KnownExploited(**asdict(one)) for one in found.entries]
    names = [one.name for one in KnownExploited._meta.fields if one.name != "cve"]
    with transaction.atomic():
        KnownExploited.objects.bulk_create(
            rows, batch_size=2_000, update_conflicts=True, unique_fields=["cve"],
            update_fields=names,
        )  # fmt: skip
        KnownExploited.objects.exclude(cve__in=[row.cve for row in rows]).delete()
    return found


def keep_epss(raw: bytes) -> tuple[int, str]:
    """Store the scores; how many, and of which day. Raises BadPayload.

    Chunks are stored one by one: to be cut off between them does no harm.
    """
    text = unpack(raw)
    count = 0
    scores = read_epss(text)
    while chunk := list(islice(scores, AT_ONCE)):
        rows = {cve: {"cve": cve, "score": score, "percentile": rank} for cve, score, rank in chunk}
        run(STORE_SCORES, [as_json(list(rows.values()))])
        count += len(chunk)
    return count, epss_day(text)


def exploited() -> list[Match]:
    """The tenant's weaknesses that attackers use, worst first. One query, in its scope."""
    return [Match(*row) for row in run(EXPLOITED, [])]


def settle_exposure(now: datetime) -> Exposure:
    """Count, and open, change or close the one finding. In the tenant's scope."""
    matches = exploited()
    ((total, critical, high, likely),) = run(COUNTS, [LIKELY])
    settled = settle(str(Finding.Kind.EXPLOITED), _found(matches), now)
    ransomware = sum(one.by_ransomware for one in matches)
    return Exposure(total, critical, high, likely, len(matches), ransomware, settled)


def _found(matches: Sequence[Match]) -> list[Found]:
    if not matches:
        return []
    count, ransomware = len(matches), sum(one.by_ransomware for one in matches)
    is_grave = ransomware or any(one.severity == 4 for one in matches)
    things = "weakness that attackers use" if count == 1 else "weaknesses that attackers use"
    devices = max(one.exposed for one in matches)
    summary = (
        f"{count} {things} now; one of them on {devices:,} device{'' if devices == 1 else 's'}"
    )
    if ransomware:
        summary += f"; {ransomware} used by ransomware"
    return [
        Found(
            key="kev",
            severity=HIGH if is_grave else MEDIUM,
            summary=summary[:200],
            size=count,
            facts={
                "count": count,
                "ransomware": ransomware,
                "weaknesses": [_fact(one) for one in matches[:LISTED]],
            },
        )
    ]


def _fact(one: Match) -> dict[str, object]:
    return {
        "cve": one.cve,
        "devices": one.exposed,
        "products": one.products[:5],
        "ransomware": one.by_ransomware,
        "due_on": one.due_on.isoformat() if one.due_on else None,
    }
