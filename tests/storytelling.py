"""Stories of the simulator, judged without servers: documents in, what the portal would do out.

The way is the portal's own, by its pure functions: normalise, match the sign-in, conclude facts,
prove. Alerts of a story that name one user are a case; the logs show what has arrived by then.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from alerts.dossier import VIP, Dossier, JudgedAlert
from alerts.normalise import normalise
from alerts.prepare import prepare
from alerts.proof import Standing, prove
from alerts.records import AlertRecord, Kind, Severity
from alerts.subjects import asked_about
from enrichment.audits import read_audits
from enrichment.conclude import Answers, conclude
from enrichment.facts import AlertFacts, AssetMark, Known, Mfa
from enrichment.risks import read_detections, read_user_risk
from enrichment.sign_ins import read_sign_ins
from simulator.stories.engine import STORIES
from simulator.stories.estate import Estate, build
from simulator.stories.script import Script
from tenants.pseudonyms import Pseudonymiser, derive_key

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
SETTLED = timedelta(minutes=20)
LATER = timedelta(hours=73)
RANKS = {severity: rank for rank, severity in enumerate(Severity)}
QUIET = frozenset({"everyday"})


@dataclass(frozen=True, slots=True)
class Told:
    """An alert of a story. `title`, `category`: as they would be stored."""

    record: AlertRecord
    due: datetime
    title: str
    category: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one case of a story: soon after its last alert, and three days later.

    `had_mfa`: MFA was satisfied somehow in every sign-in, which is all that a simple script asks.
    """

    story: str
    is_harmless: bool
    is_attack: bool
    closed_soon: bool
    closed: bool
    had_mfa: bool


class Teller:
    """Tells and judges stories of one customer."""

    def __init__(self, seed: int) -> None:
        guid = f"00000000-0000-4000-8000-{seed:012d}"
        self.estate: Estate = build(guid, f"c{seed}", f"c{seed}.example", seed % 200, seed)
        self._names = Pseudonymiser([("1", derive_key(b"benchmarks-master", uuid.UUID(guid)))])
        self._vips = {
            self._names.pseudonym(Kind.USER, f"oid:{person.oid}") for person in self.estate.vips
        }

    def tell(self, name: str, seed: int) -> list[Judged]:
        script = Script(
            name, f"{name}-{seed}", self.estate, Random(f"{seed}-{name}"), START, 1.0,
            iter(range(1, 10_000)).__next__,
        )  # fmt: skip
        STORIES[name](script)
        by_kind: dict[str, list[Any]] = defaultdict(list)
        for step in script.steps:
            by_kind[step.kind].append(step)
        cases: dict[str, list[Told]] = defaultdict(list)
        for number, step in enumerate(by_kind["alert"]):
            record = normalise(step.body)
            users = sorted(
                entity.identity[0] for entity in record.entities if entity.kind is Kind.USER
            )
            columns = prepare(record, self._names).columns
            told = Told(record, step.due, str(columns["title"]), str(columns["category"]))
            cases[users[0] if len(users) == 1 else f"{number}"].append(told)
        return [self._judge(name, script.truth, found, by_kind) for found in cases.values()]

    def _judge(
        self,
        name: str,
        truth: dict[str, Any],
        found: list[Told],
        logs: dict[str, list[Any]],
    ) -> Judged:
        told = [truth[one.record.provider_id] for one in found]
        soon = max(one.due for one in found) + SETTLED
        early = self._dossier(found, logs, soon)
        late = self._dossier(found, logs, soon + LATER)
        return Judged(
            name,
            all(row["harmless"] for row in told),
            any(row["kind"] == "attack" for row in told),
            prove(early).standing is Standing.PROVEN,
            prove(late).standing is Standing.PROVEN,
            _had_mfa(early),
        )

    def _dossier(
        self,
        found: Iterable[Told],
        logs: dict[str, list[Any]],
        now: datetime,
    ) -> Dossier:
        alerts = tuple(self._alert(number, one, logs, now) for number, one in enumerate(found))
        marks = tuple(
            AssetMark(user, VIP, "Leaders")
            for alert in alerts
            if (user := alert.facts.user) in self._vips and user is not None
        )
        return Dossier(1, alerts, max(alert.severity for alert in alerts), marks=marks)

    def _alert(
        self, number: int, told: Told, logs: dict[str, list[Any]], now: datetime
    ) -> JudgedAlert:
        record = told.record
        asked = asked_about(number, record, self._names)
        facts = AlertFacts(number, user_count=asked.user_count, sign_in_known=Known.NOT_ASKED)
        if asked.subject is not None:
            who = asked.subject.user_id
            signed = [row for row in _seen(logs["sign_in"], now) if row["userId"] == who]
            detections = read_detections(
                row for row in _seen(logs["risk"], now) if row["userId"] == who
            )
            answers = Answers(
                read_sign_ins(signed),
                Known.YES,
                detections,
                read_user_risk(None, detections),
                Known.YES,
                [
                    audit
                    for audit in read_audits(_seen(logs["audit"], now))
                    if who in (audit.actor, *audit.targets)
                ],
                Known.YES,
            )
            blank = AlertFacts(number)
            facts = conclude(asked.subject, answers, blank, 1, now, self._names).facts
        addresses = sum(entity.kind is Kind.IP for entity in record.entities)
        return JudgedAlert(
            number, record.service_source, told.title, told.category,
            RANKS[record.severity], record.status, facts, addresses,
        )  # fmt: skip


def _had_mfa(dossier: Dossier) -> bool:
    sign_ins = dossier.sign_ins()
    return len(sign_ins) == len(dossier.alerts) and all(
        one.succeeded and one.mfa in (Mfa.PERFORMED, Mfa.CLAIM) for one in sign_ins
    )


def _seen(steps: Iterable[Any], now: datetime) -> Iterator[Any]:
    """What has arrived by then: the logs lag some minutes."""
    return (step.body for step in steps if step.due + timedelta(minutes=3) <= now)


def telling() -> list[str]:
    """The stories that have alerts."""
    return sorted(set(STORIES) - QUIET)
