"""A whole report: the page that is read first, and its chapters. Pure."""

from __future__ import annotations

from datetime import datetime
from textwrap import shorten

from reports.blocks import Document, Tile, Tiles
from reports.figures import Figures, share
from reports.periods import Period, zone_of
from reports.sections import Pair, sections
from reports.wording import listed, many, number, percent, signed

MOST_TODO = 6
LONGEST_NAME = 120
"""On the first page, which is to stay one."""


def document(
    tenant: str, period: Period, now: Figures, before: Figures | None, made_at: datetime
) -> Document:
    """`made_at`: when the numbers were counted. A period that goes on then is called so."""
    goes_on = made_at <= period.until
    name = f"{period.name}, so far" if goes_on else period.name
    earlier = period.before
    pair = Pair(now, before, _short(period), _short(earlier))
    made = made_at.astimezone(zone_of(period.zone))
    return Document(
        title="Security report",
        tenant=tenant,
        period=name,
        made=f"{made.day} {made:%B %Y, %H:%M} {period.zone}",
        tiles=Tiles(_tiles(pair)),
        brief=tuple(_brief(pair)),
        todo=tuple(_todo(now))[:MOST_TODO],
        sections=sections(pair),
        foot=(
            f"From {_instant(period.since, period)} to before {_instant(period.until, period)} "
            f"({period.zone}), beside {earlier.name}. No name of a person or device is in this "
            "report: such names are kept in your own ticket system only."
        ),
    )


def _short(period: Period) -> str:
    """For the head of a column."""
    if period.is_month:
        return f"{period.first_day:%b %Y}"
    first, last = period.first_day, period.last_day
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day} {first:%b}"  # noqa: RUF001 - from, to
    return f"{first.day} {first:%b} – {last.day} {last:%b}"  # noqa: RUF001 - from, to


def _instant(at: datetime, period: Period) -> str:
    return f"{at.astimezone(zone_of(period.zone)):%Y-%m-%d %H:%M}"


def _tiles(pair: Pair) -> tuple[Tile, ...]:
    now, before = pair.now, pair.before
    automatic, score, coverage, weak = now.automatic, now.score, now.coverage, now.weaknesses
    in_time, ended = share(*now.touched), share(*now.resolved)

    def than(value: str) -> str:
        return f"{value} in {pair.before_name}" if before else ""

    was = before or now
    found = [
        Tile("Cases", number(now.handled.all_cases), than(number(was.handled.all_cases))),
        Tile("Alerts", number(now.handled.all_alerts), than(number(was.handled.all_alerts))),
        Tile("Closed automatically", number(automatic.closed), than(number(was.automatic.closed))),
        Tile("Touched in time", percent(in_time), than(percent(share(*was.touched)))),
        Tile("Resolved in time", percent(ended), than(percent(share(*was.resolved)))),
    ]
    if score is not None and score.last is not None:
        change = f"{signed(score.change)} points" if score.change is not None else ""
        tone = _tone(score.change or 0)
        found.append(Tile("Secure Score", percent(score.last), change, tone))
    if coverage is not None and coverage.percent is not None:
        left = coverage.states.get("unwatched", 0)
        found.append(
            Tile("Azure watched", f"{coverage.percent} %", f"{number(left)} not watched",
                 "" if left else "good")
        )  # fmt: skip
    if weak is not None:
        found.append(
            Tile("Exploited weaknesses", number(weak.all_exploited), "on devices of yours",
                 "bad" if weak.all_exploited else "good")
        )  # fmt: skip
    return tuple(found)


def _tone(change: float) -> str:
    return "good" if change > 0 else "bad" if change < 0 else ""


def _brief(pair: Pair) -> list[str]:
    """What a reader with one minute has to know."""
    now, handled, automatic = pair.now, pair.now.handled, pair.now.automatic
    if not handled.all_alerts and not handled.all_cases:
        found = ["No alert came in, and no case was opened."]
    else:
        high = handled.cases.get("high", 0)
        found = [
            f"{many(handled.all_alerts, 'alert')} came in; "
            f"{many(handled.all_cases, 'case was', 'cases were')} opened, "
            f"{number(high)} of high severity."
        ]
        found.append(_outcome(now))
    if automatic.closed:
        parts = [
            words
            for count, words in (
                (automatic.proof, f"{number(automatic.proof)} proven harmless"),
                (automatic.rule, f"{number(automatic.rule)} by a rule"),
                (automatic.suppressed, f"{number(automatic.suppressed)} suppressed"),
            )
            if count
        ]
        again = number(automatic.reopened) if automatic.reopened else "none"
        found.append(
            f"{many(automatic.closed, 'case was', 'cases were')} closed automatically: "
            f"{listed(parts)}; {again} opened again."
        )
    if (touched := share(*now.touched)) is not None:
        late = now.touched[1]
        words = "all in time" if not late else f"{percent(touched)} in time, {number(late)} late"
        ended = share(*now.resolved)
        more = f"; resolved in time: {percent(ended)}" if ended is not None else ""
        found.append(f"First touches, as promised: {words}{more}.")
    found += _standing(now)
    return found


def _outcome(now: Figures) -> str:
    real = now.handled.verdicts.get("truePositive", 0)
    left = now.handled.still_open
    said = (
        f"{many(real, 'case was a real attack or abuse', 'cases were real attacks or abuse')}"
        if real
        else "No case was found to be a real attack"
    )
    rest = f"{many(left, 'case is', 'cases are')} still open" if left else "None is open any more"
    return f"{said}. {rest}."


def _standing(now: Figures) -> list[str]:
    found = []
    if now.score is not None and now.score.last is not None:
        change = now.score.change
        moved = f" ({signed(change)} percentage points in the period)" if change is not None else ""
        found.append(f"The Secure Score is {percent(now.score.last)}{moved}.")
    if now.coverage is not None and now.coverage.percent is not None:
        left = now.coverage.states.get("unwatched", 0)
        found.append(
            f"{now.coverage.percent} % of the Azure resources that have to be watched are; "
            f"{many(left, 'is', 'are')} not."
        )
    if now.weaknesses is not None:
        count = now.weaknesses.all_exploited
        found.append(
            f"{many(count, 'weakness', 'weaknesses')} that attackers use now "
            f"{'is' if count == 1 else 'are'} on your devices."
            if count
            else "No weakness that attackers use now is known on your devices."
        )
    return found


def _todo(now: Figures) -> list[str]:
    """The most pressing first: what is attacked, what nobody sees, what gains most."""
    found = []
    if now.weaknesses is not None:
        for one in now.weaknesses.exploited[:2]:
            devices = many(one.devices, "device")
            about = f" ({shorten(one.name, LONGEST_NAME)})" if one.name else ""
            found.append(f"Update what {one.cve} is about{about}: {devices} exposed.")
    if now.coverage is not None:
        left = now.coverage.states.get("unwatched", 0)
        if left:
            found.append(
                f"Have {many(left, 'Azure resource')} watched, or say why not: see coverage gaps."
            )
        found += [f"Let us see more. {sentence}" for sentence in now.coverage.blind[:1]]
    if now.score is not None:
        found += [
            f"{shorten(one.title, LONGEST_NAME)} ({signed(one.gain)} % Secure Score)."
            for one in now.score.actions[:3]
        ]
    return found
