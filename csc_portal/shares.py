"""Arithmetic of the pages of analytics: how sure a share is, and the middle of what was counted by
steps. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

Z = 1.96
"""95 of 100 such intervals hold the true share."""


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The interval of a share (E. B. Wilson, 1927): good also for few and for shares near 0 or 1.

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    """
    if whole <= 0:
        return (0.0, 1.0)
    share = part / whole
    middle = share + Z * Z / (2 * whole)
    reach = Z * sqrt(share * (1 - share) / whole + Z * Z / (4 * whole * whole))
    scale = 1 + Z * Z / whole
    low, high = (middle - reach) / scale, (middle + reach) / scale
    # Sums of floats may miss the ends by a hair.
    return (max(0.0, min(low, share)), min(1.0, max(high, share)))


def median_of_steps(counts: Mapping[int, int], ends: Sequence[float]) -> float | None:
    """The middle of values that are known by step only; spread evenly over their step.

    `counts`: step -> values in it; step n ends before `ends[n]`, the last has no end: of values
    there only its beginning is known.
    """
    whole = sum(counts.values())
    if not whole:
        return None
    before = 0
    for step in sorted(counts):
        if (before + counts[step]) * 2 >= whole:
            low = ends[step - 1] if step else 0.0
            if step >= len(ends):
                return float(low)
            return low + (ends[step] - low) * (whole / 2 - before) / counts[step]
        before += counts[step]
    return float(ends[-1])
