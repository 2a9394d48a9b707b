"""The chapters of a report, made of its numbers. Pure: the same numbers give the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reports.blocks import Block, Columns, Curve, Lines, Section, Table, Text, bars
from reports.figures import Figures, ScoreTrend, Times, share
from reports.wording import (
    METHODS,
    NONE,
    PILLARS,
    SEVERITIES,
    STATES,
    VERDICTS,
    by_size,
    many,
    minutes,
    number,
    percent,
    product,
    signed,
)

MOST_PRODUCTS = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """The period's numbers and those that they are compared with; None: nobody knows them."""

    now: Figures
    before: Figures | None
    now_name: str
    before_name: str

    def was(self, of: Callable[[Figures], int]) -> str:
        return NONE if self.before is None else number(of(self.before))


def sections(pair: Pair) -> tuple[Section, ...]:
    """Those that there is something to say about."""
    makers = (_handled, _automatic, _times, _score, _coverage, _weaknesses, _news)
    return tuple(made for maker in makers if (made := maker(pair)) is not None)


def _compared(
    pair: Pair,
    caption: str,
    names: Mapping[str, str],
    of: Callable[[Figures], Mapping[str, int] | None],
) -> Table:
    """A line a name, this period beside the other; names without any number are left out.

    `of`: None where it is not known, which is not the same as nothing.
    """
    now = of(pair.now) or {}
    before = of(pair.before) if pair.before else None
    rows = tuple(
        (
            said,
            number(now.get(name, 0)),
            NONE if before is None else number(before.get(name, 0)),
        )
        for name, said in names.items()
        if now.get(name) or (before or {}).get(name)
    )
    return Table(caption, ("", pair.now_name, pair.before_name), rows)


def _handled(pair: Pair) -> Section:
    handled = pair.now.handled
    blocks: list[Block] = [
        Table(
            "Cases and alerts by severity",
            ("Severity", "Cases", f"Cases, {pair.before_name}", "Alerts",
             f"Alerts, {pair.before_name}"),
            tuple(_severity_row(pair, name) for name in _severities(pair)),
        ),
        _compared(pair, "Cases by what they touch", PILLARS, lambda one: one.handled.case_pillars),
        _compared(pair, "Cases by how they ended", _ends(), _endings),
    ]  # fmt: skip
    if products := _top(handled.alert_products):
        told = [(product(name), n, many(n, "alert")) for name, n in products]
        blocks.append(bars("Alerts by product", told))
    if len(handled.days) > 1:
        blocks.append(_by_day(handled.days))
    blocks.append(
        Text(
            "A case is what belongs together: alerts about the same event, people or machines. It "
            "may touch several links of the chain and counts in each. "
            + (
                f"{many(handled.repeated, 'alert')} reported what another product had reported "
                "already; they joined its case."
                if handled.repeated
                else ""
            )
        )
    )
    return Section("handled", "What was handled", tuple(blocks))


def _severities(pair: Pair) -> list[str]:
    both = [one.handled for one in (pair.now, pair.before) if one is not None]
    known = {name for one in both for counts in (one.cases, one.alerts) for name in counts}
    return [name for name in SEVERITIES if name in known or name in SEVERITIES[:3]]


def _severity_row(pair: Pair, name: str) -> tuple[str, ...]:
    handled = pair.now.handled
    return (
        name.capitalize(),
        number(handled.cases.get(name, 0)),
        pair.was(lambda one: one.handled.cases.get(name, 0)),
        number(handled.alerts.get(name, 0)),
        pair.was(lambda one: one.handled.alerts.get(name, 0)),
    )


def _ends() -> dict[str, str]:
    return {**VERDICTS, "open": "Still open"}


def _endings(one: Figures) -> dict[str, int]:
    return {**one.handled.verdicts, "open": one.handled.still_open}


def _top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return by_size(counts)[:MOST_PRODUCTS]


