"""Whom and what to ask Microsoft about alerts, and which questions are read together."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from enrichment.sign_ins import PROMPTS_WITHIN, Wanted

SETTLED_AFTER = timedelta(minutes=15)
"""Most records are there by then. Before, a refused prompt or a change may still be missing."""
AFTER = timedelta(hours=1)
"""Sign-ins up to so long after the alert's activity are read."""
AUDITS_BEFORE = timedelta(hours=24)
"""An attacker may register a method first, and use it hours later."""
AUDITS_AFTER = timedelta(hours=72)
NEAREST = timedelta(hours=24)
"""Ranges of one user that are no further apart are read as one."""


class Question(Enum):
    """What can be asked about an alert's user."""

    SIGN_IN = 1
    RISK = 2
    AUDITS = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """One alert's user and sign-in, by their real ids: for memory only.

    `user_id`: the object id, `upn`: the principal name; one of them may be "". `user`: pseudonym.
    """

    alert_id: int
    user: uuid.UUID
    user_id: str
    upn: str
    wanted: Wanted
    questions: frozenset[Question]

    @property
    def who(self) -> str:
        return self.user_id or self.upn


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts of one user whose times lie so near to each other that they are read together."""

    user_id: str
    upn: str
    subjects: tuple[Subject, ...]

    def asks(self, question: Question, now: datetime) -> bool:
        """Whether it is to be asked now. Audits are not, before they can be there."""
        return any(
            question in one.questions
            and (question is not Question.AUDITS or now >= one.wanted.at + SETTLED_AFTER)
            for one in self.subjects
        )

    @property
    def request_ids(self) -> frozenset[str]:
        return frozenset(key for one in self.subjects for key in one.wanted.request_ids)

    def sign_in_range(self) -> tuple[datetime, datetime]:
        times = [one.wanted.at for one in self.subjects]
        # The prompts before the sign-in count, and it may be somewhat before the alert's activity.
        return min(times) - PROMPTS_WITHIN - AFTER, max(times) + AFTER

    def audit_range(self, now: datetime) -> tuple[datetime, datetime]:
        times = [one.wanted.at for one in self.subjects]
        return min(times) - AUDITS_BEFORE, min(now, max(times) + AUDITS_AFTER)


def grouped(subjects: Iterable[Subject]) -> list[Group]:
    """By user, in runs whose ranges touch; in the order in which the users were given."""
    by_user: dict[str, list[Subject]] = {}
    for subject in subjects:
        by_user.setdefault(subject.who, []).append(subject)
    return [
        Group(run[0].user_id, run[0].upn, tuple(run))
        for found in by_user.values()
        for run in _runs(sorted(found, key=lambda one: (one.wanted.at, one.alert_id)))
    ]


def _runs(subjects: Sequence[Subject]) -> list[list[Subject]]:
    runs: list[list[Subject]] = []
    for subject in subjects:
        if runs and subject.wanted.at - runs[-1][-1].wanted.at <= NEAREST:
            runs[-1].append(subject)
        else:
            runs.append([subject])
    return runs
