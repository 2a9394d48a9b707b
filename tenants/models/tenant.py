"""A customer of the provider, and its ticket system."""

from __future__ import annotations

import uuid

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

    class WriteBackMode(models.TextChoices):
        OFF = "off", "Off"
        STATUS = "status", "Status and classification only"
        ALL = "all", "Status, classification, assignment and comments"

    class AutoClose(models.TextChoices):
        """Whether cases that are proven harmless, or that a rule means, are closed."""

        ON = "on", "Close"
        DRY = "dry", "Only say what would have been closed"
        OFF = "off", "Never"

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
    next_outcome_at = models.DateTimeField(
        null=True, blank=True, help_text="Write-backs and tickets are to be looked at"
    )
    write_back = models.CharField(
        max_length=10, choices=WriteBackMode, default="all", db_default="all"
    )
    next_judgement_at = models.DateTimeField(
        null=True, blank=True, help_text="Facts, watches, snoozes and waits that fall due"
    )
    auto_close = models.CharField(max_length=4, choices=AutoClose, default="on", db_default="on")
    priority_weights = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Points that differ from the table"
    )
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
    last_alert_at = models.DateTimeField(null=True, blank=True, help_text="Microsoft's clock")
    sources_off = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Sources that an admin switched off"
    )
    missing_permissions = models.JSONField(default=list, db_default=[], blank=True)
    unlicensed = models.JSONField(default=list, db_default=[], blank=True)
    permissions_checked_at = models.DateTimeField(null=True, blank=True)
    credential_expires_at = models.DateTimeField(
        null=True, blank=True, help_text="As the vault says"
    )
    subscriptions_active = models.IntegerField(default=0, db_default=0)
    subscriptions_expire_at = models.DateTimeField(null=True, blank=True)
    next_score_at = models.DateTimeField(
        null=True, blank=True, help_text="Secure Score is read; empty: at once"
    )
    score_read_at = models.DateTimeField(null=True, blank=True)
    score_percent = models.FloatField(null=True, blank=True, help_text="Secure Score")
    score_standing = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="See posture.standing"
    )
    next_inventory_at = models.DateTimeField(
        null=True, blank=True, help_text="Azure is read; empty: at once"
    )
    coverage = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Counts, see posture.tally"
    )
    next_weakness_at = models.DateTimeField(
        null=True, blank=True, help_text="Weaknesses are read; empty: at once"
    )
    weaknesses = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Counts, see posture.exposure"
    )
    report_plan = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="See reports.periods.Plan"
    )
    report_standing = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Of the newest monthly report"
    )
    next_report_at = models.DateTimeField(null=True, blank=True, help_text="Empty: not planned yet")
    next_lake_at = models.DateTimeField(
        null=True, blank=True, help_text="The lake gets what is new; empty: at once"
    )
    lake_until = models.DateTimeField(null=True, blank=True, help_text="How far the lake reaches")
    lake_days = models.IntegerField(
        default=400, db_default=400, help_text="How long the lake keeps what was written to it"
    )
    sla = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="See tenants.sla; empty: the default"
    )

    class Meta:
        ordering = ["name", "pk"]
        indexes = [
            # Beat asks every few seconds which tenants are due.
            models.Index(
                fields=["next_poll_at"], condition=models.Q(state="active"), name="tenant_due"
            ),
            models.Index(
                fields=["next_judgement_at"],
                condition=models.Q(state="active"),
                name="tenant_judgement_due",
            ),
            models.Index(
                fields=["next_delivery_at"],
                condition=models.Q(state="active"),
                name="tenant_delivery_due",
            ),
            models.Index(
                fields=["next_outcome_at"],
                condition=models.Q(state="active"),
                name="tenant_outcome_due",
            ),
            models.Index(
                fields=["next_score_at"],
                condition=models.Q(state="active"),
                name="tenant_score_due",
            ),
            models.Index(
                fields=["next_inventory_at"],
                condition=models.Q(state="active"),
                name="tenant_inventory_due",
            ),
            models.Index(
                fields=["next_lake_at"], condition=models.Q(state="active"), name="tenant_lake_due"
            ),
            models.Index(
                fields=["next_report_at"],
                condition=models.Q(state="active"),
                name="tenant_report_due",
            ),
            models.Index(
                fields=["next_weakness_at"],
                condition=models.Q(state="active"),
                name="tenant_weakness_due",
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

    def reads(self, source: str) -> bool:
        """Whether a source is to be read: all are, unless an admin switched it off."""
        return source not in self.sources_off


def schema_of(slug: str) -> str:
    """`t_` keeps customers' schemas apart from `public`, `information_schema` and `pg_*`."""
    return "t_" + slug.replace("-", "_")


class TicketConnection(models.Model):
    """A tenant's ticket system. The key's value stays in the vault."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.OneToOneField(Tenant, models.CASCADE, related_name="ticketing")
    system = models.CharField(max_length=30)
    url = models.URLField(max_length=300)
    secret_name = models.CharField(max_length=127)
    options = models.JSONField(default=dict, blank=True)
    mapping = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="See ticketing.mapping"
    )
    is_enabled = models.BooleanField(default=True)
    read_until = models.DateTimeField(
        null=True, blank=True, help_text="Changes there are known up to this time of ours"
    )
    next_read_at = models.DateTimeField(null=True, blank=True, help_text="Empty: at once")
    hinted_at = models.DateTimeField(null=True, blank=True, help_text="Its webhook last came")
    read_error = models.CharField(max_length=300, blank=True, default="", db_default="")

    def __str__(self) -> str:
        return f"{self.system} of tenant {self.tenant_id}"
