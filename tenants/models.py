"""What all tenants share: who they are, who may see them, and the slim rows of the shared queue.

These tables lie in `public`. A tenant's own alerts and cases lie in its schema.
"""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django_tenants.models import TenantMixin

SLUG = RegexValidator(
    r"^[a-z](?:[a-z0-9]|-(?!-)){0,38}[a-z0-9]\Z",
    "A slug is 2 to 40 small letters, digits and single hyphens, beginning with a letter.",
)
RESERVED_SLUGS = frozenset({"public", "admin", "api", "www", "all", "new", "static", "portal"})


class Tenant(TenantMixin):
    """A customer of the provider. Its row is the only thing that names its schema."""

    class State(models.TextChoices):
        ONBOARDING = "onboarding"
        ACTIVE = "active"
        PAUSED = "paused"
        OFFBOARDED = "offboarded"

    auto_create_schema = False
    auto_drop_schema = False

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=State, default=State.ONBOARDING)
    directory_id = models.UUIDField(unique=True, help_text="Microsoft Entra tenant id")
    client_id = models.UUIDField(help_text="Application id of the app that reads the directory")
    credential_secret = models.CharField(
        max_length=127, help_text="Name of the Key Vault secret; never its value"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    migrated_to = models.CharField(max_length=64, blank=True, help_text="Fingerprint of migrations")
    next_poll_at = models.DateTimeField(null=True, blank=True)
    next_delivery_at = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True, help_text="Last complete poll")
    poll_began_at = models.DateTimeField(
        null=True, blank=True, help_text="Begin of the last poll that ended, well or not"
    )
    failing_since = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    push_healthy_at = models.DateTimeField(null=True, blank=True, help_text="Push last proved well")
    next_push_at = models.DateTimeField(
        null=True, blank=True, help_text="Subscriptions are compared with Microsoft's"
    )
    push_resources = models.JSONField(
        null=True, blank=True, help_text="What to subscribe to; empty: the default"
    )
    silent_since = models.DateTimeField(null=True, blank=True, help_text="Quieter than chance")
    silent_sources = models.JSONField(default=list, db_default=[], blank=True)
    unread_windows = models.IntegerField(default=0, db_default=0)
    quarantined = models.IntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["name", "pk"]
        indexes = [
            # Beat asks every few seconds which tenants are due.
            models.Index(
                fields=["next_poll_at"], condition=models.Q(state="active"), name="tenant_due"
            ),
            models.Index(
                fields=["next_delivery_at"],
                condition=models.Q(state="active"),
                name="tenant_delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def is_failing(self) -> bool:
        return self.failures > 0


def schema_of(slug: str) -> str:
    """`t_` keeps customers' schemas apart from `public`, `information_schema` and `pg_*`."""
    return "t_" + slug.replace("-", "_")


class User(AbstractUser):
    """A person at the provider or a customer's CISO. Rights come from grants alone."""

    preferences = models.JSONField(default=dict, blank=True)


class Grant(models.Model):
    """What a user may do, for one tenant or (tenant is empty) for all of them."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        ANALYST = "analyst"
        ADMIN = "admin"

    user = models.ForeignKey(User, models.CASCADE, related_name="grants")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="grants", null=True, blank=True)
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tenant"], name="one_grant_a_tenant", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.tenant_id or '*'}:{self.role}"


class TicketConnection(models.Model):
    """A tenant's ticket system. The key's value stays in the vault."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.OneToOneField(Tenant, models.CASCADE, related_name="ticketing")
    system = models.CharField(max_length=30)
    url = models.URLField(max_length=300)
    secret_name = models.CharField(max_length=127)
    options = models.JSONField(default=dict, blank=True)
    is_enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"{self.system} of tenant {self.tenant_id}"


class AuditEntry(models.Model):
    """Who did or saw what. The database lets nobody change or remove a row."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=150, help_text="User name, or 'system'")
    action = models.CharField(max_length=40)
    tenant = models.ForeignKey(Tenant, models.DO_NOTHING, null=True, db_constraint=False)
    subject = models.CharField(max_length=100, blank=True, help_text="Kind and public id")
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


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
            # The open cases of one assignee. `> 0`, not `IS NOT NULL`: every id meets it, and
            # the planner must not take this index for "assigned to anybody".
            models.Index(
                fields=["assignee_id", "-last_activity_at", "-id", "tenant_id"],
                condition=models.Q(status__lt=2, assignee_id__gt=0),
                name="queue_open_assignee",
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
