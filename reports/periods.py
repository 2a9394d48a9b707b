"""Which time a report is about: [since, until), in days and months of a time zone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LONGEST = timedelta(days=366)
FIRST_YEAR = 2015
HOUR = 6
"""Of the chosen day, at which monthly reports are begun; each tenant some minutes later."""
SPREAD_S = 3 * 3600
SENDING = {"none": "Nobody: it is here", "link": "A link", "ticket": "A ticket with a link"}


class BadPeriod(ValueError):
    """The message says what to choose instead."""


def zone_of(name: object) -> ZoneInfo:
    """UTC for no name, and for one that this machine does not know."""
    try:
        return ZoneInfo(str(name or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Period:
    """`until` does not belong to it. Both are instants; the zone says which days they bound."""

    since: datetime
    until: datetime
    zone: str = "UTC"

    @property
    def first_day(self) -> date:
        return self.since.astimezone(zone_of(self.zone)).date()

    @property
    def last_day(self) -> date:
        """The last one of which something belongs to it."""
        return (self.until - timedelta(microseconds=1)).astimezone(zone_of(self.zone)).date()

    @property
    def is_month(self) -> bool:
        return self == month_of(self.first_day, self.zone)

    @property
    def before(self) -> Period:
        """What it is compared with: of a month, or of its beginning, as much of the month before;
        else as many days right before it.
        """
        whole = month_of(self.first_day, self.zone)
        if whole.since == self.since and self.until <= whole.until:
            earlier = month_of(self.first_day - timedelta(days=1), self.zone)
            is_whole = self.until == whole.until
            end = earlier.until if is_whole else earlier.since + (self.until - self.since)
            return Period(earlier.since, min(end, earlier.until), self.zone)
        days = (self.last_day - self.first_day).days + 1
        return Period(_midnight(self.first_day - timedelta(days=days), self.zone),
                      self.since, self.zone)  # fmt: skip

    @property
    def name(self) -> str:
        """ "October 2026", or "3 to 9 October 2026"."""
        first, last = self.first_day, self.last_day
        if self.is_month:
            return f"{first:%B %Y}"
        if first == last:
            return _day(first)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day} to {_day(last)}"
        if first.year == last.year:
            return f"{first.day} {first:%B} to {_day(last)}"
        return f"{_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _midnight(day: date, zone: str) -> datetime:
    """The first instant of a day. Where clocks are put forward at midnight, that is later."""
    return datetime.combine(day, time(), zone_of(zone)).astimezone(UTC)


def month_of(day: date, zone: str) -> Period:
    """The whole month that the day lies in."""
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(_midnight(first, zone), _midnight(following, zone), zone)


def last_month(now: datetime, zone: str) -> Period:
    """The newest month that is over."""
    return month_of(now.astimezone(zone_of(zone)).date().replace(day=1) - timedelta(days=1), zone)


def this_month(now: datetime, zone: str) -> Period:
    """The month that is going on, up to now."""
    whole = month_of(now.astimezone(zone_of(zone)).date(), zone)
    return Period(whole.since, max(now, whole.since + timedelta(microseconds=1)), zone)


def days_between(first: date, last: date, zone: str, now: datetime) -> Period:
    """Whole days, both included. Raises BadPeriod; what is not over yet has no report."""
    if first > last:
        raise BadPeriod("The first day lies after the last.")
    if first.year < FIRST_YEAR or last.year > now.year + 1:
        raise BadPeriod("Choose days that are over.")
    period = Period(_midnight(first, zone), _midnight(last + timedelta(days=1), zone), zone)
    if period.until > now:
        raise BadPeriod("Choose days that are over: a report does not change any more.")
    if last - first >= LONGEST:
        raise BadPeriod(f"Choose {LONGEST.days} days at most.")
    return period


@dataclass(frozen=True, slots=True)
class Plan:
    """When a tenant's monthly report is made, by what clock, and who gets it.

    `day`: of the month, 1 to 28; 0: no monthly report. `send`: a key of SENDING. `link_days`: how
    long a link opens it.
    """

    day: int = 2
    zone: str = "UTC"
    send: str = "none"
    link_days: int = 30

    @classmethod
    def of(cls, stored: Mapping[str, object]) -> Plan:
        """What is not said, or makes no sense, is the default."""
        usual = cls()
        day, send, link_days = (stored.get(name) for name in ("day", "send", "link_days"))
        return cls(
            day if isinstance(day, int) and 0 <= day <= 28 else usual.day,
            zone_of(stored.get("zone")).key,
            send if isinstance(send, str) and send in SENDING else usual.send,
            link_days if isinstance(link_days, int) and 1 <= link_days <= 365 else usual.link_days,
        )

    def next_at(self, now: datetime, phase: int) -> datetime | None:
        """The next turn after now; None if there is none. `phase`: any number, a tenant's own."""
        return next((at for at in self._turns(now, phase) if at > now), None)

    def last_at(self, now: datetime, phase: int) -> datetime | None:
        """The newest turn that has come; None if there is none."""
        return next((at for at in reversed(self._turns(now, phase)) if at <= now), None)

    def _turns(self, now: datetime, phase: int) -> list[datetime]:
        """Of the last, this and the next month; none if there is no monthly report."""
        if self.day == 0:
            return []
        zone = zone_of(self.zone)
        this = now.astimezone(zone).date().replace(day=1)
        months = (
            (this - timedelta(days=1)).replace(day=1), this,
            (this + timedelta(days=32)).replace(day=1),
        )  # fmt: skip
        later = timedelta(seconds=phase % SPREAD_S)
        return [
            datetime.combine(month.replace(day=self.day), time(HOUR), zone).astimezone(UTC) + later
            for month in months
        ]
