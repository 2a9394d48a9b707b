"""What all of a case looks like in the OpenAPI document, and its indicators as STIX."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from csc_portal.api import shapes
from csc_portal.case_timeline import STREAMS
from tenants.models import PILLARS


class ChainEntity(shapes.EntityRef):
    alert_count = s.IntegerField(help_text="Alerts of the case that name it")
    roles = s.ListField(child=s.CharField())
    verdict = s.CharField(allow_blank=True)
    is_tie = s.BooleanField(help_text="May tie alerts into one case")
    asset_classes = s.ListField(child=s.CharField())


class ChainLink(s.Serializer[Any]):
    pillar = s.ChoiceField(PILLARS)
    entities = ChainEntity(many=True)


class Step(s.Serializer[Any]):
    at = s.DateTimeField()
    stream = s.ChoiceField(list(STREAMS))
    kind = s.CharField()
    text = s.CharField(allow_blank=True)
    detail = s.CharField(allow_blank=True)
    by = shapes.Assignee(allow_null=True)
    source_ref = s.CharField(allow_null=True, help_text="Of the alert that it is about")


class CaseFile(s.Serializer[Any]):
    case = shapes.CaseDetail()
    chain = ChainLink(many=True)
    alerts = shapes.AlertShape(many=True)
    decisions = shapes.DecisionShape(many=True, help_text="The newest, which holds, first")
    ticket = shapes.TicketShape(allow_null=True)
    timeline = Step(many=True, help_text="The newest first")


class StixBundle(s.Serializer[Any]):
    type = s.ChoiceField(["bundle"])
    id = s.CharField()
    objects = s.ListField(
        child=s.DictField(), help_text="The customer, then indicators, each with its sighting"
    )
