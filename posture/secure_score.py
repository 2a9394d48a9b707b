"""Reads the Secure Score of a tenant: profiles, then days; keeps them; finds drops.

Everything is safe to repeat. Requests go out before the database is touched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction

from clients.microsoft.graph import Graph
from clients.microsoft.security import control_profile_pages, secure_scores
from posture.findings import Found, open_findings, settle
from posture.models import ControlProfile, Finding, ScoreDay
from posture.score_documents import read_profile, read_score, read_state
from posture.scores import Drop, Points, Profile, Score, find_drop
from posture.standing import Standing, standing
from tenants.models import Tenant
from tenants.scope import scope

logger = logging.getLogger(__name__)

HISTORY_DAYS = 90
"""As many as Microsoft keeps."""
AGAIN_DAYS = 2
"""The last days are read again: Microsoft counts until they are over."""
KEEP = timedelta(days=800)
SOURCE = "secure-score"
KIND = str(Finding.Kind.SCORE_DROPPED)
DETAILS = ("title", "service", "category", "action_type", "tier", "cost", "impact", "most", "rank",
           "threats", "is_deprecated", "state")  # fmt: skip


@dataclass(slots=True)
class Read:
    """What one read did. `unread`: documents that made no sense."""

    days: int = 0
    new_days: int = 0
    profiles: int = 0
    unread: int = 0
    opened: int = 0
    closed: int = 0
    percent: float | None = None
    standing: Standing = field(default_factory=Standing)


def read_secure_score(tenant: Tenant, graph: Graph, now: datetime) -> Read:
    """90 days at first, later what is new. Raises ApiError; what is known stays then."""
    with scope(tenant):
        newest = ScoreDay.objects.order_by("-day").values_list("day", flat=True).first()
    documents = [one for page in control_profile_pages(graph) for one in page]
    profiles = [(one, profile) for one in documents if (profile := read_profile(one)) is not None]
    most = {profile.name: profile.most for _, profile in profiles}
    raw = secure_scores(graph, _days_wanted(newest, now.date()))
    scores = [score for one in raw if (score := read_score(one, most)) is not None]
    read = Read(
        days=len(scores),
        profiles=len(profiles),
        unread=len(documents) - len(profiles) + len(raw) - len(scores),
    )
    if read.unread:
        logger.warning("score documents not understood count=%d", read.unread)
    with scope(tenant), transaction.atomic():
        _keep_profiles(profiles, now)
        read.new_days = _keep_days(scores, now)
        ScoreDay.objects.filter(day__lt=now.date() - KEEP).delete()
        _conclude(read, now)
    return read


def _days_wanted(newest: date | None, today: date) -> int:
    if newest is None:
        return HISTORY_DAYS
    return max(AGAIN_DAYS, min(HISTORY_DAYS, (today - newest).days + AGAIN_DAYS))


def _keep_profiles(profiles: Iterable[tuple[object, Profile]], now: datetime) -> None:
    """Those that Microsoft does not list any more go; an empty list says nothing."""
    rows = {}
    for document, one in profiles:
        at = read_state(document)[1] if isinstance(document, dict) else None
        details = {name: getattr(one, name) for name in DETAILS}
        details["threats"] = list(one.threats)
        rows[one.name] = ControlProfile(name=one.name, state_at=at, read_at=now, **details)
    if not rows:
        return
    ControlProfile.objects.bulk_create(
        [rows[name] for name in sorted(rows)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=[*DETAILS, "state_at", "read_at"],
    )
    ControlProfile.objects.exclude(name__in=rows).delete()


def _keep_days(scores: Iterable[Score], now: datetime) -> int:
    """What a control could give is known for the newest day alone; a row from then keeps it."""
    by_day = {one.day: one for one in scores}
    known = {row.day: row.controls for row in ScoreDay.objects.filter(day__in=by_day)}
    rows = []
    for day in sorted(by_day):
        one, before = by_day[day], known.get(day, {})
        rows.append(
            ScoreDay(
                day=day,
                current=one.current,
                most=one.most,
                licensed_users=one.licensed_users,
                averages=dict(one.averages),
                controls={
                    name: [points.score, _most(points, before.get(name), day == max(by_day))]
                    for name, points in one.controls.items()
                },
                read_at=now,
            )
        )
    ScoreDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=["current", "most", "licensed_users", "averages", "controls", "read_at"],
    )
    return len(set(by_day) - set(known))


def _most(points: Points, before: list[float | None] | None, is_newest: bool) -> float | None:
    if before is not None and before[1] is not None and not is_newest:
        return before[1]
    return points.most if is_newest else None


def _conclude(read: Read, now: datetime) -> None:
    """What follows from the rows as they are now."""
    days = score_days(now.date() - timedelta(days=HISTORY_DAYS + 10))
    profiles = profiles_by_name()
    read.standing = standing(days, profiles)
    read.percent = days[-1].percent if days else None
    since = next((day for row in open_findings(KIND) if (day := _since(row))), None)
    drop = find_drop(days, since)
    settled = settle(KIND, [_found(drop, profiles)] if drop else [], now)
    read.opened, read.closed = len(settled.opened), len(settled.closed)


def _since(row: Finding) -> date | None:
    try:
        return date.fromisoformat(str(row.facts.get("since")))
    except ValueError:
        return None


def _found(drop: Drop, profiles: dict[str, Profile]) -> Found:
    change = drop.change
    controls = [
        {"name": one.name, "title": _title(one.name, profiles), "points": one.points}
        for one in change.lost[:10]
    ]
    count = len(change.lost)
    return Found(
        key="score",
        severity=drop.severity,
        summary=f"{drop.before:.1f} to {drop.now:.1f} percent since {drop.since}: "
        f"{count} control{'' if count == 1 else 's'} lost points",
        size=max(1, round(drop.before - drop.now)),
        facts={
            "since": drop.since.isoformat(),
            "before": drop.before,
            "now": drop.now,
            "own": round(change.own, 1),
            "microsofts": round(change.microsofts, 1),
            "controls": controls,
            "came": list(change.came[:20]),
            "went": list(change.went[:20]),
            "most_changed": [one.name for one in change.most_changed[:20]],
        },
    )


def _title(name: str, profiles: dict[str, Profile]) -> str:
    return profiles[name].title if name in profiles else ""


def score_days(since: date) -> list[Score]:
    """Stored days, oldest first. In the tenant's scope."""
    return [
        Score(
            row.day,
            row.current,
            row.most,
            {name: Points(*points) for name, points in row.controls.items()},
            row.averages,
            row.licensed_users,
        )
        for row in ScoreDay.objects.filter(day__gte=since).order_by("day")
    ]


def profiles_by_name(names: Sequence[str] | None = None) -> dict[str, Profile]:
    """All, or those named. In the tenant's scope."""
    rows = ControlProfile.objects.all()
    if names is not None:
        rows = rows.filter(name__in=names)
    return {
        row.name: Profile(
            name=row.name, **{name: getattr(row, name) for name in DETAILS if name != "threats"},
            threats=tuple(row.threats),
        )
        for row in rows
    }  # fmt: skip
