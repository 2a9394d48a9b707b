"""The rule about tags, and exemptions: what is typed, checked, stored."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from csc_portal.inventory import read_soon
from csc_portal.typed import uuid_of
from posture.azure_documents import KIND, arm_key
from posture.coverage import HIDDEN
from posture.listing import exempt_no_more, exempt_now
from posture.models import AzureResource, Exemption, WatchRule
from tenants.canonical import canonical_arm
from tenants.directories import pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope

MOST_TAGS = 10
MOST_VALUES = 20
LONGEST_NAME = 512
LONGEST_VALUE = 256
MOST_EXEMPTIONS = 500
LONGEST_EXEMPTION = timedelta(days=366)
FORBIDDEN_IN_NAMES = re.compile(r"[<>%&\\?/\x00-\x1f]")
TYPE = re.compile(r"[a-z0-9.-]{1,60}(/[a-z0-9_.-]{1,60}){0,6}(/\*)?")
IN_AZURE = (
    (re.compile(r"/subscriptions/[0-9a-f-]{36}"), "subscription"),
    (re.compile(r"/subscriptions/[0-9a-f-]{36}/resourcegroups/[^/]{1,90}"), "group"),
    (re.compile(r"/subscriptions/[0-9a-f-]{36}/.+/providers/.+/.+"), "resource"),
)


class WatchRuleForm(forms.Form):
    """The rule of a tenant: lines such as `monitored = true, yes`."""

    tags = forms.CharField(
        label="Tags that say: this is watched",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        required=False,
        max_length=6000,
        help_text="A line each, such as <code>monitored = true</code>. Several values are divided "
        "by commas; without a value any will do. Names are compared without case, as Azure does.",
    )
    needs_all = forms.BooleanField(label="All of these tags are needed", required=False)
    exact_case = forms.BooleanField(
        label="Values must have the same case",
        required=False,
        help_text="Azure tells True from true; people mostly don't.",
    )
    from_group = forms.BooleanField(
        label="A resource group's tags count for what is in it",
        required=False,
        help_text="Azure itself inherits no tags. A resource's own tag always wins.",
    )
    from_subscription = forms.BooleanField(
        label="A subscription's tags count for what is in it", required=False
    )
    ignored_types = forms.CharField(
        label="Types that don't matter",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        required=False,
        max_length=6000,
        help_text="A line each, such as <code>microsoft.network/networkwatchers</code> or "
        "<code>microsoft.insights/*</code>.",
    )

    @classmethod
    def of(cls, tenant: Tenant, data: Any = None) -> WatchRuleForm:
        with scope(tenant):
            row = WatchRule.objects.first()
        if row is None:
            return cls(data)
        initial = {name: getattr(row, name) for name in cls.base_fields}
        initial["tags"] = "\n".join(_line(name, values) for name, values in row.tags)
        initial["ignored_types"] = "\n".join(row.ignored_types)
        return cls(data, initial=initial)

    def clean_tags(self) -> list[list[Any]]:
        found: dict[str, list[Any]] = {}
        for line in filter(None, map(str.strip, self.cleaned_data["tags"].splitlines())):
            name, _, values = line.partition("=")
            name = name.strip()
            if not name or len(name) > LONGEST_NAME or FORBIDDEN_IN_NAMES.search(name):
                raise forms.ValidationError("A tag's name has no <, >, %, &, \\, ? and /.")
            if name.casefold().startswith(HIDDEN):
                raise forms.ValidationError("Tags that begin with 'hidden-' are Azure's own.")
            wanted = list(dict.fromkeys(filter(None, map(str.strip, values.split(",")))))
            if len(wanted) > MOST_VALUES or any(len(value) > LONGEST_VALUE for value in wanted):
                raise forms.ValidationError("At most 20 values of 256 characters for a tag.")
            if name.casefold() in found:
                raise forms.ValidationError("Each tag once: put its values in one line.")
            found[name.casefold()] = [name, wanted]
        if len(found) > MOST_TAGS:
            raise forms.ValidationError(f"At most {MOST_TAGS} tags.")
        return list(found.values())

    def clean_ignored_types(self) -> list[str]:
        lines = self.cleaned_data["ignored_types"].lower().splitlines()
        found = sorted({line.strip() for line in lines if line.strip()})
        if len(found) > 300 or not all(TYPE.fullmatch(kind) for kind in found):
            raise forms.ValidationError("A type looks like microsoft.network/networkwatchers.")
        return found

    def save(self, tenant: Tenant) -> list[str]:
        """The names of the fields that changed; everything is read again if any did."""
        with scope(tenant):
            row = WatchRule.objects.first() or WatchRule(pk=1)
            changed = [
                name for name, value in self.cleaned_data.items() if getattr(row, name) != value
            ]
            if changed:
                for name in changed:
                    setattr(row, name, self.cleaned_data[name])
                row.changed_at = timezone.now()
                row.save()
        if changed:
            read_soon(tenant)
        return sorted(changed)


class ExemptionForm(forms.Form):
    """`covers`: a pseudonym of the list, or an id of Azure's, which is turned into one at once."""

    covers = forms.CharField(
        label="What is exempt",
        max_length=2048,
        help_text="The id of a resource, a resource group or a subscription, as the Azure portal "
        "shows it: <code>/subscriptions/...</code>. It is turned into a pseudonym, and not kept.",
    )
    reason = forms.ChoiceField(label="Reason", choices=Exemption.Reason.choices)
    until = forms.DateField(
        label="Until",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The last day, in UTC. A year at most.",
    )

    def clean_until(self) -> datetime:
        day: date = self.cleaned_data["until"]
        end = datetime.combine(day, time.max, tzinfo=UTC).replace(microsecond=0)
        now = timezone.now()
        if not now < end <= now + LONGEST_EXEMPTION:
            raise forms.ValidationError("A day from today on, within a year.")
        return end

    def clean_covers(self) -> str:
        text = str(self.cleaned_data["covers"]).strip()
        if uuid_of(text) is None and not _kind_in_azure(canonical_arm(text)):
            raise forms.ValidationError("An id begins with /subscriptions/ and has its id in it.")
        return text

    def save(self, tenant: Tenant) -> Exemption | None:
        """None if a pseudonym is not in the list, or there are too many exemptions already."""
        given = uuid_of(self.cleaned_data["covers"])
        with scope(tenant):
            if given is not None:
                if not AzureResource.objects.filter(pseudonym=given).exists():
                    return None
                covers, kind = given, "resource"
            else:
                arm_id = canonical_arm(self.cleaned_data["covers"])
                covers = pseudonymiser_for(tenant).pseudonym(KIND, arm_key(arm_id))
                kind = _kind_in_azure(arm_id)
            if Exemption.objects.count() >= MOST_EXEMPTIONS:
                return None
            row, _ = Exemption.objects.update_or_create(
                covers=covers,
                defaults={
                    "covers_kind": kind,
                    "reason": self.cleaned_data["reason"],
                    "until": self.cleaned_data["until"],
                    "made_at": timezone.now(),
                },
            )
            exempt_now(covers)
        read_soon(tenant)
        return row


def end_exemption(tenant: Tenant, public_id: str) -> bool:
    """Whether there was one."""
    key = uuid_of(public_id)
    with scope(tenant):
        row = Exemption.objects.filter(public_id=key).first() if key else None
        if row is None:
            return False
        row.delete()
        exempt_no_more(row.covers)
    read_soon(tenant)
    return True


def _line(name: str, values: list[str]) -> str:
    return f"{name} = {', '.join(values)}" if values else name


def _kind_in_azure(arm_id: str) -> str:
    return next((kind for pattern, kind in IN_AZURE if pattern.fullmatch(arm_id)), "")