def _by_day(days: Mapping[str, int]) -> Columns:
    ordered = sorted(days)
    highest = max(days.values())
    busiest = next(day for day in ordered if days[day] == highest)
    return Columns(
        "Alerts by day",
        tuple(round(100 * days[day] / (highest or 1), 2) for day in ordered),
        ordered[0],
        ordered[-1],
        f"Most on {busiest}: {number(highest)}. "
        f"{number(round(sum(days.values()) / len(days)))} a day on average.",
    )


def _automatic(pair: Pair) -> Section:
    now = pair.now.automatic
    rows: list[tuple[str, Callable[[Figures], int]]] = [
        ("Proven harmless", lambda one: one.automatic.proof),
        ("Closed by a rule", lambda one: one.automatic.rule),
        ("Suppressed: a known detection, for a limited time", lambda one: one.automatic.suppressed),
        ("Opened again since", lambda one: one.automatic.reopened),
    ]
    if now.would_close or (pair.before and pair.before.automatic.would_close):
        rows.append(("Only noted: would have been closed", lambda one: one.automatic.would_close))
    blocks: list[Block] = [
        Table(
            "Cases that were closed automatically",
            ("", pair.now_name, pair.before_name),
            tuple((said, number(of(pair.now)), pair.was(of)) for said, of in rows),
        )
    ]
    if now.methods:
        told = [(METHODS.get(name, name), n, many(n, "case")) for name, n in by_size(now.methods)]
        blocks.append(bars("What proved them harmless", told))
    blocks.append(
        Text(
            "Proven harmless means: the very sign-in that the alert is about was found in "
            "Microsoft's log, it succeeded, and multi-factor authentication was done in it by the "
            "method above. A token that only claims it is no proof. Nothing is closed so for VIPs, "
            "after a risky change in the directory, or where the log could not be read. Every "
            "decision is kept with its reasons, and is opened again if something speaks against it."
        )
    )
    return Section("automatic", "What was closed automatically, and why", tuple(blocks))


def _times(pair: Pair) -> Section:
    times = [one for one in pair.now.times if one.cases or one.severity in SEVERITIES[:3]]
    touch = tuple(
        _time_row(one, one.touch_minutes, one.touched_in_time, one.touched_late, one.touch_median)
        for one in times
    )
    ends = tuple(
        _time_row(
            one, one.resolve_minutes, one.resolved_in_time, one.resolved_late, one.resolve_median
        )
        for one in times
    )
    head = ("Severity", "Promised", "Cases", "In time", "Late", "Share", "Median")
    blocks: tuple[Block, ...] = (
        Table("First touch", head, touch),
        Table("Resolved", head, ends),
        Lines(
            (
                "Counted for the cases that were opened in the period, from the opening of the "
                "case.",
                "First touch: the first thing that anybody did with the case, here, in the ticket "
                "system or at Microsoft; or that it was closed automatically.",
                "Resolved: the last time that the case was closed. A case that was opened again "
                "counts until it is closed for good.",
                "Share = in time / (in time + late). Late are also cases that still wait although "
                "the promised time is over. Cases whose time still runs, and those without a "
                "promise, count in neither.",
                "Median: half of the cases were quicker.",
            )
        ),
    )
    return Section("times", "Times against what was promised", blocks)


def _time_row(
    one: Times, promised: int | None, in_time: int, late: int, median: float | None
) -> tuple[str, ...]:
    return (
        one.severity.capitalize(),
        minutes(promised) if promised is not None else "no promise",
        number(one.cases),
        NONE if promised is None else number(in_time),
        NONE if promised is None else number(late),
        percent(share(in_time, late)) if promised is not None else NONE,
        minutes(median),
    )


