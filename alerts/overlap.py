"""When two alerts report one and the same thing. Pure; the classes are data that admins edit.

Three ways: two products whose detections are of one class (`OverlapClass`) see the same person or
thing at about the same time; one product issues an alert again under a new id; one alert comes
under two ids that differ in their product's prefix only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from alerts.records import Kind

STRONG_KINDS = tuple(
    str(kind)
    for kind in (
        Kind.USER, Kind.DEVICE, Kind.MAILBOX, Kind.OAUTH_APP, Kind.SERVICE_PRINCIPAL,
        Kind.CLOUD_RESOURCE, Kind.MAIL,
    )
)  # fmt: skip
PLACE_KINDS = frozenset(map(str, (Kind.IP, Kind.LOGON_REQUEST, Kind.LOGON_SESSION)))
"""Kinds that say from where or in which session something was done."""
REISSUED_WITHIN = timedelta(minutes=30)
_MOST_MEMBERS, _MOST_NAMES, _LONGEST_NAME, _MOST_STARS = 20, 60, 120, 3
_LONGEST_WINDOW_MIN = 24 * 60
_PREFIXED = re.compile(r"[a-z]{2}(?=[0-9a-f-]{16,}(_\d+)?$)", re.IGNORECASE)


class BadClass(ValueError):
    """A class that can't be; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Detections of some products. `names` fit a title or detector id; `*` stands for anything."""

    sources: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OverlapClass:
    """Detections of several products that tell of the same happening.

    `ties`: kinds of entity of which one must be shared. `same_place`: if both alerts name an
    address, sign-in or session, one of these must be shared as well.
    """

    name: str
    label: str
    window_min: int
    ties: tuple[str, ...]
    members: tuple[Detections, ...]
    same_place: bool = False
    is_active: bool = True

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.window_min)


@dataclass(frozen=True, slots=True)
class Report:
    """What an alert tells about its happening. `names`: all of its entities; `places`: of these
    the addresses, sign-ins and sessions. `classes`: names of the classes that it is in."""

    key: int
    provider_id: str
    source: str
    detector: str
    title: str
    created_at: datetime
    severity: int
    classes: frozenset[str] = frozenset()
    names: frozenset[int] = frozenset()
    places: frozenset[int] = frozenset()

    @property
    def order(self) -> tuple[datetime, str]:
        """Of two reports the one that was made first is the one that counts."""
        return (self.created_at, self.provider_id)


@dataclass(frozen=True, slots=True)
class Match:
    """`first` and `later`: keys of the reports. `how`: class (`name`), reissued or same_id.

    `is_certain`: the very same sign-in, session or address, or the same entities altogether.
    `is_worse`: the later report is more severe.
    """

    first: int
    later: int
    how: str
    name: str
    sources: tuple[str, str]
    is_certain: bool
    is_worse: bool


def match(
    one: Report,
    other: Report,
    gap: timedelta,
    shared_kinds: frozenset[str],
    classes: Mapping[str, OverlapClass],
) -> Match | None:
    """Whether the later report adds nothing. `shared_kinds`: of the entities that both name."""
    first, later = (one, other) if one.order <= other.order else (other, one)

    def told(how: str, name: str = "", *, is_certain: bool = True) -> Match:
        is_worse = later.severity > first.severity
        sources = (first.source, later.source)
        return Match(first.key, later.key, how, name, sources, is_certain, is_worse)

    if _bare_id(first.provider_id) == _bare_id(later.provider_id):
        return told("same_id")
    if first.source == later.source:
        return told("reissued") if _is_reissued(first, later, gap) else None
    for name in sorted(first.classes & later.classes):
        kind = classes[name]
        if gap > kind.window or shared_kinds.isdisjoint(kind.ties):
            continue
        apart = first.places and later.places and first.places.isdisjoint(later.places)
        if kind.same_place and apart:
            continue
        return told("class", name, is_certain=not shared_kinds.isdisjoint(PLACE_KINDS))
    return None


def _bare_id(provider_id: str) -> str:
    """Without the two letters that stand for the product: `da...` and `ca...` can be one alert."""
    return _PREFIXED.sub("", provider_id, count=1)


def _is_reissued(first: Report, later: Report, gap: timedelta) -> bool:
    same = (first.detector, first.title) == (later.detector, later.title)
    return same and bool(first.names) and first.names == later.names and gap <= REISSUED_WITHIN


# --- which classes a detection is in --------------------------------------------------------------


def squeezed(text: str) -> str:
    """Letters, digits and stars alone: `Unfamiliar sign-in properties` -> unfamiliarsignin..."""
    return "".join(sign for sign in text.casefold() if sign.isalnum() or sign == "*")


