"""Views of the queue that people keep: a filter, an order and columns under a name."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from tenants.models.people import User


class SavedView(models.Model):
    """`query` is a part of an address, without tenants: whose cases it shows is the reader's scope.

    A shared view is shown to everybody of the provider, to customers' people never.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="views")
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=1000, blank=True)
    columns = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint("owner", Lower("name"), name="one_view_a_name"),
        ]

    def __str__(self) -> str:
        return f"view {self.public_id}"
