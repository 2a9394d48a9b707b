"""What all tenants' correlation shares, and where merged cases went."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class OverlapClass(models.Model):
    """The provider's version of a class of equivalent detections, for all tenants.

    It holds no customer's data; every tenant's role may read it. The portal's own defaults are not
    here: they come with the code (`alerts.overlap_defaults`).
    """

    name = models.CharField(max_length=40, primary_key=True)
    body = models.JSONField(help_text="As alerts.overlap.read_class reads it")
    version = models.IntegerField(default=1)
    actor_id = models.IntegerField(null=True)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MovedCase(models.Model):
    """The address of a case that was merged into another, so that old links still lead there.

    Under the same row-level security as the queue. `target` is a case that is in the queue.
    """

    public_id = models.UUIDField(primary_key=True)
    tenant_id = models.IntegerField()
    target = models.UUIDField()

    class Meta:
        ordering = ["pk"]
        # When a case is merged on, what led to it leads on too.
        indexes = [models.Index(fields=["target"], name="moved_target")]

    def __str__(self) -> str:
        return f"{self.public_id} is now {self.target}"
