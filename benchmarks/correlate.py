"""How well alerts that belong together end in one case, and how many tickets that makes.

Two weeks of the simulator's stories for several customers, with the truth about them; SIMULATION,
not customers. Every alert goes the portal's own way, in pages as polls would bring them, in the
order in which the products report. The baselines group the same alerts.
"""

from __future__ import annotations

import itertools
import random
import statistics
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.correlate import RULES, Rules
from alerts.ingest import store_page
from alerts.models import Alert, Hub
from alerts.prepare import prepare_page
from benchmarks.lab.report import options, progress, show
from simulator.stories.engine import LIVE, STORIES
from simulator.stories.estate import build
from simulator.stories.script import Script
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import scope

SEEDS = tuple(range(20001, 20013))
"""Used here alone: neither by tests nor for choosing the weights (those were 501 to 560)."""
START = datetime(2026, 10, 1, 6, 0, tzinfo=UTC)
DAYS = 14
STORIES_A_DAY = 3
HARD = ("three_products", "issued_again", "long_campaign", "late_bridge")
HUBS = ("office_sign_in", "scanner")
HUBS_A_DAY = 2
POLL = timedelta(minutes=10)

Document = dict[str, Any]
Partition = dict[str, object]
"""Alert id -> what stands for its group."""


@dataclass(frozen=True, slots=True)
class Fortnight:
    """Alerts in the order of their reports, with their later changes; and the truth by id."""

    reports: list[tuple[datetime, Document]]
    truth: dict[str, Document]


def main() -> None:
    arguments = options(__doc__)
    seeds = SEEDS[:4] if arguments.quick else SEEDS
    scores: defaultdict[str, list[Score]] = defaultdict(list)
    for seed in seeds:
        progress(f"seed {seed}")
        fortnight = tell(seed)
        alerts = last_versions(fortnight)
        for name, baseline in BASELINES.items():
            scores[name].append(score(baseline(alerts), fortnight.truth))
        found, duplicates = ours(fortnight, f"seed-{seed}")
        scores["ours"].append(score(found, fortnight.truth, duplicates))
    _report(scores, as_json=arguments.json)


# --- the alerts -----------------------------------------------------------------------------------


def tell(seed: int, days: int = DAYS) -> Fortnight:
    """Two weeks of one customer: everyday stories, attacks, hard ones, and hubs on every day."""
    rng = random.Random(f"fortnight-{seed}")
    estate = build(str(uuid.UUID(int=seed)), f"c{seed}", f"c{seed}.example", seed % 100, seed)
    numbers, incidents = itertools.count(1), itertools.count(100)
    steps, truth = [], {}
    names = [name for name in LIVE if name not in HUBS and name != "everyday"]
    for day in range(days):
        told = [rng.choice(names) for _ in range(STORIES_A_DAY)]
        told += [rng.choice(HARD)] if day % 2 else []
        told += [name for name in HUBS for _ in range(HUBS_A_DAY)]
        for name in told:
            start = START + timedelta(days=day, minutes=rng.uniform(0, 12 * 60))
            story = f"{seed}-{next(numbers)}"
            script = Script(
                name, story, estate, random.Random(f"{story}-{name}"), start, 1.0,
                lambda: next(incidents),
            )  # fmt: skip
            STORIES[name](script)
            steps += [step for step in script.steps if step.kind in ("alert", "change")]
            truth.update(script.truth)
    steps.sort(key=lambda step: (step.due, step.body["id"]))
    known: dict[str, Document] = {}
    reports = []
    for step in steps:
        known[step.body["id"]] = {**known.get(step.body["id"], {}), **step.body}
        reports.append((step.due, known[step.body["id"]]))
    return Fortnight(reports, truth)


def last_versions(fortnight: Fortnight) -> list[Document]:
    return list({document["id"]: document for _, document in fortnight.reports}.values())


