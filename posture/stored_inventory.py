"""Rows of the inventory, written a page at a time. All of it inside the tenant's scope."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from posture.azure_documents import KIND, Listed, arm_key
from posture.coverage import Resource, Rule, Wanted, judge
from posture.models import Exemption, InventoryRead, WatchRule
from tenants.pseudonyms import Pseudonymiser
from tenants.rows import as_json, run

KEPT_READS = 100
LOST_FOR = timedelta(days=7)
"""What could not be seen for so long is forgotten: nobody can tell deleted from taken away."""

# A key of the vault was rotated: rows move to the newest pseudonym.
RENAME = """
UPDATE posture_azureresource r SET pseudonym = x.pseudonym
FROM jsonb_to_recordset(%s::jsonb) AS x(pseudonym uuid, older uuid[])
WHERE r.pseudonym = ANY(x.older)
  AND NOT EXISTS (SELECT 1 FROM posture_azureresource n WHERE n.pseudonym = x.pseudonym)
"""
# A read that began later has the last word.
UPSERT = """
INSERT INTO posture_azureresource AS r (pseudonym, subscription, resource_group, type, location,
  state, why, generation, first_seen_at, changed_at)
SELECT x.pseudonym, x.subscription, x.resource_group, x.type, x.location, x.state, x.why,
  %s::bigint, %s::timestamptz, %s::timestamptz
FROM jsonb_to_recordset(%s::jsonb) AS x(pseudonym uuid, subscription uuid, resource_group uuid,
  type text, location text, state text, why text)
ORDER BY x.pseudonym
ON CONFLICT (pseudonym) DO UPDATE SET subscription = excluded.subscription,
  resource_group = excluded.resource_group, type = excluded.type, location = excluded.location,
  changed_at = CASE WHEN r.state = excluded.state THEN r.changed_at ELSE excluded.changed_at END,
  state = excluded.state, why = excluded.why, generation = excluded.generation
WHERE r.generation <= excluded.generation
"""
GONE = """
DELETE FROM posture_azureresource WHERE subscription = ANY(%s::uuid[]) AND generation < %s
"""
GONE_BY_KEY = "DELETE FROM posture_azureresource WHERE pseudonym = ANY(%s::uuid[])"
SUBSCRIPTION = """
INSERT INTO posture_azuresubscription AS s (pseudonym, state, problem, seen_at)
SELECT x.pseudonym, x.state, '', %s::timestamptz
FROM jsonb_to_recordset(%s::jsonb) AS x(pseudonym uuid, state text)
ORDER BY x.pseudonym
ON CONFLICT (pseudonym) DO UPDATE SET state = excluded.state, seen_at = excluded.seen_at
"""
LOST = """
WITH lost AS (DELETE FROM posture_azuresubscription WHERE seen_at < %s RETURNING pseudonym)
DELETE FROM posture_azureresource r USING lost WHERE r.subscription = lost.pseudonym
"""


@dataclass(slots=True)
class Ground:
    """What a reading stands on: the rule, what is exempt, and tags from above, by canonical id."""

    rule: Rule
    exemptions: Mapping[uuid.UUID, datetime]
    pseudonymiser: Pseudonymiser
    read_id: int
    now: datetime
    subscription_tags: dict[str, object]
    group_tags: dict[str, object]

    def keys(self, arm_id: str) -> list[uuid.UUID]:
        """Pseudonyms under all keys of the vault, the newest first."""
        return self.pseudonymiser.all_versions(KIND, arm_key(arm_id))


def rule_of(row: WatchRule | None) -> Rule:
    """As the pure core takes it; the empty rule where there is none."""
    if row is None:
        return Rule()
    return Rule(
        tags=tuple(Wanted(name, tuple(values)) for name, values in row.tags),
        needs_all=row.needs_all,
        exact_case=row.exact_case,
        from_group=row.from_group,
        from_subscription=row.from_subscription,
        types=frozenset(row.ignored_types),
    )


def stored_rule() -> Rule:
    return rule_of(WatchRule.objects.first())


def begin(is_full: bool, now: datetime, pseudonymiser: Pseudonymiser) -> Ground:
    """A new reading. Three queries, and one that forgets old readings."""
    old = InventoryRead.objects.values_list("pk", flat=True)[KEPT_READS:]
    InventoryRead.objects.filter(pk__in=list(old)).delete()
    read = InventoryRead.objects.create(is_full=is_full, began_at=now)
    exemptions = dict(Exemption.objects.values_list("covers", "until"))
    return Ground(stored_rule(), exemptions, pseudonymiser, read.pk, now, {}, {})


def store_page(listed: Iterable[Listed], ground: Ground) -> int:
    """Judge and upsert a page; how many there were. One statement, two after a key rotated."""
    rows = {row["pseudonym"]: row for row in (_row(one, ground) for one in listed)}
    if not rows:
        return 0
    renamed = [row for row in rows.values() if row["older"]]
    with transaction.atomic():
        if renamed:
            run(RENAME, [as_json(renamed)])
        run(UPSERT, [ground.read_id, ground.now, ground.now, as_json(list(rows.values()))])
    return len(rows)


def _row(one: Listed, ground: Ground) -> dict[str, object]:
    own = ground.keys(one.id)
    group = ground.keys(one.group) if one.group else []
    above = ground.keys(one.subscription)
    outcome = judge(
        Resource(
            kind=one.type,
            tags=one.tags,
            group_tags=ground.group_tags.get(one.group),
            subscription_tags=ground.subscription_tags.get(one.subscription),
            provisioning=one.provisioning,
            keys=(*own, *group, *above),
        ),
        ground.rule,
        ground.exemptions,
        ground.now,
    )
    return {
        "pseudonym": own[0],
        "older": own[1:],
        "subscription": above[0],
        "resource_group": group[0] if group else None,
        "type": one.type,
        "location": one.location,
        "state": outcome.state.value,
        "why": outcome.why.value,
    }


def store_subscriptions(rows: Iterable[tuple[uuid.UUID, str]], now: datetime) -> None:
    found = [{"pseudonym": key, "state": state} for key, state in rows]
    run(SUBSCRIPTION, [now, as_json(found)])


def forget_gone(subscriptions: Iterable[uuid.UUID], read_id: int) -> None:
    """What a whole reading of these subscriptions did not see is gone."""
    run(GONE, [list(subscriptions), read_id])


def forget_resources(pseudonyms: Iterable[uuid.UUID]) -> None:
    run(GONE_BY_KEY, [list(pseudonyms)])


def forget_lost(now: datetime) -> None:
    run(LOST, [now - LOST_FOR])
