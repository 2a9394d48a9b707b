"""Rules as data: conditions on facts, and what follows. Read, checked and evaluated here.

    {"when": {"all": [{"field": "severity", "operator": "at_most", "value": "low"},
                      {"any": [{"field": "vip", "operator": "is", "value": false}]}]},
     "then": {"action": "close", "verdict": "informationalExpectedActivity"}}

The grammar is closed: `all` and `any` of conditions, no negation of groups, so that a fact that is
not known can never help a rule to hold. Problems are sentences that say where and what.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts import verdicts
from alerts.dossier import SEVERITIES, Reason, sentence_of
from alerts.policy_fields import FIELDS, Value

VERDICTS = tuple(verdicts.VERDICTS)
CLOSE, SUPPRESS, SNOOZE = "close", "suppress", "snooze"
RAISE, SET_PRIORITY, TICKET = "raise", "set_priority", "ticket"
ACTIONS: Mapping[str, str] = {
    CLOSE: "close with a verdict",
    SUPPRESS: "suppress: close without a verdict",
    SNOOZE: "snooze for some hours",
    RAISE: "raise the priority",
    SET_PRIORITY: "set the priority",
    TICKET: "require a ticket: never close",
}
OPERATORS: Mapping[str, Mapping[str, str]] = {
    "flag": {"is": "is"},
    "number": {"equals": "is", "at_least": "is at least", "at_most": "is at most"},
    "rank": {"equals": "is", "at_least": "is at least", "at_most": "is at most"},
    "words": {"has": "has one of", "only": "is nothing but", "lacks": "has none of"},
}
"""By kind of fact: operator -> how it reads."""
DEEPEST, MOST_CONDITIONS, MOST_VALUES, LONGEST_VALUE = 3, 30, 50, 300
LONGEST_SNOOZE_H = 24 * 30


class BadRule(ValueError):
    """A definition that is no rule; the message says where and what is wrong."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact compared with a value."""

    field: str
    operator: str
    value: Value

    def holds(self, facts: Mapping[str, Value | None]) -> bool:
        """Never while the fact is not known."""
        known = facts.get(self.field)
        if FIELDS[self.field].kind == "rank" and not known:  # the severity is "unknown"
            return known is not None and self.value == 0
        return known is not None and _compare(self.operator, known, self.value)


@dataclass(frozen=True, slots=True)
class Group:
    """All or any of its parts."""

    is_all: bool
    parts: tuple[Condition | Group, ...]

    def holds(self, facts: Mapping[str, Value | None]) -> bool:
        found = (part.holds(facts) for part in self.parts)
        return all(found) if self.is_all else any(found)


