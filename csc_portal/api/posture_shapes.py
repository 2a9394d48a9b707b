"""What answers about posture look like, for the OpenAPI document; see `shapes.py`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from csc_portal.api.shapes import Assignee, TicketRef, _maybe
from posture.coverage import State, Why
from posture.models import Finding, Weakness
from tenants.models import SEVERITIES


class FindingShape(s.Serializer[Any]):
    id = s.UUIDField()
    tenant = s.CharField(help_text="Slug")
    kind = s.ChoiceField(Finding.Kind.values)
    severity = s.ChoiceField(SEVERITIES)
    summary = s.CharField(help_text="Our own words and counts")
    size = s.IntegerField(help_text="How many things it is about")
    is_open = s.BooleanField()
    owner = Assignee(allow_null=True, help_text="Who looks after it")
    accepted_until = _maybe(s.DateTimeField, help_text="The risk is accepted until then")
    accepted_why = s.ChoiceField(Finding.Reason.values, allow_blank=True)
    ticket = TicketRef(allow_null=True)
    opened_at = s.DateTimeField()
    changed_at = s.DateTimeField()
    closed_at = _maybe(s.DateTimeField)


class FindingDetail(FindingShape):
    facts = s.DictField(help_text="By kind: counts, times, pseudonyms, words of ours; no names")


class ScoreShape(s.Serializer[Any]):
    tenant = s.CharField()
    percent = _maybe(s.FloatField, help_text="Null: never read, or nothing can be reached")
    change_7 = _maybe(s.FloatField, help_text="Percentage points won in 7 days")
    change_30 = _maybe(s.FloatField)
    open_controls = s.IntegerField(help_text="With something to gain, nobody decided against")
    day = _maybe(s.DateField, help_text="Which it is the score of")
    read_at = _maybe(s.DateTimeField)
    problem = s.CharField(allow_blank=True, help_text="Why it could not be read the last time")


class Band(s.Serializer[Any]):
    size = s.CharField(help_text="Licensed users of the tenants compared")
    members = s.IntegerField(help_text="Rounded down to tens")
    lower = s.IntegerField(help_text="Mean of the lower third, in percent")
    middle = s.IntegerField(help_text="Mean of all, in percent")
    upper = s.IntegerField(help_text="Mean of the upper third, in percent")


class ScoreDetail(ScoreShape):
    points = _maybe(s.FloatField)
    most = _maybe(s.FloatField)
    change_90 = _maybe(s.FloatField)
    averages = s.DictField(child=s.FloatField(), help_text="Microsoft's, by basis, in percent")
    similar = Band(allow_null=True, help_text="The provider's tenants of that size, if enough")
    findings = s.ListField(child=s.UUIDField(), help_text="Open ones about the score")


class ScoreDayShape(s.Serializer[Any]):
    day = s.DateField()
    points = s.FloatField()
    most = s.FloatField()
    percent = _maybe(s.FloatField)


class ControlShape(s.Serializer[Any]):
    name = s.CharField()
    title = s.CharField(allow_blank=True)
    category = s.CharField(allow_blank=True)
    service = s.CharField(allow_blank=True)
    points = s.FloatField()
    most = s.FloatField()
    gap = s.FloatField(help_text="Points still to gain")
    gain = s.FloatField(help_text="The same in percentage points of the score")
    effort = s.IntegerField(help_text="Of cost, impact on users and tier; small is easy")
    cost = s.CharField(allow_blank=True)
    impact = s.CharField(allow_blank=True)
    tier = s.CharField(allow_blank=True)
    threats = s.ListField(child=s.CharField())
    state = s.CharField(help_text="As Microsoft has it: Default, Ignored, ThirdParty, Reviewed")
    is_deprecated = s.BooleanField()
    is_open = s.BooleanField(help_text="Something to gain, and nobody decided against it")


class CoverageShape(s.Serializer[Any]):
    tenant = s.CharField()
    watched = s.IntegerField()
    unwatched = s.IntegerField()
    exempt = s.IntegerField()
    unknown = s.IntegerField()
    ignored = s.IntegerField()
    new = s.IntegerField(help_text="First seen within a day")
    percent = _maybe(s.IntegerField, help_text="Watched of those that have to be; rounded down")
    read_at = _maybe(s.DateTimeField, help_text="Azure was read as a whole; null: never")


class ByState(s.Serializer[Any]):
    total = s.IntegerField()
    watched = s.IntegerField()
    unwatched = s.IntegerField()
    exempt = s.IntegerField()
    unknown = s.IntegerField()
    ignored = s.IntegerField()
    new = s.IntegerField()


class OfSubscription(ByState):
    subscription = s.UUIDField(help_text="Pseudonym")
    plans_on = s.ListField(
        child=s.CharField(), allow_null=True, help_text="Defender plans; null: unknown"
    )


class OfType(ByState):
    type = s.CharField()


class CoverageDetail(CoverageShape):
    rule = s.CharField(allow_blank=True, help_text="The tags that tell of watching")
    subscriptions = OfSubscription(many=True, help_text="At most 500, most unwatched first")
    types = OfType(many=True, help_text="At most 60")


class ResourceShape(s.Serializer[Any]):
    id = s.UUIDField(help_text="Pseudonym")
    tenant = s.CharField()
    subscription = s.UUIDField(help_text="Pseudonym")
    resource_group = _maybe(s.UUIDField, help_text="Pseudonym")
    type = s.CharField()
    location = s.CharField(allow_blank=True)
    state = s.ChoiceField([one.value for one in State])
    why = s.ChoiceField([one.value for one in Why])
    reason = s.CharField(help_text="The same in words, with the tags of the rule")
    entity = _maybe(s.UUIDField, help_text="As alerts know it: see /entities")
    first_seen_at = s.DateTimeField()
    changed_at = s.DateTimeField()


class WeaknessCountsShape(s.Serializer[Any]):
    tenant = s.CharField()
    total = s.IntegerField()
    critical = s.IntegerField(help_text="By Microsoft's severity")
    high = s.IntegerField()
    likely = s.IntegerField(help_text="Not on CISA's list, but EPSS says 0.5 or more")
    exploited = s.IntegerField(help_text="On CISA's list of what attackers use")
    ransomware = s.IntegerField(help_text="Of these, used by ransomware")
    read_at = _maybe(s.DateTimeField, help_text="Null: never")
    problem = s.CharField(allow_blank=True, help_text="Why it could not be read the last time")


class WeaknessShape(s.Serializer[Any]):
    cve = s.CharField(help_text="CVE-… or Microsoft's TVM-…")
    severity = s.ChoiceField([name.lower() for name in Weakness.Severity.names])
    cvss = _maybe(s.FloatField)
    devices = s.IntegerField(help_text="Exposed")
    products = s.ListField(child=s.CharField(), help_text="vendor/product, at most 20")
    exploit = s.ChoiceField(
        [name.lower() for name in Weakness.Exploit.names], help_text="What Microsoft knows of one"
    )
    is_exploited = s.BooleanField(help_text="On CISA's list of what attackers use")
    by_ransomware = s.BooleanField()
    due_on = _maybe(s.DateField, help_text="CISA's date")
    epss = _maybe(s.FloatField, help_text="How likely exploitation within 30 days is, 0 to 1")
    published_on = _maybe(s.DateField)
    first_seen_at = s.DateTimeField()
