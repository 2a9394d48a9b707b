"""Pages of a tenant's weaknesses with what is publicly known of each. In the tenant's scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from posture.threats import LIKELY
from tenants.rows import run

WHICH = ("all", "exploited", "likely", "critical", "high")

_FROM = """
FROM posture_weakness w LEFT JOIN tenants_knownexploited k ON k.cve = w.cve
LEFT JOIN tenants_exploitscore e ON e.cve = w.cve
WHERE CASE %s WHEN 'exploited' THEN k.cve IS NOT NULL
    WHEN 'likely' THEN k.cve IS NULL AND e.score >= %s
    WHEN 'critical' THEN w.severity = 4 WHEN 'high' THEN w.severity = 3 ELSE true END
  AND (%s = '' OR w.cve ILIKE %s OR w.products::text ILIKE %s)
"""
PAGE = f"""
SELECT w.cve, w.severity, w.cvss, w.exposed, w.exploit, w.published_on,
  ARRAY(SELECT jsonb_array_elements_text(w.products)), w.first_seen_at,
  k.cve IS NOT NULL, coalesce(k.by_ransomware, false), k.due_on, k.name, e.score {_FROM}
ORDER BY coalesce(k.by_ransomware, false) DESC, (k.cve IS NOT NULL) DESC, w.severity DESC,
  e.score DESC NULLS LAST, w.exposed DESC, w.cve LIMIT %s OFFSET %s
"""
COUNT = f"SELECT count(*) {_FROM}"


@dataclass(frozen=True, slots=True)
class Asked:
    """`which`: one of WHICH; `text`: a part of the CVE or of a product's name."""

    which: str = "all"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One weakness. `score`: EPSS, 0 to 1; the rest as the models have it."""

    cve: str
    severity: int
    cvss: float | None
    exposed: int
    exploit: int
    published_on: date | None
    products: list[str]
    first_seen_at: object
    is_exploited: bool
    by_ransomware: bool
    due_on: date | None
    name: str | None
    score: float | None


def count(asked: Asked) -> int:
    ((number,),) = run(COUNT, _words(asked))
    return int(number)


def page(asked: Asked, *, limit: int, offset: int = 0) -> list[Line]:
    """What attackers use first, then the worst."""
    return [Line(*row) for row in run(PAGE, [*_words(asked), limit, offset])]


def _words(asked: Asked) -> list[object]:
    text = asked.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [asked.which, LIKELY, text, f"%{text}%", f"%{text.replace(' ', '%')}%"]
