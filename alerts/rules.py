"""The rules that people make: reading those of a tenant, making, editing, ending them.

They lie in `public` and are read by the portal's role, under row-level security. Every change is a
new version and an entry in the audit log. Who may do it is the caller's question.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from alerts import policy
from alerts.patterns import hide_patterns
from tenants.audit import record
from tenants.models import Rule, RuleVersion, Tenant, TenantGroup
from tenants.scope import granted

logger = logging.getLogger(__name__)

LONGEST_NAME, LONGEST_REASON = 100, 200
CHANGED = "Somebody changed this rule meanwhile. Look at it again, then repeat."


class Refused(ValueError):
    """The rule can't be made so; the message says why."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants. `tenant`, else `group`, else all tenants."""

    name: str
    reason: str
    definition: object
    tenant: Tenant | None = None
    group: TenantGroup | None = None
    expires_at: datetime | None = None
    is_enabled: bool = True


def rules_for(tenant: Tenant, now: datetime) -> list[policy.Rule]:
    """The rules that hold for a tenant now. Two statements, outside of its scope."""
    with granted([tenant.pk]):
        groups = list(tenant.groups.values_list("pk", flat=True))
        mine = Q(tenant_id=tenant.pk) | Q(group_id__in=groups) | Q(tenant_id=None, group_id=None)
        alive = Q(expires_at=None) | Q(expires_at__gt=now)
        rows = list(Rule.objects.filter(mine, alive, is_enabled=True, deleted_at=None))
    return as_rules(rows)


def as_rules(rows: Iterable[Rule]) -> list[policy.Rule]:
    """Rules as the policy takes them. One that this version can't read holds never, and says so."""
    found = []
    for row in rows:
        try:
            definition = policy.read_definition(row.definition)
        except policy.BadRule:
            logger.error("a rule can't be read id=%s version=%s", row.public_id, row.version)
            continue
        rank = 0 if row.tenant_id else 1 if row.group_id else 2
        found.append(
            policy.Rule(
                row.public_id, row.version, row.name, row.reason, definition, rank, row.expires_at
            )
        )
    return found


def listed(tenant_ids: Sequence[int], *, with_ended: bool = False) -> list[Rule]:
    """The rules that somebody who is granted these tenants may see, the newest first.

    Rules of a group are shown if one of the tenants is in it.
    """
    ids = list(tenant_ids)
    with granted(ids):
        groups = TenantGroup.objects.filter(tenants__in=ids).values("pk")
        seen = Q(tenant_id__in=ids) | Q(group_id__in=groups) | Q(tenant_id=None, group_id=None)
        alive = Q() if with_ended else Q(deleted_at=None)
        return list(Rule.objects.filter(seen, alive).order_by("-pk"))


def versions(rule: Rule) -> list[RuleVersion]:
    """What it said from when on, the newest first."""
    with _may_see(rule.tenant_id):
        return list(rule.versions.order_by("-version"))


def create_rule(draft: Draft, *, actor: str, owner_id: int | None, now: datetime) -> Rule:
    """Raises Refused, or policy.BadRule, with a sentence."""
    _check(draft, now)
    tenant_id = draft.tenant.pk if draft.tenant else None
    with _may_see(tenant_id), transaction.atomic():
        rule = Rule.objects.create(
            public_id=uuid.uuid4(),
            tenant_id=tenant_id,
            group_id=draft.group.pk if draft.group and not draft.tenant else None,
            owner_id=owner_id,
            **_columns(draft),
        )
        _keep_version(rule)
        _tell(rule, actor, "rule_created", draft.tenant)
    return rule


def edit_rule(rule: Rule, draft: Draft, *, actor: str, owner_id: int | None, now: datetime) -> Rule:
    """A new version; its scope stays. Raises Refused, also when somebody else was faster."""
    _check(draft, now)
    return _change(rule, actor, "rule_edited", {**_columns(draft), "owner_id": owner_id})


def expire_rule(rule: Rule, *, actor: str, now: datetime) -> Rule:
    """It holds no longer, from now on. Raises Refused."""
    return _change(rule, actor, "rule_expired", {"expires_at": now})


def delete_rule(rule: Rule, *, actor: str, now: datetime) -> Rule:
    """Taken out of the lists; its versions stay, because decisions name them. Raises Refused."""
    return _change(rule, actor, "rule_deleted", {"is_enabled": False, "deleted_at": now})


def _change(rule: Rule, actor: str, action: str, columns: dict[str, object]) -> Rule:
    with _may_see(rule.tenant_id), transaction.atomic():
        mine = Rule.objects.filter(pk=rule.pk, version=rule.version, deleted_at=None)
        if not mine.update(**columns, version=F("version") + 1, changed_at=Now()):
            raise Refused(CHANGED)
        newer = Rule.objects.get(pk=rule.pk)
        _keep_version(newer)
        tenant = Tenant.objects.filter(pk=newer.tenant_id).first() if newer.tenant_id else None
        _tell(newer, actor, action, tenant)
    return newer


def _columns(draft: Draft) -> dict[str, object]:
    return {
        "name": draft.name.strip(),
        "reason": draft.reason.strip(),
        "definition": draft.definition,
        "expires_at": draft.expires_at,
        "is_enabled": draft.is_enabled,
    }


def _check(draft: Draft, now: datetime) -> None:
    definition = policy.read_definition(draft.definition)
    check_text(draft.name, "name", LONGEST_NAME)
    check_text(draft.reason, "reason", LONGEST_REASON)
    if draft.expires_at is not None and draft.expires_at <= now:
        raise Refused("The rule would have expired already.")
    asks_entities = "entities" in _fields(definition.when)
    if asks_entities and draft.tenant is None:
        raise Refused("A rule about one person or thing must be for one tenant.")


def _fields(group: policy.Group) -> set[str]:
    found: set[str] = set()
    for part in group.parts:
        found |= _fields(part) if isinstance(part, policy.Group) else {part.field}
    return found


def asks_entities(rules: Iterable[policy.Rule]) -> bool:
    """Whether one of the rules is about single people or things."""
    return any("entities" in _fields(rule.definition.when) for rule in rules)


def check_text(text: str, what: str, longest: int) -> None:
    """A text of our own people, which may not name anybody. Raises Refused."""
    if not text.strip():
        raise Refused(f"Give a {what}.")
    if len(text) > longest:
        raise Refused(f"The {what} is longer than {longest} characters.")
    if "\0" in text or hide_patterns(text) != text:
        raise Refused(f"The {what} may not hold addresses, names of accounts or hosts, or ids.")


def _keep_version(rule: Rule) -> None:
    RuleVersion.objects.create(
        rule=rule,
        tenant_id=rule.tenant_id,
        version=rule.version,
        name=rule.name,
        definition=rule.definition,
        reason=rule.reason,
        owner_id=rule.owner_id,
        expires_at=rule.expires_at,
        is_enabled=rule.is_enabled,
    )


def _tell(rule: Rule, actor: str, action: str, tenant: Tenant | None) -> None:
    then = rule.definition.get("then", {}).get("action", "")
    facts = {"version": rule.version, "action": then, "group": rule.group_id}
    record(actor, action, tenant, f"rule {rule.public_id}", facts)
    logger.info("%s id=%s version=%s", action, rule.public_id, rule.version)


def _may_see(tenant_id: int | None) -> AbstractContextManager[None]:
    return granted([tenant_id] if tenant_id else [])
