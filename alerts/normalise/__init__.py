"""From a source's raw document to an AlertRecord: a module per API, tables for evidence."""

from collections.abc import Mapping

from alerts.normalise.alerts_v2 import normalise_alert
from alerts.normalise.fields import Unreadable
from alerts.normalise.legacy import normalise_legacy
from alerts.records import AlertRecord
from tenants.documents import objects

__all__ = ["Unreadable", "alerts_in", "is_incident", "normalise"]

_ONLY_LEGACY = frozenset(
    {"vendorInformation", "azureTenantId", "lastModifiedDateTime", "eventDateTime", "userStates"}
)
_ONLY_V2 = frozenset({"evidence", "lastUpdateDateTime", "serviceSource", "alertWebUrl"})
_ONLY_INCIDENTS = frozenset({"alerts", "displayName", "redirectIncidentId"})


def normalise(document: object) -> AlertRecord:
    """The alert in a document of `alerts_v2` or of the legacy API, told apart by their fields.

    Raises Unreadable, whose text names the field and no value, if it has no usable id or time.
    """
    if type(document) is not dict:
        raise Unreadable("document", "is not an object")
    if is_incident(document):
        raise Unreadable("document", "is an incident, not an alert")
    if _ONLY_LEGACY & document.keys() and not _ONLY_V2 & document.keys():
        return normalise_legacy(document)
    return normalise_alert(document)


def alerts_in(document: object) -> list[object]:
    """The alerts that an incident was exported with; of any other document, the document."""
    if type(document) is not dict or not is_incident(document):
        return [document]
    found = objects(document.get("alerts"))
    return [{"incidentId": document.get("id"), **one} for one in found] or [document]


def is_incident(document: Mapping[str, object]) -> bool:
    """Microsoft's own grouping; its id says nothing about alerts."""
    return "title" not in document and bool(_ONLY_INCIDENTS & document.keys())