class Classifier:
    """Finds the classes of detections, and remembers: a tenant has few sorts of alert."""

    def __init__(self, classes: Mapping[str, OverlapClass]) -> None:
        self.classes = {name: kind for name, kind in classes.items() if kind.is_active}
        self._patterns = [
            (kind.name, frozenset(map(str.casefold, group.sources)), _pattern(group.names))
            for kind in self.classes.values()
            for group in kind.members
        ]
        self._known: dict[tuple[str, str, str, str], frozenset[str]] = {}

    def classes_of(
        self, source: str, detection_source: str, detector: str, title: str
    ) -> frozenset[str]:
        key = (source, detection_source, detector, title)
        if key not in self._known:
            if len(self._known) > 5000:
                self._known.clear()
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(
        self, source: str, detection_source: str, detector: str, title: str
    ) -> frozenset[str]:
        sources = {source.casefold(), detection_source.casefold(), "*"}
        texts = (squeezed(title), squeezed(detector))
        return frozenset(
            name
            for name, of_sources, pattern in self._patterns
            if not sources.isdisjoint(of_sources) and any(map(pattern.fullmatch, texts))
        )


@lru_cache(maxsize=512)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    parts = (".*".join(map(re.escape, squeezed(name).split("*"))) for name in names)
    return re.compile("|".join(f"(?:{part})" for part in parts))


# --- reading what people wrote --------------------------------------------------------------------


def read_class(name: str, body: object) -> OverlapClass:
    """The class that a stored or edited document describes. Raises BadClass with a sentence."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", name):
        raise BadClass("A name has 2 to 40 small letters, digits and underscores.")
    if not isinstance(body, dict):
        raise BadClass("A class is an object with label, window_min, ties and members.")
    if strange := sorted(set(body) - _FIELDS):
        raise BadClass(f"There is no field '{str(strange[0])[:40]}' in a class.")
    label = body.get("label")
    if not isinstance(label, str) or not 1 <= len(label.strip()) <= 80:
        raise BadClass("Give the class a label of at most 80 characters.")
    window = body.get("window_min")
    if type(window) is not int or not 1 <= window <= _LONGEST_WINDOW_MIN:
        raise BadClass("The time window is a whole number of minutes, from 1 to 1440.")
    ties = _texts(body.get("ties"), "ties", len(STRONG_KINDS))
    if unknown := [kind for kind in ties if kind not in STRONG_KINDS]:
        raise BadClass(f"'{unknown[0]}' can't tie. Choose of: {', '.join(STRONG_KINDS)}.")
    members = body.get("members")
    if not isinstance(members, list) or not 1 <= len(members) <= _MOST_MEMBERS:
        raise BadClass(f"A class has 1 to {_MOST_MEMBERS} groups of detections.")
    flags = {flag: body.get(flag, default) for flag, default in _FLAGS.items()}
    if wrong := [flag for flag, value in flags.items() if type(value) is not bool]:
        raise BadClass(f"'{wrong[0]}' is true or false.")
    found = tuple(_detections(member) for member in members)
    return OverlapClass(name, label.strip(), window, ties, found, **flags)


_FLAGS = {"same_place": False, "is_active": True}
_FIELDS = {"label", "window_min", "ties", "members", *_FLAGS}


def as_body(kind: OverlapClass) -> dict[str, Any]:
    """The document that `read_class` reads."""
    return {
        "label": kind.label,
        "window_min": kind.window_min,
        "ties": list(kind.ties),
        "same_place": kind.same_place,
        "is_active": kind.is_active,
        "members": [
            {"sources": list(group.sources), "names": list(group.names)} for group in kind.members
        ],
    }


def _detections(member: object) -> Detections:
    if not isinstance(member, dict) or set(member) != {"sources", "names"}:
        raise BadClass("A group of detections has sources and names.")
    sources = _texts(member["sources"], "sources", _MOST_NAMES)
    names = _texts(member["names"], "names", _MOST_NAMES)
    for name in names:
        if len(squeezed(name).replace("*", "")) < 4:
            raise BadClass(f"'{name}' would fit too much. Write at least four letters.")
        if name.count("*") > _MOST_STARS:
            raise BadClass(f"'{name}' has more than {_MOST_STARS} stars.")
    return Detections(sources, names)


def _texts(value: object, field: str, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise BadClass(f"'{field}' is a list of 1 to {most} texts.")
    for text in value:
        if not isinstance(text, str) or not 1 <= len(text.strip()) <= _LONGEST_NAME:
            raise BadClass(f"Each of '{field}' is a text of 1 to {_LONGEST_NAME} characters.")
    return tuple(text.strip() for text in value)
