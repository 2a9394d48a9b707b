"""From a source's raw document to an AlertRecord: a module per API, tables for evidence."""

from alerts.normalise.alerts_v2 import normalise_alert
from alerts.normalise.fields import Unreadable
from alerts.normalise.legacy import normalise_legacy
from alerts.records import AlertRecord

__all__ = ["Unreadable", "normalise"]

_ONLY_LEGACY = frozenset(
    {"vendorInformation", "azureTenantId", "lastModifiedDateTime", "eventDateTime", "userStates"}
)
_ONLY_V2 = frozenset({"evidence", "lastUpdateDateTime", "serviceSource", "alertWebUrl"})


def normalise(document: object) -> AlertRecord:
    """The alert in a document of `alerts_v2` or of the legacy API, told apart by their fields.

    Raises Unreadable, whose text names the field and no value, if it has no usable id or time.
    """
    if type(document) is not dict:
        raise Unreadable("document", "is not an object")
    if _ONLY_LEGACY & document.keys() and not _ONLY_V2 & document.keys():
        return normalise_legacy(document)
    return normalise_alert(document)