def polls(fortnight: Fortnight) -> Iterable[list[Document]]:
    for _, due in itertools.groupby(fortnight.reports, key=lambda row: (row[0] - START) // POLL):
        yield [document for _, document in due]


# --- ways of grouping -----------------------------------------------------------------------------


def ours(fortnight: Fortnight, slug: str, rules: Rules = RULES) -> tuple[Partition, dict[str, str]]:
    """Case of each alert, and which alert repeats which."""
    tenant = create_tenant(NewTenant(slug, slug, uuid.uuid4(), uuid.uuid4(), "csc-app-credential"))
    pseudonymiser = Pseudonymiser([("1", derive_key(b"benchmark" * 4, tenant.public_id))])
    with scope(tenant):
        for page in polls(fortnight):
            prepared = prepare_page(page, pseudonymiser)
            store_page(tenant.pk, prepared, pseudonymiser.version, rules)
        _say_hubs(tenant)
        rows = Alert.objects.values_list("provider_id", "case_id", "duplicate_of__provider_id")
        found = list(rows)
    return (
        {key: case for key, case, _ in found},
        {key: first for key, _, first in found if first is not None},
    )


def _say_hubs(tenant: Tenant) -> None:
    progress(f"{tenant.slug}: {Hub.objects.filter(is_hub=True).count()} hubs learned")


def no_grouping(alerts: list[Document]) -> Partition:
    return {alert["id"]: alert["id"] for alert in alerts}


def by_incident(alerts: list[Document]) -> Partition:
    return {alert["id"]: alert["incidentId"] or alert["id"] for alert in alerts}


def same_user(alerts: list[Document], within: timedelta = timedelta(hours=1)) -> Partition:
    """Chains of alerts that name the same account, each within an hour of the one before."""
    parent = {alert["id"]: alert["id"] for alert in alerts}

    def root(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    last: dict[str, tuple[str, str]] = {}
    for alert in sorted(alerts, key=lambda alert: alert["firstActivityDateTime"]):
        at = alert["firstActivityDateTime"]
        for account in accounts(alert["evidence"]):
            if account in last:
                before, key = last[account]
                if datetime.fromisoformat(at[:19]) - datetime.fromisoformat(before[:19]) <= within:
                    parent[root(alert["id"])] = root(key)
            last[account] = (at, alert["id"])
    return {key: root(key) for key in parent}


def accounts(value: object) -> set[str]:
    """Every account's object id or name anywhere in the evidence."""
    if isinstance(value, list):
        return {found for item in value for found in accounts(item)}
    if not isinstance(value, dict):
        return set()
    found = {name for item in value.values() for name in accounts(item)}
    if name := value.get("azureAdUserId") or value.get("userPrincipalName"):
        found.add(str(name))
    return found


BASELINES: dict[str, Callable[[list[Document]], Partition]] = {
    "no grouping": no_grouping,
    "Microsoft's incident id": by_incident,
    "same user in 1 h": same_user,
}


# --- scores ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """Pairs of alerts: put together, belonging together, both. `repeated`: alerts that tell an
    event again; `marked`: as such."""

    together: int
    belonging: int
    right: int
    tickets: int
    events: int
    matters: int
    marked: int
    repeated: int
    rightly_marked: int


def score(
    found: Partition, truth: Mapping[str, Document], duplicates: Mapping[str, str] | None = None
) -> Score:
    duplicates = duplicates or {}
    cells: defaultdict[tuple[object, str], int] = defaultdict(int)
    groups: defaultdict[object, int] = defaultdict(int)
    matters: defaultdict[str, int] = defaultdict(int)
    events: defaultdict[str, int] = defaultdict(int)
    for key, group in found.items():
        matter = truth[key]["matter"]
        cells[group, matter] += 1
        groups[group] += 1
        matters[matter] += 1
        events[truth[key]["event"]] += 1
    return Score(
        together=_pairs(groups.values()),
        belonging=_pairs(matters.values()),
        right=_pairs(cells.values()),
        tickets=len(groups),
        events=len(events),
        matters=len(matters),
        marked=len(duplicates),
        repeated=sum(count - 1 for count in events.values()),
        rightly_marked=sum(
            truth[later]["event"] == truth[first]["event"] for later, first in duplicates.items()
        ),
    )


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)


def totals(scores: list[Score]) -> Document:
    """Over all customers: precision, recall, tickets an event."""
    total = {name: sum(getattr(one, name) for one in scores) for name in Score.__slots__}
    precision = total["right"] / total["together"] if total["together"] else 1.0
    recall = total["right"] / total["belonging"]
    return {
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f1": round(2 * precision * recall / (precision + recall or 1), 3),
        "tickets_per_event": round(total["tickets"] / total["events"], 3),
        "tickets_per_story": round(total["tickets"] / total["matters"], 3),
        "overlap_precision": round(total["rightly_marked"] / (total["marked"] or 1), 3),
        "overlap_recall": round(total["rightly_marked"] / (total["repeated"] or 1), 3),
    }


def _report(scores: Mapping[str, list[Score]], *, as_json: bool) -> None:
    rows = []
    for name, found in scores.items():
        each = [totals([one])["f1"] for one in found]
        rows.append(
            {"grouping": name, **totals(found), "f1 of a customer": statistics.median(each)}
        )
    mine = totals(scores["ours"])
    result: Document = {name: mine[name] for name in KEYS}
    for name, short in (
        ("no grouping", "none"), ("Microsoft's incident id", "incident"),
        ("same user in 1 h", "user"),
    ):  # fmt: skip
        theirs = totals(scores[name])
        result |= {f"{key}_{short}": theirs[key] for key in KEYS[:3]}
    show([result], [rows], NOTES, as_json=as_json)


KEYS = ("precision", "recall", "tickets_per_event", "overlap_precision", "overlap_recall")
NOTES = """\
Simulation: two weeks of each of the customers, stories with known truth. Precision and recall are
over pairs of alerts. An event is what happened once, whoever reports it; a story is what an analyst
would want in one case. overlap: alerts marked as reports of an event that was reported already.
Without grouping nothing is put together, so that its precision is 1 by definition."""


if __name__ == "__main__":
    main()
