"""What the pages of analytics add up over tenants: counted from the lake."""

from __future__ import annotations

from django.db import models


class CaseFigure(models.Model):
    """Cases of one tenant that came within so many days, by one key of a topic.

    `key` and `more` are what the queue shows as well: a scrubbed title and its source, a pseudonym
    and its kind, a day, or the number of one of the portal's users. Under the queue's row-level
    security.
    """

    class Topic(models.TextChoices):
        DETECTION = "detection"
        SOURCE = "source"
        ENTITY = "entity"
        ANALYST = "analyst"
        SEVERITY = "severity"
        DAY = "day"
        TRIAGE = "triage", "Time until triage, by steps"
        RESOLVE = "resolve", "Time until resolved, by steps"

    pk = models.CompositePrimaryKey("topic", "days", "tenant_id", "key", "more")
    topic = models.CharField(max_length=10, choices=Topic)
    days = models.SmallIntegerField(help_text="Length of the period, which ends at lake_until")
    tenant_id = models.IntegerField()
    key = models.CharField(max_length=300)
    more = models.CharField(max_length=60, blank=True)
    cases = models.IntegerField(default=0)
    alerts = models.IntegerField(default=0)
    open = models.IntegerField(default=0)
    true_positive = models.IntegerField(default=0, help_text="Judged by people, so the next two")
    expected = models.IntegerField(default=0)
    false_positive = models.IntegerField(default=0)
    by_portal = models.IntegerField(default=0, help_text="Closed by the portal itself")
    triaged = models.IntegerField(default=0)
    triage_s = models.BigIntegerField(default=0, help_text="Sum over those triaged")
    resolved = models.IntegerField(default=0, help_text="By people")
    resolve_s = models.BigIntegerField(default=0, help_text="Sum over those resolved")

    class Meta:
        # A tenant's own are replaced as a whole.
        indexes = [models.Index(fields=["tenant_id"], name="figure_tenant")]

    def __str__(self) -> str:
        return f"{self.topic} {self.key} of tenant {self.tenant_id}"
