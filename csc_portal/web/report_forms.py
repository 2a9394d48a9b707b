"""What people choose about reports: a period, the monthly plan, the provider's branding."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from csc_portal.web.mine import zones
from reports.brand import DEFAULT_COLOUR, BadBrand, clean_colour, clean_logo
from reports.links import DAYS
from reports.pdf import is_drawable
from reports.periods import SENDING, BadPeriod, Period, Plan, days_between
from tenants.models import Branding

_DAY = {"type": "date"}


class PeriodForm(forms.Form):
    """Whole days, both included, of the tenant's zone."""

    first = forms.DateField(label="First day", widget=forms.DateInput(attrs=_DAY))
    last = forms.DateField(label="Last day", widget=forms.DateInput(attrs=_DAY))

    def __init__(self, data: Any, zone: str, now: datetime) -> None:
        super().__init__(data)
        self._zone, self._now = zone, now
        self.period: Period | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "first" in cleaned and "last" in cleaned:
            try:
                self.period = days_between(cleaned["first"], cleaned["last"], self._zone, self._now)
            except BadPeriod as err:
                raise forms.ValidationError(str(err)) from err
        return cleaned


class PlanForm(forms.Form):
    day = forms.TypedChoiceField(
        label="Day of the month",
        coerce=int,
        choices=[(0, "Never"), *((day, str(day)) for day in range(1, 29))],
        help_text="On it the report on the month before is made, in the morning.",
    )
    zone = forms.ChoiceField(
        label="Time zone", help_text="Its days and months are those of the report."
    )
    send = forms.ChoiceField(
        label="Who gets it",
        choices=list(SENDING.items()),
        help_text="The ticket holds the first page in words. The customer's people find every "
        "report here in any case.",
    )
    link_days = forms.TypedChoiceField(
        label="A link works for",
        coerce=int,
        choices=[(days, f"{days} day{'' if days == 1 else 's'}") for days in DAYS],
    )

    def __init__(self, plan: Plan, data: Any) -> None:
        initial = {"day": plan.day, "zone": plan.zone, "send": plan.send,
                   "link_days": plan.link_days}  # fmt: skip
        super().__init__(data, initial=initial)
        names = dict.fromkeys((plan.zone, *zones()))
        self.fields["zone"].choices = [(name, name) for name in names]

    def stored(self, now: datetime) -> dict[str, object]:
        """For `Tenant.report_plan`. `since`: what lies before it is not made afterwards."""
        return {**self.cleaned_data, "since": now.isoformat()}


class BrandForm(forms.Form):
    """The logo is kept as a picture and nothing else; see reports/brand.py."""

    name = forms.CharField(label="Provider's name", max_length=60, required=False)
    colour = forms.CharField(
        label="Colour",
        max_length=7,
        widget=forms.TextInput(attrs={"type": "color"}),
        help_text="Of headings and charts. It has to be dark enough to be read on white.",
    )
    logo = forms.FileField(
        label="Logo",
        required=False,
        max_length=100,
        widget=forms.FileInput(attrs={"accept": "image/png"}),
        help_text="PNG, at most 1200 by 600 pixels and 100 KB. Empty: the one that is there stays.",
    )
    without = forms.BooleanField(label="Without a logo", required=False)

    def __init__(self, row: Branding | None, data: Any, files: Any) -> None:
        initial = {"name": row.name, "colour": row.colour} if row else {"colour": DEFAULT_COLOUR}
        super().__init__(data, files, initial=initial)

    def clean_colour(self) -> str:
        try:
            return clean_colour(self.cleaned_data["colour"])
        except BadBrand as err:
            raise forms.ValidationError(str(err)) from err

    def clean_logo(self) -> bytes | None:
        """The picture as it will be kept; None if none was sent."""
        file = self.cleaned_data["logo"]
        if not file:
            return None
        try:
            logo = clean_logo(file.read())
        except BadBrand as err:
            raise forms.ValidationError(str(err)) from err
        if not is_drawable(logo):
            raise forms.ValidationError("This picture can't be drawn. Save it anew as PNG.")
        return logo

    def changes(self) -> dict[str, object]:
        """Fields of `Branding` that are to be set."""
        found: dict[str, object] = {
            "name": self.cleaned_data["name"].strip(), "colour": self.cleaned_data["colour"],
        }  # fmt: skip
        if self.cleaned_data["logo"] is not None:
            found["logo"] = self.cleaned_data["logo"]
        elif self.cleaned_data["without"]:
            found["logo"] = None
        return found
