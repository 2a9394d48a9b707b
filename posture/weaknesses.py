"""Reads the weaknesses of a tenant's devices, page by page, and keeps counts of them.

A reading that was cut off goes on where it stopped. Only one that came to its end forgets what it
did not see. Devices are looked at in memory alone: their rows tell which products are weak.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from clients.microsoft.defender import Defender
from posture.models import Weakness, WeaknessRead
from posture.weakness_documents import Weak, read_product, read_weakness
from tenants.models import Tenant
from tenants.rows import as_json, run
from tenants.scope import scope

logger = logging.getLogger(__name__)

GOES_ON_WITHIN = timedelta(hours=6)
"""A reading that was cut off longer ago begins anew: the list has changed."""
OVERLAP = 1_000
"""Rows that are read again then: some before them may have gone, and others moved up."""
MOST_PRODUCTS = 20
KEEP_READS = 30
Stage = WeaknessRead.Stage

STORE = """
INSERT INTO posture_weakness (cve, severity, cvss, exposed, exploit, published_on, products,
  products_read, generation, first_seen_at, read_at)
SELECT r.cve, r.severity, r.cvss, r.exposed, r.exploit, r.published_on, '[]', 0, %s, %s, %s
FROM jsonb_to_recordset(%s::jsonb) AS r (cve text, severity smallint, cvss float8, exposed int,
  exploit smallint, published_on date)
ORDER BY r.cve
ON CONFLICT (cve) DO UPDATE SET severity = excluded.severity, cvss = excluded.cvss,
  exposed = excluded.exposed, exploit = excluded.exploit, published_on = excluded.published_on,
  generation = excluded.generation, read_at = excluded.read_at
"""
# The first page of a reading that names a weakness replaces what is known; later ones add to it.
ADD_PRODUCTS = """
UPDATE posture_weakness w SET products_read = %s, products = (
  SELECT coalesce(jsonb_agg(one ORDER BY one), '[]') FROM (
    SELECT DISTINCT one FROM jsonb_array_elements_text(
      r.products || CASE WHEN w.products_read = %s THEN w.products ELSE '[]' END) AS one
    ORDER BY one LIMIT %s) AS few)
FROM jsonb_to_recordset(%s::jsonb) AS r (cve text, products jsonb) WHERE w.cve = r.cve
"""


@dataclass(slots=True)
class Reading:
    """What one reading did. `unread`: documents that made no sense."""

    weaknesses: int = 0
    rows: int = 0
    unread: int = 0
    gone: int = 0


def read_weaknesses(tenant: Tenant, defender: Defender, now: datetime) -> Reading:
    """All of them, and the products that have them. Raises ApiError; what was read stays."""
    reading = Reading()
    with scope(tenant):
        row = _begin(now)
    if row.stage == Stage.WEAKNESSES:
        for page in defender.vulnerability_pages(_from(row)):
            found = [one for document in page if (one := read_weakness(document)) is not None]
            reading.unread += len(page) - len(found)
            reading.weaknesses += sum(one.exposed > 0 for one in found)
            with scope(tenant), transaction.atomic():
                _store(found, row, now)
                _move_on(row, row.position + len(page))
        _next_stage(tenant, row, Stage.PRODUCTS)
    for page in defender.product_pages(_from(row)):
        reading.rows += len(page)
        with scope(tenant), transaction.atomic():
            reading.unread += _add_products(page, row)
            _move_on(row, row.position + len(page))
    with scope(tenant), transaction.atomic():
        reading.gone, _ = Weakness.objects.exclude(generation=row.pk).delete()
        row.stage, row.ended_at, row.is_complete = Stage.DONE, now, True
        row.save()
        old = WeaknessRead.objects.values_list("pk", flat=True)[KEEP_READS:]
        WeaknessRead.objects.filter(pk__in=list(old)).delete()
    if reading.unread:
        logger.warning("weaknesses not understood count=%d", reading.unread)
    return reading


def _begin(now: datetime) -> WeaknessRead:
    """The reading that was cut off lately, or a new one."""
    last = WeaknessRead.objects.filter(ended_at=None, began_at__gt=now - GOES_ON_WITHIN).first()
    return last or WeaknessRead.objects.create(began_at=now)


def _from(row: WeaknessRead) -> int:
    row.position = max(0, row.position - OVERLAP)
    return row.position


def _move_on(row: WeaknessRead, position: int) -> None:
    row.position = position
    row.save(update_fields=["position"])


def _next_stage(tenant: Tenant, row: WeaknessRead, stage: int) -> None:
    row.stage, row.position = stage, 0
    with scope(tenant):
        row.save(update_fields=["stage", "position"])


def _store(found: Iterable[Weak], row: WeaknessRead, now: datetime) -> None:
    """What is exposed nowhere is not the tenant's, and is left out."""
    rows = {
        one.cve: {
            "cve": one.cve, "severity": one.severity, "cvss": one.cvss, "exposed": one.exposed,
            "exploit": one.exploit, "published_on": one.published_on,
        }
        for one in found
        if one.exposed
    }  # fmt: skip
    if rows:
        run(STORE, [row.pk, now, now, as_json(list(rows.values()))])


def _add_products(page: Iterable[object], row: WeaknessRead) -> int:
    """How many rows made no sense."""
    products: dict[str, set[str]] = defaultdict(set)
    unread = 0
    for document in page:
        found = read_product(document)
        if found is None:
            unread += 1
        else:
            products[found[0]].add(found[1])
    rows = [{"cve": cve, "products": sorted(names)} for cve, names in sorted(products.items())]
    run(ADD_PRODUCTS, [row.pk, row.pk, MOST_PRODUCTS, as_json(rows)])
    return unread
