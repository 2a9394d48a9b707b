"""When a case is due by the tenant's promises (tenants/sla.py), as SQL over alerts_case.

A case that nobody has touched is due for the first touch, then for its end; a reopened one counts
anew. Only the queue's row holds the time: it follows from the case and the promises.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenants.models import SEVERITIES
from tenants.sla import promise_for

# Two parameters: `minutes` of the promises, for cases that are not touched yet and for others.
DUE_AT = """
CASE WHEN status < 2 THEN coalesce(
    (SELECT max(e.at) FROM alerts_caseevent e
      WHERE e.case_id = alerts_case.id AND e.kind = 'reopened'), opened_at)
  + (CASE WHEN status = 0 AND assignee_id IS NULL THEN %s::int[] ELSE %s::int[] END)[severity + 1]
    * interval '1 minute' END
"""


def minutes(sla: Mapping[str, object]) -> list[list[int | None]]:
    """For DUE_AT: by rank of severity the minutes to the next promise; None without one."""
    untouched, touched = [], []
    for name in SEVERITIES:
        promise = promise_for(sla, name)
        both = (promise.touch_minutes, promise.resolve_minutes)
        untouched.append(min((m for m in both if m is not None), default=None))
        touched.append(promise.resolve_minutes)
    return [untouched, touched]
