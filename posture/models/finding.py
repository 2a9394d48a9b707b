"""What we found about a tenant's posture: open until what it tells of is over."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.pseudonyms import crockford


class Finding(models.Model):
    """One thing that somebody should look at. Written by `posture.findings.settle` alone.

    `key` tells findings of a kind apart: a closed word or a pseudonym, never a name. `facts` are
    counts, times, pseudonyms and our own words. A slim row of it stands in `public`, for the list
    over many tenants (`tenants.models.FindingEntry`).
    """

    class Kind(models.TextChoices):
        SCORE_DROPPED = "score_dropped", "Secure Score fell"
        UNWATCHED = "unwatched_resources", "Azure resources are not watched"
        EXPLOITED = "exploited_weaknesses", "Weaknesses that attackers use now"

    class Reason(models.TextChoices):
        """Why a risk is accepted: a closed list, because free text might name people."""

        OWN = "own", "The customer accepts the risk"
        OTHERWISE = "otherwise", "Prevented by other means"
        PLANNED = "planned", "Work on it is planned"
        LEAVING = "leaving", "Is being shut down"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    severity = models.SmallIntegerField(help_text="As a case's: 1 informational ... 4 high")
    summary = models.CharField(max_length=200, help_text="Our own words and counts")
    facts = models.JSONField(default=dict)
    size = models.IntegerField(default=0, db_default=0, help_text="How many things it is about")
    peak = models.IntegerField(default=0, db_default=0, help_text="The most there ever were")
    growth = models.IntegerField(
        default=1, db_default=1, help_text="Rises when it becomes larger than ever, or worse"
    )
    owner_id = models.IntegerField(null=True, help_text="public.user, read outside the scope")
    accepted_until = models.DateTimeField(null=True)
    accepted_why = models.CharField(
        max_length=12, choices=Reason, blank=True, default="", db_default=""
    )
    ticket_ref = models.CharField(max_length=60, blank=True, default="", db_default="")
    ticket_url = models.CharField(max_length=300, blank=True, default="", db_default="")
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
    def reference(self) -> str:
        """Ours, in tickets: 60 bits of the random id."""
        return "CSC-" + crockford(self.public_id.int >> 68, 12)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
