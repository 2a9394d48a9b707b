"""Correlation without a database: pages of prepared alerts in, which alert is in which case out.

The pure core is the portal's own; hubs are learned page by page as `alerts.hubs` does. Left out is
what needs people or time: closed cases, cases that are full, what was parted by hand.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.correlate import (
    INSIDE_ADDRESS,
    NEED_TIES,
    RULES,
    Member,
    Rules,
    incident_links,
    links_of,
    pairs_of,
)
from alerts.grouping import Groups
from alerts.hubs import FEWEST, LOOK_BACK, Frequency, is_hub
from alerts.neighbours import MINOR
from alerts.overlap import PLACE_KINDS, Classifier, Report
from alerts.overlap_defaults import DEFAULTS
from alerts.prepare import INSIDE, AlertRow, EntityRow
from alerts.records import Kind
from alerts.stages import phase_of

Pages = Sequence[Sequence[AlertRow]]
WORTH_A_LOOK = 1.3
"""Times as many alerts as at the last look."""


def cases_of(pages: Pages, rules: Rules = RULES) -> dict[str, object]:
    """Alert id -> what stands for its case."""
    known = _Known(rules, _numbers(pages))
    for page in pages:
        known.take(page)
    return {provider_id: known.groups.root(key) for provider_id, key in known.keys.items()}


def _numbers(pages: Pages) -> dict[uuid.UUID, int]:
    """Any pseudonym of a thing -> its number."""
    groups: Groups[uuid.UUID] = Groups()
    for entity in (entity for page in pages for row in page for entity in row.entities):
        groups.join(entity.identities)
    sets = enumerate(groups.sets().values(), 1)
    return {pseudonym: number for number, same in sets for pseudonym in same}


@dataclass(slots=True)
class _Known:
    rules: Rules
    numbers: dict[uuid.UUID, int]
    keys: dict[str, int] = field(default_factory=dict)
    groups: Groups[int] = field(default_factory=Groups)
    _classifier: Classifier = field(default_factory=lambda: Classifier(DEFAULTS))
    _rows: dict[int, AlertRow] = field(default_factory=dict)
    _members: dict[int, Member] = field(default_factory=dict)
    _named: defaultdict[int, dict[int, datetime]] = field(default_factory=lambda: defaultdict(dict))
    _hubs: set[int] = field(default_factory=set)
    _looked_at: dict[int, int] = field(default_factory=dict)

    def take(self, page: Sequence[AlertRow]) -> None:
        """What the portal does with a page, as far as it puts alerts together."""
        new = []
        for row in page:
            key = self.keys.setdefault(row.provider_id, len(self.keys) + 1)
            self._rows[key] = row
            for entity in row.entities:
                self._named[self._number(entity)][key] = row.activity_at
            new.append(key)
        moved = self._learn_hubs(page)
        for key in {*new, *moved}:
            self._members[key] = self._member(key)
        self._join([self._members[key] for key in dict.fromkeys(new)])

    def _join(self, new: list[Member]) -> None:
        earliest, latest = (pick(one.at for one in new) for pick in (min, max))
        reach = self.rules.reach
        near = {
            key: one
            for key, one in self._members.items()
            if earliest - reach <= one.at <= latest + reach
        }
        links = links_of(
            pairs_of(new, near, self.rules), near, self._classifier.classes, self.rules
        )
        incidents = {one.incident for one in new if one.incident}
        links += incident_links(one for one in self._members.values() if one.incident in incidents)
        for one in new:
            self.groups.join((one.key,))
        for link in links:
            self.groups.join((link.a, link.b))

    def _number(self, entity: EntityRow) -> int:
        return self.numbers[entity.identities[0]]

    def _tying(self, row: AlertRow) -> Iterable[EntityRow]:
        for entity in row.entities:
            if entity.kind in self.rules.weights and (entity.ties or entity.kind not in NEED_TIES):
                yield entity

    def _learn_hubs(self, page: Sequence[AlertRow]) -> set[int]:
        """The keys of alerts that name what has become a hub, or is none any more."""
        since = max(row.activity_at for row in page) - LOOK_BACK
        kinds = {self._number(one): one.kind for row in page for one in self._tying(row)}
        moved: set[int] = set()
        for number, kind in kinds.items():
            keys = [key for key, at in self._named[number].items() if at > since]
            if len(keys) < max(FEWEST, WORTH_A_LOOK * self._looked_at.get(number, 0)):
                continue
            self._looked_at[number] = len(keys)
            beside = {
                self._number(one)
                for key in keys
                for one in self._rows[key].entities
                if one.ties and one.kind in ("user", "device")
            }
            days = {self._named[number][key].date() for key in keys}
            volume = sum(row.updated_at > since for row in self._rows.values())
            named = Frequency(len(keys), len(days), len(beside - {number}))
            if is_hub(kind, named, volume, NEED_TIES) != (number in self._hubs):
                self._hubs ^= {number}
                moved |= self._named[number].keys()
        return moved

    def _member(self, key: int) -> Member:
        row = self._rows[key]
        numbers = {self._number(one): one.kind for one in row.entities}
        report = self._report(key, row, numbers)
        ties = {
            self._number(one): INSIDE_ADDRESS if INSIDE in one.roles.split(",") else one.kind
            for one in self._tying(row)
            if self._number(one) not in self._hubs
        }
        addresses, devices = (
            frozenset(number for number, kind in numbers.items() if kind == wanted)
            for wanted in (Kind.IP, Kind.DEVICE)
        )
        return Member(
            key, row.activity_at, row.incident_id, ties, phase_of(str(row.columns["category"])),
            addresses, devices, row.columns["severity"] in MINOR, report,
        )  # fmt: skip

    def _report(self, key: int, row: AlertRow, numbers: dict[int, str]) -> Report:
        source, detection_source, detector, title = (
            str(row.columns[name])
            for name in ("service_source", "detection_source", "detector_id", "title")
        )
        created_at, severity = row.columns["created_at"], row.columns["severity"]
        assert isinstance(created_at, datetime)
        assert isinstance(severity, int)
        return Report(
            key, row.provider_id, source, detector, title, created_at, severity,
            self._classifier.classes_of(source, detection_source, detector, title),
            frozenset(numbers),
            frozenset(number for number, kind in numbers.items() if kind in PLACE_KINDS),
        )  # fmt: skip
