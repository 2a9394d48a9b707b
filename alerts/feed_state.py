"""How a tenant's feed stands, for its row among all tenants. Runs inside the tenant's scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from alerts.ledger import unread_count
from alerts.models import Alert, Quarantined
from alerts.rows import run
from alerts.silence import BASELINE, is_silent

CHANGES = """
SELECT coalesce(sum((counts->>'new')::int + (counts->>'updated')::int), 0)
FROM alerts_poll WHERE started_at >= %s AND started_at < %s
"""


# Per product: its youngest change, and its changes in the seven days before that.
BY_SOURCE = """
SELECT s.service_source, s.last, (
  SELECT count(*) FROM alerts_alert b WHERE b.service_source = s.service_source
    AND b.updated_at > s.last - %s AND b.updated_at <= s.last)
FROM (
  SELECT service_source, max(updated_at) AS last FROM alerts_alert
  WHERE updated_at > %s AND service_source <> '' GROUP BY service_source
) AS s
"""


@dataclass(frozen=True, slots=True)
class FeedState:
    alerts_per_hour: float
    last_alert_at: datetime | None
    is_silent: bool
    unread_windows: int
    quarantined: int


def feed_state(now: datetime) -> FeedState:
    """Changes per hour, the youngest change, and what is not read.

    The rate is that of the last day, or of the last quarter of an hour if that was busier.
    """
    last = Alert.objects.aggregate(last=Max("updated_at"))["last"]
    baseline = _changes(last - BASELINE, last) if last else 0
    return FeedState(
        alerts_per_hour=max(
            _changes(now - timedelta(days=1), now) / 24,
            _changes(now - timedelta(minutes=15), now) * 4,
        ),
        last_alert_at=last,
        is_silent=is_silent(baseline, last, now),
        unread_windows=unread_count(),
        quarantined=Quarantined.objects.filter(resolved_at=None).count(),
    )


def silent_sources(now: datetime) -> list[str]:
    """Products (`serviceSource`) that are quieter than chance explains, though the tenant may not
    be. Reads 30 days of alerts: for an hourly look.
    """
    rows = run(BY_SOURCE, [BASELINE, now - timedelta(days=30)])
    return sorted(source for source, last, count in rows if is_silent(count, last, now))


def _changes(since: datetime, until: datetime) -> int:
    return int(run(CHANGES, [since, until])[0][0])
