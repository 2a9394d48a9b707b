"""Microsoft's documents of the Secure Score, read as hostile input. Pure.

Kept are numbers, days and short words; descriptions, comments and people are not even looked at.
What can't be understood is None; unknown words of Microsoft's lists pass, if they look like words.

https://learn.microsoft.com/graph/api/resources/securescore
https://learn.microsoft.com/graph/api/resources/securescorecontrolprofile
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime

from posture.plain import unescaped
from posture.scores import Points, Profile, Score
from tenants.documents import instant, objects, strings, text

MOST_CONTROLS = 2_000
MOST_THREATS = 20
_LARGEST = 1_000_000.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,99}", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.,&/()\-]{0,59}", re.ASCII)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_PERSONAL = re.compile(r"\S+@\S+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|https?://\S+", re.I)
_SPACES = re.compile(r"[^\S\n]+")
_BREAK = re.compile(r"<(?:br|/p|/li|/div|/h\d|/tr)\b[^<>]{0,200}>", re.IGNORECASE)


def read_score(document: object, most: Mapping[str, float | None]) -> Score | None:
    """None without a day or its numbers. `most`: what each control can give, if that is known."""
    if not isinstance(document, dict):
        return None
    at = instant(document.get("createdDateTime"))
    current, top = number(document.get("currentScore")), number(document.get("maxScore"))
    if at is None or current is None or top is None:
        return None
    users = number(document.get("licensedUserCount"))
    return Score(
        at.date(),
        current,
        top,
        _controls(document.get("controlScores"), most),
        _averages(document.get("averageComparativeScores"), top),
        None if users is None else int(users),
    )


def _controls(value: object, most: Mapping[str, float | None]) -> dict[str, Points]:
    found: dict[str, Points] = {}
    for row in objects(value)[:MOST_CONTROLS]:
        name, points = control_name(row.get("controlName")), number(row.get("score"))
        if name and points is not None:
            found[name] = Points(points, most.get(name))
    return found


def _averages(value: object, most: float) -> dict[str, float]:
    """In percent. Older documents hold points: one above 100 shows that all of them are."""
    found: dict[str, float] = {}
    for row in objects(value)[:10]:
        basis, average = word(row.get("basis")), number(row.get("averageScore"))
        if basis and average is not None:
            found[basis] = average
    if any(average > 100 for average in found.values()):
        if most <= 0:
            return {}
        found = {basis: 100 * average / most for basis, average in found.items()}
    return {basis: round(average, 2) for basis, average in found.items() if average <= 100}


def read_profile(document: object) -> Profile | None:
    """None without an id that can be a control's name."""
    if not isinstance(document, dict):
        return None
    name = control_name(document.get("id"))
    if not name:
        return None
    rank = number(document.get("rank"))
    return Profile(
        name=name,
        title=_PERSONAL.sub("…", plain(text(document.get("title")))).replace("\n", " ")[:300],
        service=word(document.get("service")),
        category=word(document.get("controlCategory")),
        action_type=word(document.get("actionType")),
        tier=word(document.get("tier")),
        cost=word(document.get("implementationCost")),
        impact=word(document.get("userImpact")),
        most=number(document.get("maxScore")),
        rank=None if rank is None else int(rank),
        threats=tuple(filter(None, map(word, strings(document.get("threats")))))[:MOST_THREATS],
        is_deprecated=document.get("deprecated") is True,
        state=read_state(document)[0],
    )


def read_state(document: Mapping[str, object]) -> tuple[str, datetime | None]:
    """The state that was set last, and when."""
    updates = [
        (instant(row.get("updatedDateTime")), word(row.get("state")))
        for row in objects(document.get("controlStateUpdates"))
    ]
    known = [(at, state) for at, state in updates if state]
    if not known:
        return "Default", None
    at, state = known[-1] if any(at is None for at, _ in known) else max(known, key=_when)
    return state, at


def _when(update: tuple[datetime | None, str]) -> float:
    return update[0].timestamp() if update[0] else 0.0


def number(value: object) -> float | None:
    """A finite number that a score can have: neither negative nor absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= _LARGEST else None


def control_name(value: object) -> str:
    """The name of a control; "" for what can be none."""
    found = text(value)
    return found if _NAME.fullmatch(found) else ""


def word(value: object) -> str:
    """A short word of one of Microsoft's lists, known or not; "" for anything else."""
    found = text(value).strip()
    return found if _WORD.fullmatch(found) else ""


def plain(markup: str, longest: int = 4_000) -> str:
    """Text of HTML: no tag, no entity, blanks put together. What is left is text, not markup."""
    found = _BREAK.sub("\n", markup[: 4 * longest])
    # Twice: what was written as an entity may be a tag, too.
    for _ in range(2):
        found = unescaped(_TAG.sub("", found))
    lines = [_SPACES.sub(" ", line).strip() for line in found.splitlines()]
    return "\n".join(line for line in lines if line)[:longest]
