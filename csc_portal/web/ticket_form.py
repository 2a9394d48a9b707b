"""The form of a tenant's ticket system: its options as fields, or all of them as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from django import forms

from clients.errors import ApiError, Rejected
from csc_portal.onboard import NewTicketing
from tenants.models import TicketConnection
from tenants.secrets import vault
from ticketing.adapters import registry
from ticketing.adapters.description import load_options
from ticketing.checking import problems_of
from ticketing.mapping import PILLARS, SEVERITIES, read_mapping
from ticketing.options import SYSTEMS, Kind, Option

PRIORITY_CHOICES = (
    ("", "As the case's own priority"),
    ("1", "Low"), ("2", "Medium"), ("3", "High"), ("4", "Urgent"),
)  # fmt: skip
AREA = {"rows": 3, "spellcheck": "false", "class": "code-area"}
PILLARS_HELP = (
    "Options that differ by pillar, such as <code>device: {group_id: 7}</code>. Pillars are "
    f"{', '.join(PILLARS)}."
)


class NamesField(forms.CharField):
    """Names with values, as YAML; empty is {}."""

    def __init__(self, **given: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs=AREA), **given)

    def clean(self, value: Any) -> dict[str, object]:
        text = super().clean(value)
        if not text:
            return {}
        try:
            return load_options(text)
        except Rejected as err:
            raise forms.ValidationError(str(err)) from err

    def prepare_value(self, value: Any) -> Any:
        return as_yaml(value) if isinstance(value, Mapping) else value


class TicketForm(forms.Form):
    """`system` decides which options are asked for; it comes from the address."""

    url = forms.CharField(label="Address", max_length=300)
    secret_name = forms.RegexField(
        r"^[0-9a-zA-Z-]{1,127}\Z",
        label="Its secret's name in Key Vault",
        error_messages={
            "invalid": "A secret's name has letters, digits and hyphens. No value here."
        },
    )

    def __init__(self, system: str, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.system = system
        self.described = SYSTEMS[system]
        self.fields["url"].help_text = f"Such as {self.described.url}."
        self.fields["secret_name"].help_text = f"{self.described.secret}, stored under this name."
        for option in self.described.options:
            self.fields[f"option_{option.name}"] = _field(option)
        self.fields["description"] = NamesField(
            label="Description" if system == "generic" else "All options as YAML",
            required=system == "generic",
            help_text="What is asked for in docs/adding-a-ticket-system.md."
            if system == "generic"
            else "Instead of the fields above.",
        )
        self.fields["description"].widget.attrs["rows"] = 16 if system == "generic" else 4
        for severity in SEVERITIES:
            self.fields[f"priority_{severity}"] = forms.TypedChoiceField(
                label=severity.capitalize(), choices=PRIORITY_CHOICES, coerce=int,
                empty_value=None, required=False,
            )  # fmt: skip
        self.fields["pillars"] = NamesField(
            label="By pillar", required=False, help_text=PILLARS_HELP
        )

    def part(self, start: str) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(start)]

    @property
    def options(self) -> list[forms.BoundField]:
        return self.part("option_")

    @property
    def priorities(self) -> list[forms.BoundField]:
        return self.part("priority_")

    @property
    def has_more(self) -> bool:
        """Whether the folded part has to be open: it holds something, or a mistake."""
        names = ("description", "pillars")
        return any(self[name].errors or self[name].value() for name in names)

    def clean_secret_name(self) -> str:
        """It has to be there; the value stays where it is."""
        name = str(self.cleaned_data["secret_name"])
        try:
            vault().forget(name)
            vault().get(name)
        except ApiError as err:
            raise forms.ValidationError(str(err)) from err
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            cleaned["mapping"] = read_mapping(self._mapping(cleaned))
        except Rejected as err:
            self.add_error("pillars", str(err))
        if not self.errors:
            for name, problem in problems_of(self.system, self.ticketing().options).items():
                field = f"option_{name}"
                is_shown = field in self.fields and not cleaned["description"]
                self.add_error(field if is_shown else "description", problem)
        return cleaned

    def _mapping(self, cleaned: Mapping[str, Any]) -> dict[str, object]:
        said = {name: cleaned.get(f"priority_{name}") for name in SEVERITIES}
        return {
            "priorities": {name: value for name, value in said.items() if value},
            "pillars": cleaned.get("pillars") or {},
        }

    def ticketing(self) -> NewTicketing:
        """What was given, for `csc_portal.onboard`."""
        data = self.cleaned_data
        options = data["description"] or {
            option.name: data[f"option_{option.name}"]
            for option in self.described.options
            if data[f"option_{option.name}"] not in ("", None, {})
        }
        return NewTicketing(
            self.system, data["url"], data["secret_name"], "", options, data["mapping"]
        )


def _field(option: Option) -> forms.Field:
    given: dict[str, Any] = {
        "label": option.label, "help_text": option.help, "required": option.is_required,
    }  # fmt: skip
    if option.kind == Kind.NAMES:
        return NamesField(**given)
    if option.kind == Kind.CHOICE:
        return forms.ChoiceField(choices=option.choices, **given)
    if option.kind == Kind.EMAIL:
        return forms.EmailField(**given)
    if option.kind == Kind.NUMBER:
        return forms.RegexField(
            r"^\d{1,20}\Z", error_messages={"invalid": "This has to be a number."}, **given
        )
    return forms.CharField(max_length=200, **given)


def form_of(connection: TicketConnection | None, system: str, data: Any = None) -> TicketForm:
    """Filled with what is stored, if it is of this system. Unknown systems raise KeyError."""
    if connection is None or connection.system != system:
        return TicketForm(system, data)
    named = {option.name for option in SYSTEMS[system].options}
    is_plain = system != "generic" and set(connection.options) <= named
    initial: dict[str, object] = {"url": connection.url, "secret_name": connection.secret_name}
    if is_plain:
        initial |= {f"option_{name}": value for name, value in connection.options.items()}
    else:
        initial["description"] = connection.options
    priorities = connection.mapping.get("priorities") or {}
    initial |= {f"priority_{name}": value for name, value in priorities.items()}
    initial["pillars"] = connection.mapping.get("pillars") or ""
    return TicketForm(system, data, initial=initial)


def systems() -> list[tuple[str, str]]:
    """(name, label) of every system that can be chosen."""
    return [(name, SYSTEMS[name].label) for name in SYSTEMS if name in registry]


def as_yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip() if value else ""