@dataclass(frozen=True, slots=True)
class Then:
    """What follows. `points`: of `raise` and `set_priority`; `hours`: of `snooze`."""

    action: str
    verdict: str = ""
    points: int = 0
    hours: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    when: Group
    then: Then


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in one version. `rank`: 0 of one tenant, 1 of a group, 2 of all tenants."""

    id: uuid.UUID
    version: int
    name: str
    reason: str
    definition: Definition
    rank: int = 2
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds, with its conditions that made it hold, as sentences."""

    rule: Rule
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules want. `ending`: the one that closes, suppresses or snoozes, if any may.

    `tickets`: rules that require a ticket; they win over every ending. `points` is added to the
    priority, unless `priority` sets it.
    """

    ending: Match | None = None
    tickets: tuple[Match, ...] = ()
    points: int = 0
    priority: int | None = None
    changes: tuple[Match, ...] = ()


def evaluate(facts: Mapping[str, Value | None], rules: Iterable[Rule], now: datetime) -> Outcome:
    """What the rules that hold say together. The order of `rules` does not matter.

    The rule for one tenant goes before one for a group, that before one for all; then the one that
    does less goes first (snooze, suppress, close), then the older id: no chance is in it.
    """
    matches = [
        Match(rule, tuple(reasons_of(rule.definition.when, facts)))
        for rule in rules
        if (rule.expires_at is None or rule.expires_at > now) and rule.definition.when.holds(facts)
    ]
    matches.sort(key=lambda match: (match.rule.rank, match.rule.id))
    by_action: dict[str, list[Match]] = {action: [] for action in ACTIONS}
    for match in matches:
        by_action[match.rule.definition.then.action].append(match)
    endings = [match for action in (SNOOZE, SUPPRESS, CLOSE) for match in by_action[action]]
    tickets = tuple(by_action[TICKET])
    sets = by_action[SET_PRIORITY]
    return Outcome(
        ending=min(endings, key=lambda match: match.rule.rank) if endings and not tickets else None,
        tickets=tickets,
        points=sum(match.rule.definition.then.points for match in by_action[RAISE]),
        priority=sets[0].rule.definition.then.points if sets else None,
        changes=(*sets[:1], *by_action[RAISE]),
    )


def reasons_of(group: Group, facts: Mapping[str, Value | None]) -> Iterable[Reason]:
    """The conditions that hold, as sentences."""
    for part in group.parts:
        if isinstance(part, Group):
            yield from reasons_of(part, facts) if part.holds(facts) else ()
        elif part.holds(facts):
            yield Reason(part.field, describe(part))


def describe(condition: Condition) -> str:
    """ "Severity is at most low." """
    field = FIELDS[condition.field]
    value = condition.value
    if isinstance(value, bool):
        text = field.words if value else f"Not so: {field.words}"
        return f"{text[:1].upper()}{text[1:]}."
    if isinstance(value, frozenset):
        shown = sentence_of(sorted(value))
    else:
        shown = SEVERITIES[value] if field.kind == "rank" else str(value)
    words = OPERATORS[field.kind][condition.operator]
    return f"{field.words[:1].upper()}{field.words[1:]} {words} {shown}."


def describe_group(group: Group) -> str:
    """The whole of it in one line, for lists of rules."""
    joint = " and " if group.is_all else " or "
    parts = [
        f"({describe_group(part)})" if isinstance(part, Group) else describe(part).rstrip(".")
        for part in group.parts
    ]
    return joint.join(parts)


def _compare(operator: str, known: Value, value: Value) -> bool:
    if isinstance(known, frozenset) and isinstance(value, frozenset):
        mine = {word.casefold() for word in known}
        theirs = {word.casefold() for word in value}
        if operator == "only":
            return bool(mine) and mine <= theirs
        if operator == "has":
            return bool(mine & theirs)
        return "" not in mine and not mine & theirs
    if isinstance(known, frozenset) or isinstance(value, frozenset):
        return False
    if operator == "at_least":
        return known >= value
    return known <= value if operator == "at_most" else known == value


# --- reading --------------------------------------------------------------------------------------


def read_definition(given: object) -> Definition:
    """A definition from JSON. Raises BadRule."""
    parts = _object(given, "The rule", {"when", "then"}, {"when", "then"})
    counted = [0]
    when = _read_group(parts["when"], "when", 1, counted)
    return Definition(when, _read_then(parts["then"]))


def _read_group(given: object, place: str, depth: int, counted: list[int]) -> Group:
    if depth > DEEPEST:
        raise BadRule(f"'{place}' stands too deep: {DEEPEST} levels are the most.")
    parts = _object(given, f"'{place}'", set(), {"all", "any"})
    if len(parts) != 1:
        raise BadRule(f"'{place}' must hold either 'all' or 'any'.")
    word, items = next(iter(parts.items()))
    if not isinstance(items, list) or not items:
        raise BadRule(f"'{place}.{word}' must be a list with at least one condition.")
    read: list[Condition | Group] = []
    for index, item in enumerate(items):
        here = f"{place}.{word}[{index}]"
        counted[0] += 1
        if counted[0] > MOST_CONDITIONS:
            raise BadRule(f"A rule holds {MOST_CONDITIONS} conditions at most.")
        is_group = isinstance(item, dict) and bool(item.keys() & {"all", "any"})
        read.append(
            _read_group(item, here, depth + 1, counted) if is_group else _read_one(item, here)
        )
    return Group(word == "all", tuple(read))


def _read_one(given: object, place: str) -> Condition:
    names = {"field", "operator", "value"}
    parts = _object(given, f"'{place}'", names, names)
    name, operator = parts["field"], parts["operator"]
    if not isinstance(name, str) or name not in FIELDS:
        raise BadRule(f"'{place}': there is no fact '{str(name)[:40]}'.")
    kind = FIELDS[name].kind
    if not isinstance(operator, str) or operator not in OPERATORS[kind]:
        raise BadRule(f"'{place}': '{name}' is compared by {sentence_of(OPERATORS[kind])}.")
    return Condition(name, operator, _read_value(name, parts["value"], place))


def _read_value(name: str, given: object, place: str) -> Value:
    field = FIELDS[name]
    if field.kind == "flag":
        if not isinstance(given, bool):
            raise BadRule(f"'{place}': the value of '{name}' must be true or false.")
        return given
    if field.kind == "number":
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 10**6:
            raise BadRule(f"'{place}': the value of '{name}' must be a whole number.")
        return given
    if field.kind == "rank":
        if given not in field.choices:
            raise BadRule(f"'{place}': '{name}' is one of {sentence_of(field.choices)}.")
        return field.choices.index(str(given))
    if not isinstance(given, list) or not 0 < len(given) <= MOST_VALUES:
        raise BadRule(f"'{place}': the value of '{name}' must be a list of 1 to {MOST_VALUES}.")
    for word in given:
        if not isinstance(word, str) or not 0 < len(word.strip()) <= LONGEST_VALUE:
            raise BadRule(f"'{place}': the values of '{name}' must be texts.")
        if field.choices and word not in field.choices:
            raise BadRule(f"'{place}': '{name}' is one of {sentence_of(field.choices)}.")
    return frozenset(word.strip() for word in given)


_NEEDS: Mapping[str, str] = {
    CLOSE: "verdict", SNOOZE: "hours", RAISE: "points", SET_PRIORITY: "points",
}  # fmt: skip


def _read_then(given: object) -> Then:
    parts = _object(given, "'then'", {"action"}, {"action", "verdict", "points", "hours"})
    action = parts["action"]
    if not isinstance(action, str) or action not in ACTIONS:
        raise BadRule(f"'then.action' is one of {sentence_of(ACTIONS)}.")
    need = _NEEDS.get(action, "")
    if set(parts) != {"action", *filter(None, [need])}:
        wanted = f"'{need}' and nothing else" if need else "nothing else"
        raise BadRule(f"'then' with the action '{action}' needs {wanted}.")
    if action == CLOSE:
        if parts["verdict"] not in VERDICTS:
            raise BadRule(f"'then.verdict' is one of {sentence_of(VERDICTS)}.")
        return Then(action, verdict=str(parts["verdict"]))
    if not need:
        return Then(action)
    lowest, highest = {SNOOZE: (1, LONGEST_SNOOZE_H), RAISE: (1, 100)}.get(action, (0, 100))
    number = parts[need]
    if isinstance(number, bool) or not isinstance(number, int) or not lowest <= number <= highest:
        raise BadRule(f"'then.{need}' must be a whole number from {lowest} to {highest}.")
    return Then(action, hours=number) if action == SNOOZE else Then(action, points=number)


def _object(given: object, what: str, needed: set[str], allowed: set[str]) -> Mapping[str, object]:
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        raise BadRule(f"{what} must be an object.")
    if missing := sorted(needed - given.keys()):
        raise BadRule(f"{what} lacks {sentence_of(missing)}.")
    if unknown := sorted(given.keys() - allowed):
        raise BadRule(f"{what} holds something unknown: {unknown[0][:40]}.")
    return given


def names_of(rules: Sequence[Match]) -> str:
    return sentence_of(f"'{match.rule.name}'" for match in rules)
