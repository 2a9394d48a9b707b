"""What people do with webhooks: make, switch, test, replay, remove. Each is in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from alerts.rows import run
from clients.addresses import check_url, parse_networks
from clients.errors import Rejected
from csc_portal.access import Rights, rights_of
from csc_portal.sync import position_now
from csc_portal.webhooks.events import NEEDED, TEST, Kind, Occurred, secret_text
from tenants.audit import record
from tenants.directories import master_keys
from tenants.models import Tenant, TenantGroup, User, Webhook, WebhookCursor, WebhookDelivery
from tenants.push_keys import outgoing_key
from tenants.roles import Right
from ticketing.connections import private_networks

MOST_WEBHOOKS = 20
"""Of one owner."""

_TENANTS = """
SELECT webhook_id, tenant_id FROM tenants_webhook_tenants WHERE webhook_id = ANY(%s)
UNION
SELECT g.webhook_id, m.tenant_id FROM tenants_webhook_groups g
JOIN tenants_tenantgroup_tenants m ON m.tenantgroup_id = g.tenantgroup_id
WHERE g.webhook_id = ANY(%s)
"""


class BadWebhook(ValueError):
    """A webhook that can't be made; the message says why."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """`tenants` and `groups` empty: for all tenants of the owner."""

    name: str
    url: str
    events: Sequence[str]
    tenants: Sequence[Tenant] = ()
    groups: Sequence[TenantGroup] = ()


@transaction.atomic
def create_webhook(owner: User, new: NewWebhook, *, actor: str) -> Webhook:
    """Raises BadWebhook. It is told what happens from now on."""
    _check(owner, new)
    hook = Webhook.objects.create(
        owner=owner,
        name=new.name.strip(),
        url=new.url,
        events=sorted(set(new.events)),
        is_for_all=not new.tenants and not new.groups,
    )
    hook.tenants.set(new.tenants)
    hook.groups.set(new.groups)
    start = position_now()
    defaults = {"change": start.change, "place": start.place}
    WebhookCursor.objects.get_or_create(pk=1, defaults=defaults)
    facts = {
        "events": list(hook.events),
        "tenants": [tenant.slug for tenant in new.tenants],
        "groups": [group.slug for group in new.groups],
    }
    record(actor, "webhook_made", subject=f"webhook {hook.public_id}", facts=facts)
    return hook


def _check(owner: User, new: NewWebhook) -> None:
    if not new.name.strip() or len(new.name.strip()) > 60:
        raise BadWebhook("A webhook has a name of 1 to 60 characters.")
    known = {kind.value for kind in Kind}
    if not new.events or not set(new.events) <= known:
        raise BadWebhook(f"Choose events of: {', '.join(sorted(known))}.")
    if len(new.url) > 300:
        raise BadWebhook("The URL has at most 300 characters.")
    try:
        check_url(new.url, parse_networks(private_networks()))
    except Rejected as err:
        raise BadWebhook(str(err)) from err
    having = set(rights_of(owner).having(Right.MANAGE_KEYS))
    if lost := [tenant.slug for tenant in new.tenants if tenant.pk not in having]:
        raise BadWebhook(f"You may not make webhooks for: {', '.join(lost)}.")
    if Webhook.objects.filter(owner=owner).count() >= MOST_WEBHOOKS:
        raise BadWebhook(f"You have {MOST_WEBHOOKS} webhooks. Remove some first.")


def keys_of(hook: Webhook) -> list[bytes]:
    """One for each enabled version of the vault's key, newest first. Raises BadSecret, ApiError.

    While a key is rotated, calls are signed with both, and the receiver's secret goes on to work.
    """
    return [outgoing_key(key, hook.public_id, hook.key_number) for _, key in master_keys()]


def secret_of(hook: Webhook) -> str:
    """To be shown once. Raises BadSecret, ApiError."""
    return secret_text(keys_of(hook)[0])


