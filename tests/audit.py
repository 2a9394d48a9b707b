"""What a test wrote to the audit log. Nobody can delete entries, so those of other tests stay."""

from __future__ import annotations

from django.db.models import Max, QuerySet

from tenants.models import AuditEntry

_begun_after = 0


def begin() -> None:
    """What is there now does not count."""
    global _begun_after
    _begun_after = AuditEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0


def audited() -> QuerySet[AuditEntry]:
    """Entries of this test."""
    return AuditEntry.objects.filter(pk__gt=_begun_after)