def _score(pair: Pair) -> Section | None:
    score = pair.now.score
    if score is None:
        return None
    blocks: list[Block] = []
    if len(score.days) > 1:
        blocks.append(curve(score))
    if score.last is not None:
        told = f"{percent(score.last)} of what can be reached"
        if score.change is not None:
            told += f", {signed(score.change)} percentage points in the period"
        blocks.append(Text(f"At the end of the period: {told}."))
    if score.actions:
        blocks.append(
            Table(
                f"Next best actions, of {number(score.open)} open ones",
                ("Action", "Product", "Cost", "User impact", "Points", "Gain"),
                tuple(
                    (one.title, one.service or NONE, one.cost or NONE, one.impact or NONE,
                     f"{one.points:g}", f"{signed(one.gain)} %")
                    for one in score.actions
                ),
                words=4,
            )
        )  # fmt: skip
        blocks.append(
            Text(
                "Microsoft's Secure Score, read daily. First comes what gains most for its effort "
                "(points by cost, user impact and tier). What was decided against is left out."
            )
        )
    return Section("score", "Secure Score and next best actions", tuple(blocks)) if blocks else None


def curve(score: ScoreTrend) -> Curve:
    """Edges at whole tens around the values."""
    days = sorted(score.days)
    values = [score.days[day] for day in days]
    low = max(0, int(min(values) // 10 * 10))
    high = max(low + 10, min(100, int(-(-max(values) // 10) * 10)))
    points = tuple(
        (round(100 * place / (len(days) - 1), 2), round(100 * (value - low) / (high - low), 2))
        for place, value in enumerate(values)
    )
    return Curve(
        "Secure Score by day",
        points,
        f"{low} %",
        f"{high} %",
        days[0],
        days[-1],
        f"From {percent(values[0])} to {percent(values[-1])}.",
    )


def _coverage(pair: Pair) -> Section | None:
    coverage = pair.now.coverage
    if coverage is None:
        return None
    blocks: list[Block] = []
    if any(coverage.states.values()):
        blocks.append(
            _compared(
                pair, "Azure resources", STATES,
                lambda one: one.coverage.states if one.coverage else None,
            )
        )  # fmt: skip
    if coverage.kinds:
        told = [(kind, n, many(n, "resource")) for kind, n in by_size(coverage.kinds)]
        blocks.append(bars("Kinds of Azure resources that nobody watches", told))
    if coverage.blind:
        blocks.append(Lines(coverage.blind))
    if blocks:
        blocks.append(Text("Coverage is that of the moment at which this report was made."))
    return Section("coverage", "Coverage gaps", tuple(blocks)) if blocks else None


def _weaknesses(pair: Pair) -> Section | None:
    weak = pair.now.weaknesses
    if weak is None:
        return None
    names = {name: name.capitalize() for name in ("critical", *SEVERITIES)}
    blocks: list[Block] = [
        _compared(
            pair, "Weaknesses of devices by severity", names,
            lambda one: one.weaknesses.counts if one.weaknesses else None,
        )
    ]  # fmt: skip
    if weak.exploited:
        shown = len(weak.exploited)
        more = f", the worst {shown} of {number(weak.all_exploited)}"
        blocks.append(
            Table(
                "Exploited by attackers now, and there"
                + (more if weak.all_exploited > shown else ""),
                ("Weakness", "What it is", "Severity", "Listed", "Devices"),
                tuple(
                    (one.cve, one.name + (" (ransomware)" if one.by_ransomware else ""),
                     one.severity.capitalize(), one.listed, number(one.devices))
                    for one in weak.exploited
                ),
                words=4,
                wide=1,
            )
        )  # fmt: skip
    else:
        blocks.append(Text("None of them is on CISA's list of weaknesses that attackers use."))
    blocks.append(
        Text(
            "From Defender Vulnerability Management and CISA's list of known exploited "
            "vulnerabilities, as they were when this report was made."
        )
    )
    return Section("weaknesses", "Weaknesses that attackers use", tuple(blocks))


def _news(pair: Pair) -> Section | None:
    if not pair.now.news:
        return None
    rows = tuple((one.day, one.title, one.source, one.about) for one in pair.now.news)
    table = Table("", ("Day", "News", "From", "About"), rows, words=4, wide=1)
    return Section("news", "News that matters here", (table,))