def new_secret(hook: Webhook, *, actor: str) -> str:
    """The old one is void at once. Raises BadSecret, ApiError."""
    with transaction.atomic():
        hook.key_number += 1
        hook.save(update_fields=["key_number"])
        record(actor, "webhook_secret_changed", subject=f"webhook {hook.public_id}")
        return secret_of(hook)


def covered(hooks: Iterable[Webhook]) -> dict[int, dict[str, frozenset[int]]]:
    """Webhook -> kind of event -> tenants that it may be told of, by its owner's rights now."""
    hooks = list(hooks)
    ids = [hook.pk for hook in hooks]
    named: dict[int, set[int]] = {}
    for hook_id, tenant_id in run(_TENANTS, [ids, ids]) if ids else ():
        named.setdefault(hook_id, set()).add(tenant_id)
    rights: dict[int, Rights] = {
        owner.pk: rights_of(owner) for owner in {hook.owner for hook in hooks}
    }
    return {
        hook.pk: _tenants_by_kind(hook, rights[hook.owner_id], named.get(hook.pk, set()))
        for hook in hooks
    }


def _tenants_by_kind(hook: Webhook, rights: Rights, named: set[int]) -> dict[str, frozenset[int]]:
    managed = set(rights.having(Right.MANAGE_KEYS))
    if not hook.is_for_all:
        managed &= named
    return {
        kind.value: frozenset(managed.intersection(rights.having(NEEDED[kind])))
        for kind in Kind
        if kind.value in hook.events
    }


def switch(hook: Webhook, state: object, *, actor: str, why: str = "") -> None:
    """On: what waits is sent again from now. Off: it waits, and nothing new is noted."""
    with transaction.atomic():
        changes: dict[str, object] = {"state": state}
        if state == Webhook.State.ON:
            changes |= {"failing_since": None, "failures": 0}
        if not Webhook.objects.filter(pk=hook.pk).exclude(state=state).update(**changes):
            return
        facts: dict[str, object] = {"state": str(state)}
        if why:
            facts["why"] = why
        record(actor, "webhook_switched", subject=f"webhook {hook.public_id}", facts=facts)


def remove(hook: Webhook, *, actor: str) -> None:
    """With its log."""
    with transaction.atomic():
        record(actor, "webhook_removed", subject=f"webhook {hook.public_id}")
        hook.delete()


def send_test(hook: Webhook, *, actor: str, now: datetime) -> WebhookDelivery:
    """An event of no tenant, sent with the next round."""
    event = Occurred(uuid.uuid4(), TEST, None, now, {"webhook": str(hook.public_id)})
    with transaction.atomic():
        record(actor, "webhook_tested", subject=f"webhook {hook.public_id}")
        return note(hook, event)


def note(hook: Webhook, event: Occurred) -> WebhookDelivery:
    return WebhookDelivery.objects.create(**values(hook.pk, event))


def values(hook_id: int, event: Occurred) -> dict[str, object]:
    """The row of an event for a webhook."""
    return {
        "webhook_id": hook_id,
        "event_id": event.event_id,
        "kind": event.kind,
        "tenant_id": event.tenant_id,
        "body": event.body,
    }


def replay(delivery: WebhookDelivery, *, actor: str, now: datetime) -> bool:
    """Send it once more, with the id that it had. False while it waits anyway."""
    with transaction.atomic():
        ended = WebhookDelivery.objects.filter(pk=delivery.pk).exclude(
            state=WebhookDelivery.State.PENDING
        )
        if not ended.update(state=WebhookDelivery.State.PENDING, attempts=0, due_at=now):
            return False
        Webhook.objects.filter(pk=delivery.webhook_id, next_at__gt=now).update(next_at=now)
        subject = f"webhook {delivery.webhook.public_id}"
        facts: dict[str, object] = {"event": str(delivery.event_id)}
        record(actor, "webhook_replayed", subject=subject, facts=facts)
        return True
