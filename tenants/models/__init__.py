"""What all tenants share: who they are, who may see them, and the slim rows of the shared queue.

These tables lie in `public`. A tenant's own alerts and cases lie in its schema.
"""

from tenants.models.audit import AuditArchive, AuditEntry, AuditSeal
from tenants.models.branding import Branding
from tenants.models.figures import CaseFigure
from tenants.models.keys import ApiKey, ApiTask, QueueTombstone
from tenants.models.onboarding import Onboarding
from tenants.models.people import Grant, TenantGroup, User
from tenants.models.posture import FindingEntry, FindingRule, ScoreBand
from tenants.models.queue import (
    PILLARS,
    ROLLUP_CELLS,
    SEVERITIES,
    EntityIndex,
    QueueEntry,
    QueueRollup,
)
from tenants.models.rules import Rule, RuleVersion
from tenants.models.signin import (
    EntraIdentity,
    EntraMapping,
    Passkey,
    PortalSession,
    RecoveryCode,
    TotpDevice,
)
from tenants.models.tenant import RESERVED_SLUGS, SLUG, Tenant, TicketConnection, schema_of
from tenants.models.threats import ExploitScore, KnownExploited, NewsItem, PublicFeed
from tenants.models.tying import MovedCase, OverlapClass
from tenants.models.views import SavedView
from tenants.models.webhooks import Webhook, WebhookCase, WebhookCursor, WebhookDelivery

__all__ = [
    "PILLARS",
    "RESERVED_SLUGS",
    "ROLLUP_CELLS",
    "SEVERITIES",
    "SLUG",
    "ApiKey",
    "ApiTask",
    "AuditArchive",
    "AuditEntry",
    "AuditSeal",
    "Branding",
    "CaseFigure",
    "EntityIndex",
    "EntraIdentity",
    "EntraMapping",
    "ExploitScore",
    "FindingEntry",
    "FindingRule",
    "Grant",
    "KnownExploited",
    "MovedCase",
    "NewsItem",
    "Onboarding",
    "OverlapClass",
    "Passkey",
    "PortalSession",
    "PublicFeed",
    "QueueEntry",
    "QueueRollup",
    "QueueTombstone",
    "RecoveryCode",
    "Rule",
    "RuleVersion",
    "SavedView",
    "ScoreBand",
    "Tenant",
    "TenantGroup",
    "TicketConnection",
    "TotpDevice",
    "User",
    "Webhook",
    "WebhookCase",
    "WebhookCursor",
    "WebhookDelivery",
    "schema_of",
]
