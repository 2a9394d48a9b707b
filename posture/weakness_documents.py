"""What Defender's documents of weaknesses say. Pure; anything may be in them.

https://learn.microsoft.com/defender-endpoint/api/vulnerability
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

SEVERITIES = {"low": 1, "medium": 2, "high": 3, "critical": 4}
_ID = re.compile(r"(CVE|TVM)-[0-9]{4}-[0-9]{1,19}")
_PRODUCT = re.compile(r"[a-z0-9._+-]{1,80}")
MOST_DEVICES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Weak:
    """A weakness. `exposed`: devices; `exploit`: 0 none known, 1 public, 2 verified, 3 in a kit."""

    cve: str
    severity: int
    cvss: float | None
    exposed: int
    exploit: int
    published_on: date | None


def cve_of(value: object) -> str:
    """A public identifier in its one form, "" for anything else."""
    text = value.strip().upper() if isinstance(value, str) else ""
    return text if len(text) <= 40 and _ID.fullmatch(text) else ""


def read_weakness(document: object) -> Weak | None:
    """None if it can't be told which weakness this is, or on how many devices."""
    if not isinstance(document, dict):
        return None
    cve, exposed = cve_of(document.get("id")), document.get("exposedMachines")
    if not cve or not isinstance(exposed, int) or isinstance(exposed, bool) or exposed < 0:
        return None
    return Weak(
        cve=cve,
        severity=SEVERITIES.get(str(document.get("severity")).lower(), 0),
        cvss=_cvss(document.get("cvssV3")),
        exposed=min(exposed, MOST_DEVICES),
        exploit=_exploit(document),
        published_on=day_of(document.get("publishedOn")),
    )


def read_product(document: object) -> tuple[str, str] | None:
    """(CVE, "vendor/product") of one device's row; the device is not looked at."""
    if not isinstance(document, dict):
        return None
    cve = cve_of(document.get("cveId"))
    vendor, product = (_word(document.get(name)) for name in ("productVendor", "productName"))
    return (cve, f"{vendor}/{product}") if cve and product else None


def _word(value: object) -> str:
    """Microsoft's key of a vendor or product; other texts might hold anything."""
    text = value.strip().lower().replace(" ", "_") if isinstance(value, str) else ""
    return text if _PRODUCT.fullmatch(text) else ""


def _cvss(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 10 else None  # type: ignore[arg-type, operator]


def _exploit(document: dict[str, object]) -> int:
    known = ("publicExploit", "exploitVerified", "exploitInKit")
    return max((level for level, name in enumerate(known, 1) if document.get(name) is True),
               default=0)  # fmt: skip


def day_of(value: object) -> date | None:
    """The day of an ISO 8601 date or time; None for anything else."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
