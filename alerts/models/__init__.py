"""One tenant's alerts, entities and cases: metadata and pseudonyms, in the tenant's own schema.

No text here comes from Microsoft unscrubbed; names, addresses and descriptions are never stored.
"""

from alerts.models.alert import Alert, AlertEntity, Entity, EntityKey, Quarantined
from alerts.models.case import Case, CaseEvent
from alerts.models.facts import (
    AlertFact,
    AssetClass,
    AssetMember,
    EntityLink,
    LinkSource,
    SignInTrace,
)
from alerts.models.feed import Cursor, Poll, Redirect, SourceAbility, Subscription
from alerts.models.judgement import Decision, Suppression, Watch, WatchHit
from alerts.models.outcome import WriteBack
from alerts.models.tying import Apart, Hub, OverlapOverride

__all__ = [
    "Alert",
    "AlertEntity",
    "AlertFact",
    "Apart",
    "AssetClass",
    "AssetMember",
    "Case",
    "CaseEvent",
    "Cursor",
    "Decision",
    "Entity",
    "EntityKey",
    "EntityLink",
    "Hub",
    "LinkSource",
    "OverlapOverride",
    "Poll",
    "Quarantined",
    "Redirect",
    "SignInTrace",
    "SourceAbility",
    "Subscription",
    "Suppression",
    "Watch",
    "WatchHit",
    "WriteBack",
]
