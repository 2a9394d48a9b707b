"""The rules by which cases are closed, raised or held: for all tenants, a group of them, or one.

They lie in `public`, where a tenant's role may read nothing; for the portal row-level security
shows the rules for all and those of the granted tenants. What a definition may say stands in
`alerts/policy.py`.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now


class Rule(models.Model):
    """A rule in its newest version. Ended rules stay, so that old decisions can be read.

    `tenant_id` and `group_id` are no foreign keys: the rows outlive neither, and a check of one
    must not depend on what row-level security shows. Both empty: for all tenants.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant_id = models.IntegerField(null=True)
    group_id = models.IntegerField(null=True, help_text="tenants.TenantGroup")
    name = models.CharField(max_length=100)
    version = models.IntegerField(default=1)
    definition = models.JSONField(help_text="alerts.policy: when, then")
    reason = models.CharField(max_length=200)
    owner_id = models.IntegerField(null=True, help_text="User; empty: the portal's own rule")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    is_enabled = models.BooleanField(default=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(tenant_id=None) | models.Q(group_id=None), name="rule_one_scope"
            ),
        ]

    def __str__(self) -> str:
        return f"rule {self.public_id}"


class RuleVersion(models.Model):
    """What a rule said from `at` on. Rows are added, never changed."""

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="versions")
    tenant_id = models.IntegerField(null=True, help_text="As the rule's, for row-level security")
    version = models.IntegerField()
    name = models.CharField(max_length=100)
    definition = models.JSONField()
    reason = models.CharField(max_length=200)
    owner_id = models.IntegerField(null=True)
    expires_at = models.DateTimeField(null=True)
    is_enabled = models.BooleanField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "version"], name="one_rule_version"),
        ]

    def __str__(self) -> str:
        return f"version {self.version} of rule {self.rule_id}"
