"""Who was seen with what: pairs of pseudonyms with first, last and count, from alerts and sign-ins.

A pair counts once for each alert or sign-in, however often that is read (`LinkSource`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.rows import as_json, run
from enrichment.sign_ins import SignIn, keys_of
from tenants.pseudonyms import Pseudonymiser

MOST_USERS = 3
"""An alert that names more people says nothing about who used what."""
MOST_THINGS = 30
REMEMBERED_FOR = timedelta(days=40)
"""Microsoft keeps sign-ins for 30 days, so older ones can't come again."""
COUNTED_FOR = timedelta(days=35)
THINGS = (
    "device", "iot_device", "cloud_app", "oauth_app", "service_principal", "ai_agent", "mailbox",
    "file", "blob", "blob_container", "cloud_resource", "repository", "ip",
)  # fmt: skip

# Users and things of each alert, the tied ones first; a pair that is known for it is left alone.
_COUNT = """
, fresh AS (
  INSERT INTO alerts_linksource (source, near, far, at, is_sign_in)
  SELECT DISTINCT ON (source, near, far) source, near, far, at, is_sign_in
  FROM pairs WHERE near <> far ORDER BY source, near, far
  ON CONFLICT DO NOTHING RETURNING source, near, far, at
)
INSERT INTO alerts_entitylink AS k (near, far, near_kind, far_kind, first_at, last_at, count)
SELECT f.near, f.far, min(p.near_kind), min(p.far_kind), min(f.at), max(f.at),
  count(DISTINCT f.source)
FROM fresh f JOIN pairs p ON p.source = f.source AND p.near = f.near AND p.far = f.far
GROUP BY f.near, f.far ORDER BY f.near, f.far
ON CONFLICT (near, far) DO UPDATE SET first_at = least(k.first_at, excluded.first_at),
  last_at = greatest(k.last_at, excluded.last_at), count = k.count + excluded.count
"""
OF_ALERTS = f"""
WITH named AS (
  SELECT l.alert_id, l.at, e.pseudonym, e.kind,
    count(*) FILTER (WHERE e.kind = 'user') OVER (PARTITION BY l.alert_id) AS users,
    row_number() OVER (PARTITION BY l.alert_id, e.kind = 'user' ORDER BY l.ties DESC, e.id) AS place
  FROM alerts_alertentity l JOIN alerts_entity e ON e.id = l.entity_id
  WHERE l.alert_id = ANY(%s) AND (e.kind = 'user' OR e.kind = ANY(%s))
), pairs AS (
  SELECT lpad(to_hex(u.alert_id), 32, '0')::uuid AS source, u.at, false AS is_sign_in,
    u.pseudonym AS near, u.kind AS near_kind, t.pseudonym AS far, t.kind AS far_kind
  FROM named u JOIN named t ON t.alert_id = u.alert_id AND t.kind <> 'user' AND t.place <= %s
  WHERE u.kind = 'user' AND u.users <= %s
) {_COUNT}
"""  # noqa: S608 constants only
# A device or app that alerts name, too, has that entity's pseudonym; `keys` are all versions.
OF_SIGN_INS = f"""
WITH given AS (
  SELECT * FROM json_to_recordset(%s::json)
    AS x(source uuid, at timestamptz, near uuid[], far uuid[], far_kind text)
), pairs AS (
  SELECT g.source, g.at, true AS is_sign_in, 'user' AS near_kind, g.far_kind,
    coalesce((SELECT e.pseudonym FROM alerts_entitykey k JOIN alerts_entity e ON e.id = k.entity_id
      WHERE k.pseudonym = ANY(g.near) AND k.is_identity ORDER BY e.id LIMIT 1), g.near[1]) AS near,
    coalesce((SELECT e.pseudonym FROM alerts_entitykey k JOIN alerts_entity e ON e.id = k.entity_id
      WHERE k.pseudonym = ANY(g.far) AND k.is_identity ORDER BY e.id LIMIT 1), g.far[1]) AS far
  FROM given g
) {_COUNT}
"""  # noqa: S608 constants only
FORGET = "DELETE FROM alerts_linksource WHERE is_sign_in AND at < %s"

# Both sides by every key of the entity, so that merged entities and rotated keys count together.
SEEN_WITH = """
WITH mine AS (
  SELECT pseudonym FROM alerts_entitykey WHERE entity_id = %s AND is_identity
  UNION SELECT pseudonym FROM alerts_entity WHERE id = %s
), found AS (
  SELECT l.far AS other, l.far_kind AS kind, l.first_at, l.last_at, l.count
  FROM alerts_entitylink l WHERE l.near IN (SELECT pseudonym FROM mine)
  UNION ALL
  SELECT l.near, l.near_kind, l.first_at, l.last_at, l.count
  FROM alerts_entitylink l WHERE l.far IN (SELECT pseudonym FROM mine)
), resolved AS (
  SELECT f.*, o.pseudonym AS entity FROM found f LEFT JOIN LATERAL (
    SELECT e.pseudonym FROM alerts_entitykey k JOIN alerts_entity e ON e.id = k.entity_id
    WHERE k.pseudonym = f.other AND k.is_identity ORDER BY e.id LIMIT 1
  ) AS o ON true
)
SELECT kind, coalesce(entity, other), bool_or(entity IS NOT NULL), min(first_at), max(last_at),
  sum(count)::bigint
FROM resolved WHERE %s::text[] IS NULL OR kind = ANY(%s)
GROUP BY kind, coalesce(entity, other) ORDER BY 6 DESC, 5 DESC, 2 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Link:
    """Something that an entity was seen with. `is_entity`: it has a page of its own."""

    kind: str
    pseudonym: uuid.UUID
    is_entity: bool
    first_at: datetime
    last_at: datetime
    count: int


def link_alerts(alert_ids: Sequence[int]) -> None:
    """Count the pairs that these alerts name. One statement, in the tenant's scope."""
    if alert_ids:
        run(OF_ALERTS, [list(alert_ids), list(THINGS), MOST_THINGS, MOST_USERS])


def link_sign_ins(
    sign_ins: Iterable[SignIn],
    user: Sequence[uuid.UUID],
    pseudonymiser: Pseudonymiser,
    now: datetime,
) -> None:
    """Count devices, apps and addresses of a user's sign-ins that succeeded. One statement.

    `user`: the person's pseudonyms under every version of the key, newest first.
    """
    rows = [
        {
            # The oldest version of the key: the same as long as that version is there.
            "source": pseudonymiser.all_versions(*keys["request"])[-1],
            "at": one.at,
            "near": list(user),
            "far": pseudonymiser.all_versions(*keys[name]),
            "far_kind": keys[name][0],
        }
        for one in sign_ins
        if one.succeeded and one.at > now - COUNTED_FOR
        for keys in (keys_of(one),)
        for name in ("device", "app", "address")
        if name in keys
    ]
    if rows:
        run(OF_SIGN_INS, [as_json(rows)])


def forget_old_sources(now: datetime) -> None:
    """Sign-ins that can't come again need not be remembered. Inside the scope."""
    run(FORGET, [now - REMEMBERED_FOR])


def seen_with(entity_id: int, kinds: Sequence[str] | None = None, limit: int = 100) -> list[Link]:
    """What the entity was seen with, most often first. One query, in the scope."""
    wanted = None if kinds is None else list(kinds)
    rows = run(SEEN_WITH, [entity_id, entity_id, wanted, wanted, limit])
    return [Link(*row) for row in rows]
