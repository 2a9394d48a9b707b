"""Microsoft Graph `/security/alerts_v2` (and alerts expanded in incidents) to AlertRecord."""

from collections.abc import Mapping

from alerts.normalise.entities import Entities
from alerts.normalise.enums import (
    CLASSIFICATIONS,
    DETERMINATIONS,
    HARMLESS_VALUES,
    SEVERITIES,
    STATUSES,
)
from alerts.normalise.fields import (
    Unreadable,
    enum_value,
    https_url,
    incident_id,
    leaves,
    paragraphs,
    provider_id,
    techniques,
    without,
)
from alerts.records import AlertRecord, Severity
from alerts.scrub import clean_metadata
from tenants.documents import instant, objects, raw, strings, text

_HARMLESS_FIELDS = frozenset({
    "@odata.type", "@odata.context", "@odata.etag", "id", "incidentId", "status", "severity",
    "classification", "determination", "serviceSource", "detectionSource", "productName",
    "detectorId", "title", "description", "recommendedActions", "category", "categories",
    "alertWebUrl", "incidentWebUrl", "mitreTechniques", "createdDateTime", "lastUpdateDateTime",
    "resolvedDateTime", "firstActivityDateTime", "lastActivityDateTime", "systemTags",
    "alertPolicyId", "investigationState", "providerAlertId",
})  # fmt: skip


def normalise_alert(document: Mapping[str, object]) -> AlertRecord:
    """Read one alert. Unreadable if its id or both its times are missing or malformed."""
    given_id = provider_id(document.get("id"))
    created = instant(document.get("createdDateTime"))
    updated = instant(document.get("lastUpdateDateTime")) or created
    if updated is None:
        raise Unreadable("lastUpdateDateTime", "is missing or no time, and so is createdDateTime")
    entities = Entities()
    for evidence in objects(document.get("evidence")):
        entities.add(evidence)
    sensitive = leaves(without(document, _HARMLESS_FIELDS), HARMLESS_VALUES)
    stored = clean_metadata(
        {
            "service": [text(document.get("serviceSource"))],
            "detection": [text(document.get("detectionSource"))],
            "product": [text(document.get("productName"))],
            "detector": [text(document.get("detectorId"))],
            "categories": strings(document.get("categories")) or strings(document.get("category")),
            "unread": list(entities.unread),
        },
        sensitive,
    )
    return AlertRecord(
        provider_id=given_id,
        source="alerts_v2",
        title=text(document.get("title")),
        description=raw(document.get("description")),
        recommended_actions=paragraphs(document.get("recommendedActions")),
        severity=Severity(enum_value(document.get("severity"), SEVERITIES)),
        status=enum_value(document.get("status"), STATUSES),
        classification=enum_value(document.get("classification"), CLASSIFICATIONS),
        determination=enum_value(document.get("determination"), DETERMINATIONS),
        service_source="".join(stored["service"]),
        detection_source="".join(stored["detection"]),
        product="".join(stored["product"]),
        detector_id="".join(stored["detector"]),
        categories=stored["categories"],
        techniques=techniques(document.get("mitreTechniques")),
        incident_id=incident_id(document.get("incidentId"), sensitive),
        incident_url=https_url(document.get("incidentWebUrl")),
        alert_url=https_url(document.get("alertWebUrl")),
        assigned_to=text(document.get("assignedTo")),
        created_at=created or updated,
        updated_at=updated,
        first_activity_at=instant(document.get("firstActivityDateTime")),
        last_activity_at=instant(document.get("lastActivityDateTime")),
        resolved_at=instant(document.get("resolvedDateTime")),
        entities=entities.records(),
        sensitive=sensitive,
        unread=stored["unread"],
    )
