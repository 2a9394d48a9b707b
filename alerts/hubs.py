"""Entities that so much names that sharing them tells nothing: a NAT address, a scanner's account.

Learned per tenant from how often, on how many days and beside how many others an entity is named.
Looked at only when it is named often, so that it costs a look at an index a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.models import Hub
from alerts.rows import as_json, run

LOOK_BACK = timedelta(days=14)
FEWEST = 12
"""Alerts in that time, below which nothing is a hub."""
MOST_OF_VOLUME = 4000
"""Further than this the tenant's alerts are not counted."""
STRONG_DAYS, STRONG_PEERS = 3, 6
OTHER_DAYS, OTHER_PEERS = 2, 4

# Named often enough to be worth a look, and more often than at the last one. Index only.
BUSY = """
SELECT g.entity_id FROM unnest(%s::bigint[]) AS g(entity_id)
LEFT JOIN alerts_hub h ON h.entity_id = g.entity_id
CROSS JOIN LATERAL (
  SELECT count(*) AS alerts FROM (
    SELECT FROM alerts_alertentity l WHERE l.entity_id = g.entity_id AND l.at > %s
    LIMIT greatest(%s, ceil(coalesce(h.alerts, 0) * 1.3))
  ) AS counted
) AS n
WHERE n.alerts >= greatest(%s, ceil(coalesce(h.alerts, 0) * 1.3))
   OR h.is_hub AND h.learned_at < now() - interval '1 day'
"""
VOLUME = """
SELECT count(*) FROM (
  SELECT FROM alerts_alert WHERE updated_at > %s LIMIT %s) AS counted
"""
FREQUENCIES = """
SELECT e.id, e.kind, n.alerts, n.days, p.peers FROM alerts_entity e
CROSS JOIN LATERAL (
  SELECT count(*) AS alerts, count(DISTINCT (at AT TIME ZONE 'UTC')::date) AS days FROM (
    SELECT l.at FROM alerts_alertentity l WHERE l.entity_id = e.id AND l.at > %s
    ORDER BY l.at DESC LIMIT 2000) AS named
) AS n
CROSS JOIN LATERAL (
  SELECT count(DISTINCT o.entity_id) AS peers FROM (
    SELECT l.alert_id FROM alerts_alertentity l WHERE l.entity_id = e.id AND l.at > %s
    ORDER BY l.at DESC LIMIT 200) AS named
  JOIN alerts_alertentity o ON o.alert_id = named.alert_id AND o.entity_id <> e.id AND o.ties
  JOIN alerts_entity other ON other.id = o.entity_id AND other.kind IN ('user', 'device')
) AS p
WHERE e.id = ANY(%s)
"""
LEARN = """
INSERT INTO alerts_hub (entity_id, is_hub, alerts, days, peers, learned_at)
SELECT e, h, a, d, p, now() FROM json_to_recordset(%s::json)
  AS x(e bigint, h boolean, a int, d int, p int)
ON CONFLICT (entity_id) DO UPDATE SET is_hub = coalesce(alerts_hub.pinned, excluded.is_hub),
  alerts = excluded.alerts, days = excluded.days, peers = excluded.peers, learned_at = now()
RETURNING entity_id, is_hub
"""


@dataclass(frozen=True, slots=True)
class Frequency:
    """How an entity was named in `LOOK_BACK`. `peers`: people and devices beside it."""

    alerts: int
    days: int
    peers: int


def is_hub(kind: str, named: Frequency, volume: int, strong: Iterable[str]) -> bool:
    """Whether sharing it tells nothing. `volume`: the tenant's alerts in the same time. Pure.

    A person or machine ties for long, also one with many alerts; it must be seen with many others
    on several days. An address, link or file need less. One day alone makes no hub: that may be an
    attack.
    """
    if named.alerts < max(FEWEST, min(volume, MOST_OF_VOLUME) // 100):
        return False
    days, peers = (STRONG_DAYS, STRONG_PEERS) if kind in set(strong) else (OTHER_DAYS, OTHER_PEERS)
    return named.days >= days and named.peers >= peers


def learn_hubs(entity_ids: list[int], newest: datetime, strong: Iterable[str]) -> dict[int, bool]:
    """Look at those of a page that have become busy; entity -> whether it is a hub now.

    Inside the tenant's scope, after the page's links are stored.
    """
    since = newest - LOOK_BACK
    busy = [row[0] for row in run(BUSY, [entity_ids, since, FEWEST, FEWEST])]
    if not busy:
        return {}
    volume = run(VOLUME, [since, MOST_OF_VOLUME])[0][0]
    rows = [
        {
            "e": entity,
            "h": is_hub(kind, Frequency(alerts, days, peers), volume, strong),
            "a": alerts,
            "d": days,
            "p": peers,
        }
        for entity, kind, alerts, days, peers in run(FREQUENCIES, [since, since, busy])
    ]
    return dict(run(LEARN, [as_json(rows)]))


def pin_hub(entity_id: int, *, is_hub: bool | None) -> None:
    """A person says that an entity ties nothing (or does); None lets the portal learn again."""
    Hub.objects.update_or_create(
        entity_id=entity_id,
        defaults={"pinned": is_hub, "is_hub": bool(is_hub)},
        create_defaults={"pinned": is_hub, "is_hub": bool(is_hub)},
    )
