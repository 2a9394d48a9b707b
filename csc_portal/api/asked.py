"""What bodies may hold. Every field that is not known is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers as s

from alerts.rules import LONGEST_REASON, Refused, check_text
from alerts.verdicts import DETERMINATIONS, FALSE_POSITIVE_REASONS, SEVERITY_REASONS, VERDICTS
from csc_portal.comments import LONGEST
from csc_portal.many import ORDERS
from tenants.models import SEVERITIES

DO = tuple(sorted(set(ORDERS) - {"merge"}))
MOST_AT_ONCE = 10_000
ALL_DETERMINATIONS = tuple(sorted({one for of in DETERMINATIONS.values() for one in of}))
_NEEDED = {
    "resolve": ("verdict",), "severity": ("severity", "reason"), "snooze": ("until", "reason"),
}  # fmt: skip
_TAKEN = {
    "assign": ("assignee_id",),
    "resolve": ("verdict", "determination", "reason"),
    "judge": ("verdict", "determination", "reason"),
    "severity": ("severity", "reason"),
    "snooze": ("until", "reason"),
}


_REASONS = {
    "resolve": ("", *FALSE_POSITIVE_REASONS),
    "judge": ("", *FALSE_POSITIVE_REASONS),
    "severity": tuple(SEVERITY_REASONS),
}


class Strict(s.Serializer[Any]):
    """Knows its fields and no other."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(self.fields))):
            names = [str(name)[:40] for name in unknown[:20]]
            raise s.ValidationError(
                {name: s.ErrorDetail("unknown", code="unknown") for name in names}
            )
        return super().to_internal_value(data)


class Action(Strict):
    do = s.ChoiceField(DO)
    assignee_id = s.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Default: the key's owner"
    )
    verdict = s.ChoiceField(tuple(VERDICTS), required=False, allow_blank=True)
    determination = s.ChoiceField(ALL_DETERMINATIONS, required=False, allow_blank=True)
    severity = s.ChoiceField(SEVERITIES, required=False)
    until = s.DateTimeField(required=False, help_text="Within the next 30 days")
    reason = s.CharField(
        required=False,
        allow_blank=True,
        max_length=LONGEST_REASON,
        help_text=(
            f"For resolve and judge one of {', '.join(FALSE_POSITIVE_REASONS)}; for severity one "
            f"of {', '.join(SEVERITY_REASONS)}; for snooze a text that names nobody."
        ),
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        do = data["do"]
        for name in _NEEDED.get(do, ()):
            if not data.get(name):
                raise s.ValidationError({name: s.ErrorDetail("required", code="required")})
        for name in sorted(set(data) - {"do", "cases"} - set(_TAKEN.get(do, ()))):
            raise s.ValidationError({name: s.ErrorDetail("unknown", code="unknown")})
        if do == "snooze":
            try:
                check_text(data["reason"], "reason", LONGEST_REASON)
            except Refused:
                raise s.ValidationError({"reason": s.ErrorDetail("x", code="invalid")}) from None
        elif data.get("reason", "") not in ("", *FALSE_POSITIVE_REASONS, *SEVERITY_REASONS):
            raise s.ValidationError({"reason": s.ErrorDetail("x", code="invalid_choice")})
        return data


class Bulk(Action):
    cases = s.ListField(child=s.UUIDField(), min_length=1, max_length=MOST_AT_ONCE)


class Comment(Strict):
    text = s.RegexField(r"\S", max_length=LONGEST)
    to_microsoft = s.BooleanField(default=False)


class Lookup(Strict):
    text = s.RegexField(
        r"\S[\s\S]*\S", max_length=200, help_text="An address, account, host or name"
    )
    tenants = s.ListField(
        child=s.SlugField(max_length=40), required=False, max_length=200, help_text="Slugs"
    )


def by_order(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of Action or Bulk as one of several, each with what its `do` takes and needs."""
    fields = schema["properties"]
    always = [name for name in schema["required"] if name != "do"]
    found = []
    for do in DO:
        taken = {name: fields[name] for name in (*always, *_TAKEN.get(do, ()))}
        if do in _REASONS:
            taken["reason"] = {"type": "string", "enum": list(_REASONS[do])}
        if do == "resolve":
            taken["verdict"] = {"type": "string", "enum": list(VERDICTS)}
        found.append(
            {
                "type": "object",
                "title": do,
                "properties": {"do": {"type": "string", "enum": [do]}, **taken},
                "required": ["do", *always, *_NEEDED.get(do, ())],
                "additionalProperties": False,
            }
        )
    return {"oneOf": found}


def order_fields(data: Mapping[str, Any]) -> dict[str, str]:
    """As `csc_portal.many` takes them from a form."""
    reason, until = data.get("reason", ""), data.get("until")
    return {
        "assignee": str(data.get("assignee_id") or ""),
        "verdict": data.get("verdict", ""),
        "determination": data.get("determination", ""),
        "reason": reason if data["do"] in ("resolve", "judge") else "",
        "severity": data.get("severity", ""),
        "severity_reason": reason,
        "snooze_reason": reason,
        "until": until.isoformat() if until else "",
    }
