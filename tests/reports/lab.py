"""A made-up month of one tenant, with cases and alerts on the very edges of it."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, date, datetime, timedelta

from alerts.models import Alert, Case, CaseEvent, Decision
from posture.models import ControlProfile, ScoreDay, Weakness
from reports.periods import Period, month_of
from tenants.models import KnownExploited, NewsItem, PublicFeed, Tenant
from tenants.scope import scope

ZONE = "Europe/Vienna"  # clocks go back on 25 October: that month has an hour more
OCTOBER = month_of(date(2026, 10, 1), ZONE)
MADE_AT = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
SOURCES = ("azureAdIdentityProtection", "microsoftDefenderForEndpoint", "microsoftSentinel")
VERDICTS = ("", "truePositive", "falsePositive", "informationalExpectedActivity")


def edges(period: Period) -> list[datetime]:
    """The first and last instants that belong to it, those that just do not, and the odd hour."""
    odd = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    return [
        period.since - INSTANT, period.since, period.until - INSTANT, period.until, odd,
        odd + timedelta(hours=1),
    ]  # fmt: skip


def fill(tenant: Tenant, seed: int = 7, count: int = 120) -> None:
    """Cases of September to November, some on the edges, with what became of them."""
    chance = random.Random(seed)
    span = timedelta(days=92)
    start = datetime(2026, 9, 1, tzinfo=UTC)
    times = [start + span * chance.random() for _ in range(count)]
    times += [*edges(OCTOBER), *edges(OCTOBER.before)]
    with scope(tenant):
        cases = [_case(chance, at) for at in times]
        Case.objects.bulk_create(cases)
        losers = chance.sample(cases, 12)
        for loser in losers:
            winner = chance.choice([one for one in cases if one not in losers])
            loser.status, loser.merged_into = 3, winner
        Case.objects.bulk_update(losers, ["status", "merged_into"])
        for case in cases:
            _become(chance, case)
        Alert.objects.bulk_create([_alert(chance, at) for at in [*times, *times, *times]])
        one = Alert.objects.first()
        some = Alert.objects.values_list("pk", flat=True)[3:30:4]
        Alert.objects.filter(pk__in=list(some)).update(duplicate_of=one)


def _case(chance: random.Random, at: datetime) -> Case:
    return Case(
        status=chance.choice((0, 1, 2, 2, 2)),
        verdict=chance.choice(VERDICTS),
        title="Suspicious sign-in",
        source=chance.choice(SOURCES),
        severity=chance.choice((0, 1, 2, 3, 3, 4)),
        pillars=chance.randrange(32),
        first_activity_at=at,
        last_activity_at=at,
        opened_at=at,
        changed_at=at,
    )


def _become(chance: random.Random, case: Case) -> None:
    """Touched, closed, opened again, by people, Microsoft or the portal."""
    events, at = [], case.opened_at

    def later() -> datetime:
        nonlocal at
        at += timedelta(minutes=chance.choice((1, 29, 30, 31, 119, 120, 121, 600, 3000)))
        return at

    if chance.random() < 0.7:
        kind, actor = chance.choice((("assigned", 1), ("ticket_noted_in_ticket", None)))
        events.append(CaseEvent(case=case, at=later(), kind=kind, actor_id=actor))
    if case.status == 2:
        if chance.random() < 0.3:
            events.append(CaseEvent(case=case, at=later(), kind="auto_closed"))
            closed_by = chance.choice(("proof", "rule", ""))
            Case.objects.filter(pk=case.pk).update(closed_by=closed_by)
            _decide(chance, case, at)
        else:
            facts = {"before": {"status": 0}, "after": {"status": 2}}
            for _ in range(chance.choice((1, 1, 2))):
                events.append(
                    CaseEvent(case=case, at=later(), kind="resolved", actor_id=1, facts=facts)
                )
    events.append(CaseEvent(case=case, at=case.opened_at, kind="ticket"))  # touches nothing
    CaseEvent.objects.bulk_create(events)


def _decide(chance: random.Random, case: Case, at: datetime) -> None:
    basis = chance.choice(("proof", "proof", "rule", "suppression"))
    outcome = "suppressed" if basis == "suppression" else "closed"
    method = chance.choice(("app", "fido2"))
    facts = {"sign_ins": [{"method": method}, {"method": method}]} if basis == "proof" else {}
    for moment, said in ((at, "would_close"), (at, outcome), (at + timedelta(hours=1), outcome)):
        Decision.objects.create(case=case, outcome=said, basis=basis, priority=10, facts=facts)
        newest = Decision.objects.filter(case=case).latest("pk")
        Decision.objects.filter(pk=newest.pk).update(at=moment)


def _alert(chance: random.Random, at: datetime) -> Alert:
    return Alert(
        provider_id=uuid.uuid4().hex, api="alerts_v2", title="Suspicious sign-in", category="",
        techniques=[], severity=chance.randrange(5), status="new", classification="",
        determination="", service_source=chance.choice(SOURCES), detection_source="", product="",
        detector_id="", incident_id="", pillars=chance.randrange(32), created_at=at, updated_at=at,
        activity_at=at, last_activity_at=at, fingerprint=uuid.uuid4(), ingested_at=at,
    )  # fmt: skip


def set_up(tenant: Tenant) -> None:
    """A score that rose, controls, coverage and a weakness that attackers use."""
    with scope(tenant):
        ControlProfile.objects.bulk_create(
            [
                ControlProfile(name="MFA", title="Require MFA for admins", service="Entra ID",
                               most=10, cost="Low", impact="Low", tier="Core", read_at=MADE_AT),
                ControlProfile(name="Done", title="Done already", most=5, read_at=MADE_AT),
            ]
        )  # fmt: skip
        ScoreDay.objects.bulk_create(
            [
                ScoreDay(day=date(2026, 9, 28) + timedelta(days=number), current=50 + number,
                         most=100, controls={"MFA": [2, 10], "Done": [5, 5]}, read_at=MADE_AT)
                for number in range(36)
            ]
        )  # fmt: skip
        Weakness.objects.bulk_create(
            [
                Weakness(cve=cve, severity=severity, exposed=exposed, generation=1,
                         first_seen_at=MADE_AT, read_at=MADE_AT)
                for cve, severity, exposed in (
                    ("CVE-2026-1", 4, 7), ("CVE-2026-2", 3, 2), ("CVE-2026-4", 2, 1),
                )
            ]
        )  # fmt: skip
    KnownExploited.objects.bulk_create(
        [
            KnownExploited(cve=cve, name=f"Flaw {cve}", added_on=date(2026, 10, 1))
            for cve in ("CVE-2026-1", "CVE-2026-9")
        ]
    )
    feed = PublicFeed.objects.create(kind="news", name="A feed", url="https://news.example/")
    NewsItem.objects.bulk_create(
        [
            NewsItem(feed=feed, key=f"{len(cves)}{at:%Y%m%d%H%M%S}", title=f"News of {at:%d %B}",
                     cves=cves, published_at=at, seen_at=at)
            for at, cves in (
                (OCTOBER.since - INSTANT, ["CVE-2026-1"]), (OCTOBER.since, ["CVE-2026-1"]),
                (OCTOBER.until - INSTANT, ["CVE-2026-2"]), (OCTOBER.until, ["CVE-2026-2"]),
                (OCTOBER.since, []),
            )
        ]
    )  # fmt: skip
    Tenant.objects.filter(pk=tenant.pk).update(
        coverage={"watched": 3, "unwatched": 1}, weaknesses={"total": 3}
    )
    tenant.refresh_from_db()
