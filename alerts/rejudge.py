"""Says that cases are to be judged again, because something about them is new.

In the transaction that changed it, inside the tenant's scope; `alerts.decide` finds them.
"""

from __future__ import annotations

from collections.abc import Iterable

from alerts.rows import run

OF_CASES = "UPDATE alerts_case SET judge_at = 'epoch' WHERE id = ANY(%s)"
ALL_OPEN = "UPDATE alerts_case SET judge_at = 'epoch' WHERE status < 2"


def judge_again(case_ids: Iterable[int]) -> None:
    """These cases."""
    run(OF_CASES, [sorted(case_ids)])


def judge_all_again() -> None:
    """Every open case of the tenant: a suppression was made."""
    run(ALL_OPEN, [])
