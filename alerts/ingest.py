"""Takes a page of raw documents in: stored, in cases, in the queue, in one transaction.

Every page is safe to take twice, late, or side by side with another: alerts are upserted by the
provider's id, an older update never overwrites a newer one, and a lock lets one page of a tenant in
at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from django.db import transaction

from alerts.correlate import RULES, Rules
from alerts.entities import link, resolve
from alerts.grow import Grown, grow_cases
from alerts.models import Cursor
from alerts.outbox import agree, follow_microsoft
from alerts.prepare import AlertRow, Prepared, Rejected
from alerts.redirects import follow
from alerts.refresh import publish, summarise
from alerts.rows import as_json, run

COLUMNS = {
    "provider_id": "text", "api": "text", "title": "text", "category": "text",
    "techniques": "text[]", "severity": "smallint", "status": "text", "classification": "text",
    "determination": "text", "service_source": "text", "detection_source": "text",
    "product": "text", "detector_id": "text", "incident_id": "text", "pillars": "smallint",
    "created_at": "timestamptz", "updated_at": "timestamptz", "activity_at": "timestamptz",
    "last_activity_at": "timestamptz", "fingerprint": "uuid",
}  # fmt: skip
_NAMES = ", ".join(COLUMNS)
# Only these constants are put into the statement; every value is a parameter.
UPSERT = f"""
INSERT INTO alerts_alert ({_NAMES}, case_growth, joined_by)
SELECT {_NAMES}, 0, '' FROM json_to_recordset(%s::json)
  AS x({", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())})
ON CONFLICT (provider_id) DO UPDATE SET {
    ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "provider_id")
}
WHERE alerts_alert.updated_at < excluded.updated_at
   OR (alerts_alert.updated_at = excluded.updated_at
       AND alerts_alert.fingerprint < excluded.fingerprint)
RETURNING id, provider_id, xmax = 0
"""  # noqa: S608
QUARANTINE = """
INSERT INTO alerts_quarantined (reference, is_provider_id, field, problem, attempts)
SELECT r, i, f, p, 1 FROM json_to_recordset(%s::json)
  AS x(r text, i boolean, f text, p text)
ON CONFLICT (reference) DO UPDATE SET attempts = alerts_quarantined.attempts + 1,
  last_seen_at = now(), field = excluded.field, problem = excluded.problem, resolved_at = NULL
"""
RELEASE = """
UPDATE alerts_quarantined SET resolved_at = now()
WHERE resolved_at IS NULL AND reference = ANY(%s)
"""


@dataclass(slots=True)
class Counts:
    """What became of documents. `duplicate`: known already, unchanged or older than ours.

    `overlap`: alerts that report what another alert reports, by another product or under a new id.
    """

    fetched: int = 0
    new: int = 0
    updated: int = 0
    duplicate: int = 0
    overlap: int = 0
    cases: int = 0
    closed: int = 0
    quarantined: int = 0

    def __iadd__(self, other: Counts) -> Counts:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


def store_page(tenant_id: int, page: Prepared, key_version: str, rules: Rules = RULES) -> Counts:
    """Store a prepared page. Run inside the tenant's scope; all of it or nothing."""
    with transaction.atomic():
        Cursor.objects.select_for_update().get(source="lock")
        known = run(UPSERT, [as_json([alert.columns for alert in page.alerts])])
        _quarantine(page.rejected)
        stored = {provider_id: alert_id for alert_id, provider_id, _ in known}
        changed = [alert for alert in page.alerts if alert.provider_id in stored]
        closed: set[int] = set()
        grown = Grown()
        if changed:
            run(RELEASE, [list(stored)])
            grown, closed = _correlate(tenant_id, changed, stored, key_version, rules)
    new = sum(is_new for _, _, is_new in known)
    return Counts(
        fetched=len(page.alerts) + len(page.rejected) + page.repeated,
        new=new,
        updated=len(known) - new,
        duplicate=len(page.alerts) - len(known) + page.repeated,
        overlap=grown.overlaps,
        cases=len(grown.opened),
        closed=len(closed),
        quarantined=len(page.rejected),
    )


def _correlate(
    tenant_id: int,
    changed: Sequence[AlertRow],
    stored: dict[str, int],
    key_version: str,
    rules: Rules,
) -> tuple[Grown, set[int]]:
    """(what became of the cases, those that Microsoft has resolved)."""
    resolved = resolve(changed, tenant_id, key_version)
    link(((stored[alert.provider_id], alert) for alert in changed), resolved)
    follow(stored.values())
    grown = grow_cases(list(stored.values()), tenant_id, resolved.merged, rules)
    touched = grown.touched | {
        row[0] for row in run(CASES_OF, [list(stored.values())]) if row[0] is not None
    }
    follow_microsoft(tenant_id, stored.values())
    closed = summarise(touched - set(grown.merged))
    agree(closed)
    publish(tenant_id, touched)
    return grown, closed


CASES_OF = "SELECT DISTINCT case_id FROM alerts_alert WHERE id = ANY(%s)"


def _quarantine(rejected: Sequence[Rejected]) -> None:
    if not rejected:
        return
    rows = {
        r.reference: {
            "r": r.reference[:200], "i": r.is_provider_id, "f": r.field[:60], "p": r.problem[:200]
        }
        for r in rejected
    }  # fmt: skip
    run(QUARANTINE, [as_json(list(rows.values()))])
