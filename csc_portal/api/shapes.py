"""What answers look like, for the OpenAPI document. `bodies.py` makes them; tests hold the two
together by calling everything that the document names.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from alerts.models import Case, Decision
from csc_portal.api.bodies import STATUSES
from tenants.models import PILLARS, SEVERITIES, Tenant
from ticketing.models import Delivery


def _maybe(field: type[s.Field], **more: Any) -> Any:
    return field(allow_null=True, **more)


class FieldError(s.Serializer[Any]):
    field = s.CharField()
    detail = s.CharField()


class Problem(s.Serializer[Any]):
    type = s.CharField(help_text="urn:csc-portal:problem:...; does not change")
    title = s.CharField()
    status = s.IntegerField()
    detail = s.CharField()
    errors = FieldError(many=True, required=False)


class EntityRef(s.Serializer[Any]):
    kind = s.CharField()
    id = s.UUIDField(help_text="Pseudonym")


class Assignee(s.Serializer[Any]):
    id = _maybe(s.IntegerField, help_text="Null where a customer may not know")
    name = s.CharField()


class TicketRef(s.Serializer[Any]):
    reference = s.CharField()
    url = s.CharField(allow_blank=True)


class CaseShape(s.Serializer[Any]):
    id = s.UUIDField()
    number = s.IntegerField(help_text="Within its tenant")
    reference = s.CharField(help_text="In tickets and comments")
    tenant = s.CharField(help_text="Slug")
    title = s.CharField(allow_blank=True)
    category = s.CharField(allow_blank=True)
    source = s.CharField(allow_blank=True)
    status = s.ChoiceField(STATUSES)
    severity = s.ChoiceField(SEVERITIES)
    priority = s.IntegerField(min_value=0, max_value=100)
    pillars = s.ListField(child=s.ChoiceField(PILLARS))
    is_vip = s.BooleanField()
    alert_count = s.IntegerField()
    entity_count = s.IntegerField()
    entities = EntityRef(many=True, help_text="The first two")
    assignee = Assignee(allow_null=True)
    verdict = s.ChoiceField(Case.Verdict.values, allow_blank=True)
    ticket = TicketRef(allow_null=True)
    first_activity_at = s.DateTimeField()
    last_activity_at = s.DateTimeField()
    opened_at = s.DateTimeField()
    changed_at = s.DateTimeField()
    due_at = _maybe(s.DateTimeField)
    snoozed_until = _maybe(s.DateTimeField)


class CaseDetail(CaseShape):
    version = s.IntegerField(help_text="Of decisions; the ETag is made of it")
    determination = s.CharField(allow_blank=True)
    verdict_reason = s.CharField(allow_blank=True)
    closed_by = s.ChoiceField(Case.ClosedBy.values, allow_blank=True)


class NamedEntity(EntityRef):
    roles = s.ListField(child=s.CharField())
    verdict = s.CharField(allow_blank=True)


class AlertShape(s.Serializer[Any]):
    source_ref = s.CharField(help_text="The id that Microsoft gave it")
    tenant = s.CharField()
    case = _maybe(s.UUIDField)
    api = s.CharField()
    title = s.CharField(allow_blank=True)
    category = s.CharField(allow_blank=True)
    techniques = s.ListField(child=s.CharField())
    severity = s.ChoiceField(SEVERITIES)
    status = s.CharField(allow_blank=True)
    classification = s.CharField(allow_blank=True)
    determination = s.CharField(allow_blank=True)
    service_source = s.CharField(allow_blank=True)
    detection_source = s.CharField(allow_blank=True)
    product = s.CharField(allow_blank=True)
    detector = s.CharField(allow_blank=True)
    incident = s.CharField(allow_blank=True)
    pillars = s.ListField(child=s.ChoiceField(PILLARS))
    is_duplicate = s.BooleanField()
    created_at = s.DateTimeField()
    updated_at = s.DateTimeField()
    first_activity_at = s.DateTimeField()
    last_activity_at = s.DateTimeField()
    ingested_at = s.DateTimeField()
    entities = NamedEntity(many=True)


class Change(s.Serializer[Any]):
    id = s.UUIDField()
    tenant = s.CharField()
    is_gone = s.BooleanField(help_text="Merged or erased: take it out of the copy")
    merged_into = _maybe(s.UUIDField)
    case = CaseShape(allow_null=True)


class Changes(s.Serializer[Any]):
    items = Change(many=True)
    next = s.CharField(help_text="Keep it, and ask with it for what comes")
    has_more = s.BooleanField()


class Commented(s.Serializer[Any]):
    where = s.ListField(child=s.ChoiceField(["ticket", "microsoft"]))
    problem = s.CharField(allow_blank=True, help_text="Where it is not, and why")


class Count(s.Serializer[Any]):
    count = s.IntegerField()
    is_exact = s.BooleanField(help_text="False: there are at least so many")


class SeenWith(EntityRef):
    count = s.IntegerField()
    first_at = s.DateTimeField()
    last_at = s.DateTimeField()


class EntityShape(EntityRef):
    tenant = s.CharField()
    alert_count = s.IntegerField()
    is_vip = s.BooleanField()
    cases = s.ListField(child=s.UUIDField(), help_text="Of its newest 200 alerts")
    seen_with = SeenWith(many=True)


class FoundEntity(EntityRef):
    tenant = s.CharField()
    alert_count = s.IntegerField()


class Found(s.Serializer[Any]):
    items = FoundEntity(many=True)
    problem = s.CharField(allow_blank=True, help_text="Why something could not be looked up")


class Name(s.Serializer[Any]):
    id = s.UUIDField()
    name = _maybe(s.CharField, help_text="Read from Microsoft now, kept nowhere; null if unknown")
    problem = s.CharField(allow_blank=True)


class Health(s.Serializer[Any]):
    is_failing = s.BooleanField()
    failing_since = _maybe(s.DateTimeField)
    last_error = s.CharField(allow_blank=True)
    polled_at = _maybe(s.DateTimeField)
    last_alert_at = _maybe(s.DateTimeField)
    silent_since = _maybe(s.DateTimeField)
    silent_sources = s.ListField(child=s.CharField())
    unread_windows = s.IntegerField()
    quarantined = s.IntegerField()
    missing_permissions = s.ListField(child=s.CharField())
    credential_expires_at = _maybe(s.DateTimeField)
    push_healthy_at = _maybe(s.DateTimeField)


class OpenCases(s.Serializer[Any]):
    unknown = s.IntegerField()
    informational = s.IntegerField()
    low = s.IntegerField()
    medium = s.IntegerField()
    high = s.IntegerField()


class TenantShape(s.Serializer[Any]):
    slug = s.CharField()
    name = s.CharField()
    state = s.ChoiceField(Tenant.State.values)
    open_cases = OpenCases()
    health = Health()


class Window(s.Serializer[Any]):
    source = s.CharField()
    since = s.DateTimeField()
    until = _maybe(s.DateTimeField)
    state = s.CharField()
    attempts = s.IntegerField()
    started_at = s.DateTimeField()
    finished_at = _maybe(s.DateTimeField)
    error = s.CharField(allow_blank=True)


class TenantDetail(TenantShape):
    watermark = _maybe(s.DateTimeField, help_text="Read up to here, in Microsoft's time")
    ledger = Window(many=True, help_text="The newest 20 windows")
    deliveries = s.DictField(child=s.IntegerField(), help_text="Not sent yet, by state")
    write_backs = s.DictField(child=s.IntegerField(), help_text="Not told yet, by state")


class Worker(s.Serializer[Any]):
    id = s.IntegerField()
    name = s.CharField()


class TicketShape(s.Serializer[Any]):
    case = s.UUIDField()
    tenant = s.CharField()
    system = s.CharField()
    reference = s.CharField()
    external_id = s.CharField()
    url = s.CharField(allow_blank=True)
    status = s.CharField(allow_blank=True)
    is_gone = s.BooleanField()
    created_at = s.DateTimeField()
    seen_at = _maybe(s.DateTimeField)


class DeliveryShape(s.Serializer[Any]):
    id = s.IntegerField()
    case = s.UUIDField()
    tenant = s.CharField()
    kind = s.ChoiceField(Delivery.Kind.values)
    state = s.ChoiceField(Delivery.State.values)
    attempts = s.IntegerField()
    due_at = s.DateTimeField()
    error = s.CharField(allow_blank=True)
    created_at = s.DateTimeField()
    sent_at = _maybe(s.DateTimeField)


class Reason(s.Serializer[Any]):
    code = s.CharField()
    detail = s.CharField()


class DecisionShape(s.Serializer[Any]):
    id = s.IntegerField()
    case = s.UUIDField()
    tenant = s.CharField()
    at = s.DateTimeField()
    outcome = s.ChoiceField(Decision.Outcome.values)
    basis = s.CharField()
    priority = s.IntegerField()
    rule = _maybe(s.UUIDField)
    rule_version = _maybe(s.IntegerField)
    reasons = Reason(many=True)


class RuleShape(s.Serializer[Any]):
    id = s.UUIDField()
    name = s.CharField()
    version = s.IntegerField()
    applies_to = s.ChoiceField(["all", "group", "tenant"])
    tenant = _maybe(s.CharField)
    definition = s.DictField()
    reason = s.CharField()
    is_enabled = s.BooleanField()
    created_at = s.DateTimeField()
    changed_at = s.DateTimeField()
    expires_at = _maybe(s.DateTimeField)


class AuditLine(s.Serializer[Any]):
    id = s.IntegerField()
    at = s.DateTimeField()
    actor = s.CharField()
    action = s.CharField()
    tenant = s.CharField(allow_blank=True)
    subject = s.CharField(allow_blank=True)
    facts = s.DictField()
    seq = _maybe(s.IntegerField, help_text="Its place in the sealed chain")


class AutoClosed(s.Serializer[Any]):
    decision = s.IntegerField()
    case = s.UUIDField()
    tenant = s.CharField()
    at = s.DateTimeField()
    title = s.CharField(allow_blank=True)
    severity = s.ChoiceField(SEVERITIES)
    outcome = s.ChoiceField(["closed", "suppressed", "would_close"])
    by = s.CharField()
    reasons = Reason(many=True)
    rule = _maybe(s.UUIDField)
    rule_version = _maybe(s.IntegerField)
    is_open = s.BooleanField(help_text="Opened again since")
    verdict = s.CharField(allow_blank=True)


class KeyShape(s.Serializer[Any]):
    prefix = s.CharField()
    name = s.CharField()
    scopes = s.ListField(child=s.CharField())
    tenants = s.ListField(child=s.CharField())
    expires_at = s.DateTimeField()


class Facets(s.Serializer[Any]):
    open = s.IntegerField()
    severity = s.DictField(child=s.IntegerField())
    pillar = s.DictField(child=s.IntegerField())
    source = s.DictField(child=s.IntegerField())
    verdict = s.DictField(child=s.IntegerField())
    vip = s.DictField(child=s.IntegerField())
    sla = s.DictField(child=s.IntegerField())
    assignee = s.DictField(child=s.IntegerField())
    ticket = s.DictField(child=s.IntegerField())
    snoozed = s.DictField(child=s.IntegerField())
    is_exact = s.BooleanField()


class TaskShape(s.Serializer[Any]):
    id = s.UUIDField()
    state = s.ChoiceField(["pending", "running", "done"])
    do = s.CharField()
    total = s.IntegerField()
    done = s.IntegerField(help_text="Items that were looked at")
    changed = s.IntegerField(help_text="Items that were changed")
    created_at = s.DateTimeField()
    moved_at = s.DateTimeField()


class TaskItem(s.Serializer[Any]):
    case = s.UUIDField()
    outcome = s.ChoiceField(["pending", "changed", "unchanged", "refused"])
    message = s.CharField(allow_blank=True)


SHAPES_OF_LISTS: dict[type[s.Serializer[Any]], type[s.Serializer[Any]]] = {}


def listed(item: type[s.Serializer[Any]], **more: s.Field) -> type[s.Serializer[Any]]:
    """The envelope of a list."""
    if item not in SHAPES_OF_LISTS or more:
        name = f"ListOf{item.__name__.removesuffix('Shape')}"
        fields: dict[str, Any] = {
            "items": item(many=True),
            "next": _maybe(s.CharField, help_text="Cursor; null at the end"),
            **more,
        }
        SHAPES_OF_LISTS[item] = type(name, (s.Serializer,), fields)
    return SHAPES_OF_LISTS[item]
