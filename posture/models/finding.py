"""What we found about a tenant's posture: open until what it tells of is over."""

from __future__ import annotations

import uuid

from django.db import models


class Finding(models.Model):
    """One thing that somebody should look at. Written by `posture.findings.settle` alone.

    `key` tells findings of a kind apart: a closed word or a pseudonym, never a name. `facts` are
    counts, times, pseudonyms and our own words. A slim row of it stands in `public`, for the list
    over many tenants (`tenants.models.FindingEntry`).
    """

    class Kind(models.TextChoices):
        SCORE_DROPPED = "score_dropped", "Secure Score fell"
        UNWATCHED = "unwatched_resources", "Azure resources are not watched"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    severity = models.SmallIntegerField(help_text="As a case's: 1 informational ... 4 high")
    summary = models.CharField(max_length=200, help_text="Our own words and counts")
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=models.Q(closed_at=None),
                name="finding_open_once",
            ),
        ]
        # The open ones of a kind, and a tenant's history of it.
        indexes = [models.Index(fields=["kind", "-opened_at"], name="finding_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
