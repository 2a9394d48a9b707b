"""How a tenant's score stands, for lists over many tenants: kept on the tenant's own row. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from posture.scores import Profile, Score, band_of, change, recommendations

MOST_GAPS = 3


class Gap(TypedDict):
    """A control with much to gain, in Microsoft's public words."""

    name: str
    title: str
    points: float


class Standing(TypedDict, total=False):
    """`problem`: why the score could not be read last time, in our words."""

    day: str
    current: float
    most: float
    change_7: float | None
    change_30: float | None
    gaps: list[Gap]
    open: int
    averages: dict[str, float]
    band: str
    problem: str


def standing(days: Sequence[Score], profiles: Mapping[str, Profile]) -> Standing:
    """Of the newest of the days; nothing of none."""
    if not days:
        return {}
    newest = max(days, key=lambda one: one.day)
    wanted = recommendations(newest, profiles)
    largest = sorted(wanted, key=lambda step: (-step.gap, step.profile.name))[:MOST_GAPS]
    return {
        "day": newest.day.isoformat(),
        "current": newest.current,
        "most": newest.most,
        "change_7": change(days, 7),
        "change_30": change(days, 30),
        "gaps": [
            {"name": one.profile.name, "title": one.profile.title, "points": one.gap}
            for one in largest
        ],
        "open": len(wanted),
        "averages": dict(newest.averages),
        "band": band_of(newest.licensed_users),
    }
