"""How the provider's reports look: one row for the whole portal."""

from __future__ import annotations

from django.db import models


class Branding(models.Model):
    """At most one row. `logo` was taken apart and put together anew (reports/brand.py)."""

    name = models.CharField(max_length=60, blank=True, help_text="Of the provider")
    colour = models.CharField(max_length=7, default="#1d4ed8", help_text="#rrggbb")
    logo = models.BinaryField(max_length=102_400, null=True, help_text="PNG")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="branding_only_one"),
        ]

    def __str__(self) -> str:
        return self.name
