"""The form of a rule: a row for each condition, from the grammar in alerts/policy.py; no code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from django import forms

from alerts.policy import ACTIONS, OPERATORS, VERDICTS, BadRule, read_definition
from alerts.policy_fields import FIELDS
from alerts.rules import LONGEST_NAME, LONGEST_REASON

MOST_ROWS = 12
SPARE_ROWS = 2
VERDICT_WORDS = {
    "truePositive": "True positive",
    "informationalExpectedActivity": "Informational, expected",
    "falsePositive": "False positive",
}
OPERATOR_CHOICES = [
    ("", "…"),
    *{
        operator: f"{words} (yes or no)" if operator == "is" else words
        for kind in OPERATORS.values()
        for operator, words in kind.items()
    }.items(),
]
_WORDS = dict(OPERATOR_CHOICES)
_PLACE = re.compile(r"'when\.(?:all|any)\[(\d{1,3})\]'")
FIELD_CHOICES = [("", "…"), *((name, field.words) for name, field in FIELDS.items())]


@dataclass(frozen=True, slots=True)
class Row:
    """One condition as the form shows it."""

    number: int
    field: str = ""
    operator: str = ""
    value: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.field or self.operator or self.value)


class RuleForm(forms.Form):
    """`tenant`, when chosen, narrows the rule; it can't be changed later."""

    name = forms.CharField(label="Name", max_length=LONGEST_NAME)
    reason = forms.CharField(
        label="Why", max_length=LONGEST_REASON, help_text="For those who come after you. No names."
    )
    tenant = forms.ChoiceField(label="For", required=False)
    joint = forms.ChoiceField(
        label="Conditions", choices=[("all", "All of them hold"), ("any", "One of them holds")]
    )
    action = forms.ChoiceField(
        label="Action", choices=[(name, words.capitalize()) for name, words in ACTIONS.items()]
    )
    verdict = forms.ChoiceField(
        label="Verdict",
        required=False,
        choices=[("", "…"), *((name, VERDICT_WORDS[name]) for name in VERDICTS)],
        help_text="For closing.",
    )
    points = forms.IntegerField(label="Points", required=False, help_text="For priorities.")
    hours = forms.IntegerField(label="Hours", required=False, help_text="For snoozing.")
    expires = forms.DateField(
        label="Holds until",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="That day included, UTC. Empty: without end.",
    )
    is_enabled = forms.BooleanField(label="Switched on", required=False, initial=True)

    def __init__(
        self, tenants: list[tuple[str, str]], *given: Any, may_all: bool, **named: Any
    ) -> None:
        super().__init__(*given, **named)
        everybody = [("", "All tenants")] if may_all else []
        self.fields["tenant"].choices = [*everybody, *tenants]
        self.fields["tenant"].required = not may_all
        self.rows = self._typed() if self.is_bound else [
            Row(number) for number in range(SPARE_ROWS + 1)
        ]  # fmt: skip

    def _typed(self) -> list[Row]:
        rows = [
            Row(number, *(str(self.data.get(f"{part}-{number}", "")).strip()
                          for part in ("field", "operator", "value")))
            for number in range(MOST_ROWS)
        ]  # fmt: skip
        filled = [row for row in rows if not row.is_empty]
        return [*filled, *(row for row in rows if row.is_empty)][: len(filled) + SPARE_ROWS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            cleaned["definition"] = self._definition(cleaned)
            try:
                read_definition(cleaned["definition"])
            except BadRule as err:
                self.add_error(None, _plainly(str(err)))
        return cleaned

    def _definition(self, data: Mapping[str, Any]) -> dict[str, object]:
        items = [
            {"field": row.field, "operator": row.operator, "value": _value(row)}
            for row in self.rows
            if not row.is_empty
        ]
        then: dict[str, object] = {"action": data["action"]}
        then |= {
            name: data[name]
            for name in ("verdict", "points", "hours")
            if data[name] not in ("", None)
        }
        return {"when": {data["joint"]: items}, "then": then}

    @property
    def expires_at(self) -> datetime | None:
        day = self.cleaned_data["expires"]
        return datetime.combine(day, time.max, UTC) if day else None


def _plainly(problem: str) -> str:
    """What the grammar says of a definition, in the words of the form."""
    told = _PLACE.sub(lambda found: f"Condition {int(found[1]) + 1}", problem)
    for name, known in FIELDS.items():
        told = told.replace(f"'{name}'", f"'{known.words}'")
    start, by, names = told.replace("true or false", "yes or no").partition(" is compared by ")
    return start + by + re.sub(r"\w+", lambda found: _WORDS.get(found[0], found[0]), names)


def _value(row: Row) -> object:
    """What was typed, as the fact's kind wants it; the grammar says what is wrong with it."""
    kind = FIELDS[row.field].kind if row.field in FIELDS else ""
    if kind == "flag":
        return {"yes": True, "no": False}.get(row.value.casefold(), row.value)
    if kind == "number":
        return int(row.value) if row.value.isdecimal() and len(row.value) < 10 else row.value
    if kind == "words":
        return [word.strip() for word in row.value.split(",") if word.strip()]
    return row.value.casefold()


def rows_of(definition: Mapping[str, Any]) -> tuple[str, list[Row]] | None:
    """(all or any, rows) of a stored definition; None if it has groups within groups."""
    joint, items = next(iter(definition["when"].items()))
    if any("field" not in item for item in items):
        return None
    rows = [
        Row(number, item["field"], item["operator"], _shown(item["value"]))
        for number, item in enumerate(items)
    ]
    more = range(len(rows), min(MOST_ROWS, len(rows) + SPARE_ROWS))
    return joint, [*rows, *(Row(number) for number in more)]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
