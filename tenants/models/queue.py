"""The slim rows of the shared queue, its counts, and the index of pseudonyms."""

from __future__ import annotations

from django.db import models


class QueueEntry(models.Model):
    """One case as the shared queue shows it. Written with the case, under row-level security.

    `tenant_id` and `case_id` are no foreign keys: a tenant's role may not read `public.tenant`, and
    the case lies in the tenant's schema.
    """

    class Status(models.IntegerChoices):
        NEW = 0
        IN_PROGRESS = 1
        RESOLVED = 2

    tenant_id = models.IntegerField()
    case_id = models.BigIntegerField()
    public_id = models.UUIDField(unique=True)
    status = models.SmallIntegerField(choices=Status)
    severity = models.SmallIntegerField(help_text="0 unknown, 1 informational ... 4 high")
    priority = models.SmallIntegerField(help_text="0 to 100")
    pillars = models.SmallIntegerField(help_text="alerts.records.Pillar bits")
    source = models.CharField(max_length=60, help_text="serviceSource of the first alert")
    category = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=300, help_text="Scrubbed of every entity's value")
    is_vip = models.BooleanField(default=False)
    alert_count = models.IntegerField()
    entity_count = models.IntegerField()
    entities = models.JSONField(default=list, help_text="First two: [kind, pseudonym]")
    assignee_id = models.IntegerField(null=True)
    verdict = models.CharField(max_length=40, blank=True)
    ticket_ref = models.CharField(max_length=40, blank=True)
    ticket_url = models.CharField(max_length=300, blank=True)
    first_activity_at = models.DateTimeField()
    last_activity_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, help_text="Next of the tenant's targets; see sla.py")
    snoozed_until = models.DateTimeField(null=True, help_text="Not in the queue before")
    closed_by = models.CharField(
        max_length=12, blank=True, default="", db_default="", help_text="proof, rule, suppressed"
    )
    change = models.BigIntegerField(help_text="Id of the transaction that wrote the row last")

    class Meta:
        ordering = ["-last_activity_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "case_id"], name="queue_case"),
        ]
        indexes = [
            # The open queue over many tenants, newest first.
            models.Index(
                fields=["-last_activity_at", "-id", "tenant_id", "severity"],
                condition=models.Q(status__lt=2),
                name="queue_open_newest",
            ),
            # The open queue of few tenants.
            models.Index(
                fields=["tenant_id", "-last_activity_at", "-id"],
                condition=models.Q(status__lt=2),
                name="queue_open_tenant",
            ),
            # All cases of few tenants, closed ones included.
            models.Index(fields=["tenant_id", "-last_activity_at", "-id"], name="queue_tenant"),
            # All cases over many tenants, closed ones included.
            models.Index(fields=["-last_activity_at", "-id", "tenant_id"], name="queue_newest"),
            # What changed since a live page last asked.
            models.Index(fields=["change", "tenant_id"], name="queue_change"),
            # The same of few tenants, for programs that keep a copy.
            models.Index(fields=["tenant_id", "change", "id"], name="queue_tenant_walk"),
            # The open cases of one assignee. `> 0`, not `IS NOT NULL`: every id meets it, and
            # the planner must not take this index for "assigned to anybody".
            models.Index(
                fields=["assignee_id", "-last_activity_at", "-id", "tenant_id"],
                condition=models.Q(status__lt=2, assignee_id__gt=0),
                name="queue_open_assignee",
            ),
            # The open queue by urgency instead of news: most severe, highest priority, due first.
            models.Index(
                fields=["-severity", "-last_activity_at", "-id", "tenant_id"],
                condition=models.Q(status__lt=2),
                name="queue_open_severity",
            ),
            models.Index(
                fields=["-priority", "-last_activity_at", "-id", "tenant_id"],
                condition=models.Q(status__lt=2),
                name="queue_open_priority",
            ),
            models.Index(
                fields=["due_at", "id", "tenant_id"],
                condition=models.Q(status__lt=2),
                name="queue_open_due",
            ),
            # The case of a ticket's number.
            models.Index(
                fields=["ticket_ref", "tenant_id"],
                condition=models.Q(ticket_ref__gt=""),
                name="queue_ticket",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.case_id} of tenant {self.tenant_id}"


class QueueRollup(models.Model):
    """Counts of one tenant's cases in one wide row, kept by a trigger on the queue's rows.

    The columns are `ROLLUP_CELLS`, added below the class.
    """

    tenant_id = models.IntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"counts of tenant {self.tenant_id}"


PILLARS = ("identity", "device", "app", "data", "infrastructure")
"""In the order of the chain; bit n of `QueueEntry.pillars` is pillar n."""
SEVERITIES = ("unknown", "informational", "low", "medium", "high")
"""By rank, as `QueueEntry.severity` holds it."""

ROLLUP_CELLS: dict[str, str] = {
    **{
        f"{pillar}_{severity}": f"status < 2 AND severity = {rank} AND pillars & {1 << bit} > 0"
        for bit, pillar in enumerate(PILLARS)
        for rank, severity in enumerate(SEVERITIES)
    },
    **{
        f"open_{severity}": f"status < 2 AND severity = {rank}"
        for rank, severity in enumerate(SEVERITIES)
    },
    "status_new": "status = 0",
    "status_in_progress": "status = 1",
    "status_resolved": "status = 2",
}
"""Counted cell -> the SQL condition that a queue row meets to count in it."""

for _cell in ROLLUP_CELLS:
    QueueRollup.add_to_class(_cell, models.IntegerField(default=0, db_default=0))


class EntityIndex(models.Model):
    """Finds an entity over all tenants by a pseudonym. Rows are written with the entity's keys."""

    pk = models.CompositePrimaryKey("pseudonym", "tenant_id", "entity_id")
    pseudonym = models.UUIDField()
    tenant_id = models.IntegerField()
    entity_id = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.pseudonym)
