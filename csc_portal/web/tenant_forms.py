"""Forms of one tenant: what it is called, its credential, what is promised and what is switched."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django import forms

from alerts.incidents import SOURCE as INCIDENTS
from alerts.priority import HIGHEST, TABLE, BadWeights, check_weights
from csc_portal.lake_keep import LEAST_DAYS, MOST_DAYS
from tenants.models import Tenant
from tenants.sla import DEFAULTS, LONGEST_MINUTES, SEVERITIES, Promise, as_stored, promise_for

SECRET_NAME = r"^[0-9a-zA-Z-]{1,127}\Z"  # noqa: S105 - what a secret's name looks like
RESOURCE = re.compile(r"/[A-Za-z][A-Za-z0-9_/$?=&'. ()-]{1,150}")
NO_VALUE = "A secret's name has letters, digits and hyphens. No value here."


class DirectoryForm(forms.Form):
    """The first step of onboarding."""

    name = forms.CharField(label="Customer's name", max_length=100)
    directory = forms.CharField(
        label="Directory",
        max_length=253,
        help_text="Its Microsoft Entra tenant id, or one of its domains, such as contoso.com.",
    )
    slug = forms.SlugField(
        label="Short name",
        max_length=40,
        required=False,
        help_text="For addresses and commands; it can't be changed. Empty: made of the name.",
    )
    client_id = forms.UUIDField(
        label="Application id",
        help_text="Of the provider's multi-tenant app, or of one that the customer registered.",
        error_messages={
            "invalid": "An application id looks like 72f988bf-86f1-41af-91ab-2d7cd011db47."
        },
    )
    credential_secret = forms.RegexField(
        SECRET_NAME,
        label="Name of its credential in Key Vault",
        initial="csc-app-credential",
        help_text="The secret holds a client secret, or a certificate with its key as PEM.",
        error_messages={"invalid": NO_VALUE},
    )

    def __init__(self, *given: Any, client_id: uuid.UUID | str = "", **named: Any) -> None:
        super().__init__(*given, **named)
        self.fields["client_id"].initial = client_id


class TenantForm(forms.Form):
    """What an admin changes of a tenant at any time."""

    name = forms.CharField(label="Name", max_length=100)
    incidents = forms.BooleanField(
        label="Follow merges of Microsoft's incidents",
        required=False,
        help_text="Switched off, cases that Microsoft joins later stay apart.",
    )
    write_back = forms.ChoiceField(
        label="What is written back to Microsoft", choices=Tenant.WriteBackMode.choices
    )
    push = forms.ChoiceField(
        label="What Microsoft shall tell by itself",
        choices=[("default", "The usual"), ("none", "Nothing: poll only"), ("own", "These:")],
    )
    resources = forms.CharField(
        label="Resources",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="A line each, such as <code>/security/alerts_v2</code>. What can't be subscribed "
        "to is polled.",
    )

    def __init__(self, tenant: Tenant, *given: Any, **named: Any) -> None:
        chosen = tenant.push_resources
        initial = {
            "name": tenant.name,
            "incidents": tenant.reads(INCIDENTS),
            "write_back": tenant.write_back,
            "push": "default" if chosen is None else "own" if chosen else "none",
            "resources": "\n".join(chosen or ()),
        }
        super().__init__(*given, initial=initial, **named)
        self._tenant = tenant

    def clean_resources(self) -> list[str]:
        found = [line.strip() for line in self.cleaned_data["resources"].splitlines()]
        for resource in filter(None, found):
            if not RESOURCE.fullmatch(resource):
                raise forms.ValidationError("A resource looks like /security/alerts_v2.")
        return [resource for resource in found if resource]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        is_empty = not cleaned.get("resources") and "resources" not in self.errors
        if cleaned.get("push") == "own" and is_empty:
            self.add_error("resources", "Name at least one, or choose another way.")
        return cleaned

    def changes(self) -> dict[str, Any]:
        """Fields of the tenant's row with their new values."""
        data = self.cleaned_data
        off = [source for source in self._tenant.sources_off if source != INCIDENTS]
        wanted = {"default": None, "none": [], "own": data["resources"]}[data["push"]]
        changes: dict[str, Any] = {
            "name": data["name"].strip(),
            "sources_off": off if data["incidents"] else [*off, INCIDENTS],
            "write_back": data["write_back"],
            "push_resources": wanted,
        }
        if wanted != self._tenant.push_resources:
            changes["next_push_at"] = None  # compared with Microsoft's at once
        return changes


class LakeForm(forms.Form):
    """How long the lake keeps what was written of the tenant."""

    lake_days = forms.IntegerField(
        label="Days to keep",
        min_value=LEAST_DAYS,
        max_value=MOST_DAYS,
        help_text="What is older is removed within a day, and does not come back.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class EraseForm(forms.Form):
    """Typed, because nothing brings it back."""

    typed = forms.CharField(label="Short name of the tenant", max_length=40)

    def __init__(self, tenant: Tenant, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._slug = tenant.slug
        self.fields["typed"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_typed(self) -> str:
        if self.cleaned_data["typed"] != self._slug:
            raise forms.ValidationError(f"Type {self._slug} to erase it.")
        return self._slug


class CredentialForm(forms.Form):
    """Another credential: checked first, then used from the next call on."""

    client_id = forms.UUIDField(label="Application id")
    credential_secret = forms.RegexField(
        SECRET_NAME,
        label="Name of its credential in Key Vault",
        error_messages={"invalid": NO_VALUE},
    )


class AutoCloseForm(forms.Form):
    auto_close = forms.ChoiceField(
        label="Cases that are proven harmless",
        choices=Tenant.AutoClose.choices,
        widget=forms.RadioSelect,
    )


class WeightsForm(forms.Form):
    """A tenant's own points by term; empty: as in `alerts.priority.TABLE`."""

    def __init__(self, stored: Mapping[str, object], *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for code, weight in TABLE.items():
            self.fields[code] = forms.IntegerField(
                label=weight.words,
                required=False,
                min_value=-HIGHEST,
                max_value=HIGHEST,
                initial=stored.get(code),
            )

    @property
    def rows(self) -> list[tuple[str, int, forms.BoundField]]:
        return [(weight.words, weight.points, self[code]) for code, weight in TABLE.items()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = {code: value for code, value in cleaned.items() if value is not None}
        try:
            cleaned["weights"] = check_weights(given)
        except BadWeights as err:
            self.add_error(None, str(err))
        return cleaned


class SlaForm(forms.Form):
    """Minutes by severity; empty: no promise."""

    def __init__(self, stored: Mapping[str, object], *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for severity in SEVERITIES:
            said = promise_for(stored, severity)
            for kind, label in (("touch", "first touch"), ("resolve", "resolution")):
                self.fields[f"{severity}_{kind}"] = forms.IntegerField(
                    label=f"{severity.capitalize()}: minutes to {label}",
                    min_value=1,
                    max_value=LONGEST_MINUTES,
                    required=False,
                    initial=getattr(said, f"{kind}_minutes"),
                    widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
                )

    @property
    def rows(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        return [(name, self[f"{name}_touch"], self[f"{name}_resolve"]) for name in SEVERITIES]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in SEVERITIES:
            touch, resolve = cleaned.get(f"{name}_touch"), cleaned.get(f"{name}_resolve")
            if touch and resolve and resolve < touch:
                self.add_error(f"{name}_resolve", "This has to be later than the first touch.")
        return cleaned

    def stored(self) -> dict[str, object]:
        data = self.cleaned_data
        return as_stored(
            {name: Promise(data[f"{name}_touch"], data[f"{name}_resolve"]) for name in DEFAULTS}
        )
