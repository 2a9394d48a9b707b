"""Who did or saw what: entries, the chain that seals them, and the parts put into archives.

The database lets nobody change or remove a row of these (migration 0017; tenants/audit_seals.py).
"""

from __future__ import annotations

from django.db import models

from tenants.models.tenant import Tenant


class AuditEntry(models.Model):
    """Who did or saw what."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=150, help_text="User name, or 'system'")
    action = models.CharField(max_length=40)
    tenant = models.ForeignKey(
        Tenant, models.DO_NOTHING, null=True, db_constraint=False, db_index=False
    )
    subject = models.CharField(max_length=100, blank=True, help_text="Kind and public id")
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_of_tenant"),
            models.Index(fields=["actor", "-id"], name="audit_of_actor"),
            models.Index(fields=["action", "-id"], name="audit_of_action"),
            # Who saw or did what with one case.
            models.Index(
                fields=["subject", "-id"], condition=~models.Q(subject=""), name="audit_of_subject"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class AuditSeal(models.Model):
    """The place of an entry in the chain. `mac` covers the entry and the mac before it."""

    seq = models.BigIntegerField(primary_key=True, help_text="1, 2, 3 ... without a gap")
    entry_id = models.BigIntegerField(unique=True)
    mac = models.BinaryField(max_length=32)
    key = models.CharField(max_length=8, help_text="Version of the master key")

    def __str__(self) -> str:
        return f"seal {self.seq}"


class AuditArchive(models.Model):
    """Entries `first` to `last` of the chain were written to a file and may leave the database.

    `mac` is keyed too, so that nobody can pretend that there was an archive.
    """

    first = models.BigIntegerField(primary_key=True)
    last = models.BigIntegerField(unique=True)
    last_mac = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the file")
    at = models.DateTimeField()
    key = models.CharField(max_length=8)
    mac = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"archive {self.first}-{self.last}"
