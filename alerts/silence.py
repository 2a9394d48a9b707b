"""Is a tenant too quiet? Pure.

Alerts come at the rate of the last seven days. If so many were to be expected in the quiet time
that none at all has a chance below one in a thousand (Poisson), the feed is suspected, not the
customer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

BASELINE = timedelta(days=7)
EXPECTED_WITHOUT_DOUBT = 6.9
"""-ln(0.001): with so many expected, none is a chance of one in a thousand."""
AT_LEAST = timedelta(hours=2)


def is_silent(alerts_in_baseline: int, last_alert_at: datetime | None, now: datetime) -> bool:
    """`alerts_in_baseline`: new or changed alerts of the seven days before the last one."""
    if last_alert_at is None:
        return False
    quiet = now - last_alert_at
    expected = alerts_in_baseline * (quiet / BASELINE)
    return quiet >= AT_LEAST and expected >= EXPECTED_WITHOUT_DOUBT
