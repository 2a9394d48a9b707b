"""Keeps a tenant's subscriptions at Microsoft as they are wanted; what can't be pushed is polled.

Which resources accept push is found out by trying: today Graph refuses most security resources, and
what it refuses is tried again weekly. Rows say how things stand; `push_plan` says what to do.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min

from alerts.models import Subscription
from alerts.push_plan import LIFE, Act, Action, Ours, Place, Theirs, normal, plan
from clients.errors import ApiError, BadPayload, Conflict, Forbidden, NotFound, Rejected
from clients.microsoft.graph import Graph
from clients.microsoft.subscriptions import (
    NewSubscription,
    create_subscription,
    delete_subscription,
    renew_subscription,
    subscription_pages,
)
from tenants.directories import master_keys
from tenants.documents import instant
from tenants.models import Tenant
from tenants.push_keys import client_state
from tenants.scope import scope

logger = logging.getLogger(__name__)

DEFAULT_RESOURCES = ("/security/alerts_v2", "/security/incidents")
COVERING = "security/alerts_v2"
"""Only while this is subscribed does push stand in for frequent polls."""
CHANGES = "created,updated"

UNSUPPORTED_RETRY = timedelta(days=7)
FORBIDDEN_RETRY = timedelta(days=1)
UNREACHED_RETRY = timedelta(hours=1)
FAULT_RETRY = timedelta(minutes=5)
CHECK_ACTIVE = timedelta(hours=1)
CHECK_POLLED = timedelta(hours=6)

NO_URL = "PUBLIC_INGRESS_URL is not set, so Microsoft has nowhere to post to."
ENDED = "Ended by command; `manage.py subscriptions SLUG --renew` begins again."
TAKEN = "Another installation of this app has subscribed to it."


@dataclass(slots=True)
class Check:
    """What one comparison did. `catch_up`: something was not told, so a read is due."""

    done: list[tuple[Act, str]] = field(default_factory=list)
    catch_up: bool = False
    retry_at: datetime | None = None
    """When to try again what failed for now."""

    def postpone(self, until: datetime) -> None:
        self.retry_at = min(filter(None, (self.retry_at, until)))


def wanted_resources(tenant: Tenant) -> tuple[str, ...]:
    """The tenant's own choice, else the default. Nothing for a tenant that is not read."""
    if not tenant.is_active:
        return ()
    if tenant.push_resources is None:
        return DEFAULT_RESOURCES
    return tuple(tenant.push_resources)


def check_subscriptions(
    tenant: Tenant, graph: Graph, now: datetime, *, force: bool = False
) -> Check:
    """Compare and put right. Raises ApiError or BadSecret if nothing could be compared.

    Safe to run side by side: a second creation is refused by Microsoft, and the first adopted.
    """
    wanted = wanted_resources(tenant)
    if not settings.PUBLIC_INGRESS_URL:
        return _without_ingress(tenant, graph, wanted, now)
    worker = _Worker(tenant, graph, now)
    rows = worker.rows()
    result = Check()
    if not (force or _needs_listing(rows, wanted, now)):
        _note_health(tenant, now)
        return result
    for action in plan(
        wanted, [_ours(row) for row in rows], worker.listed(), worker.place, now, force=force
    ):
        worker.perform(action, result)
    _note_health(tenant, now, checked=True)
    return result


def end_subscriptions(tenant: Tenant, graph: Graph, now: datetime) -> Check:
    """Delete all at Microsoft, and begin again only when asked. Raises ApiError, BadSecret."""
    worker = _Worker(tenant, graph, now)
    rows = worker.rows()
    result = Check()
    ours = [_ours(row) for row in rows]
    theirs = worker.listed() if settings.PUBLIC_INGRESS_URL else []
    for action in plan((), ours, theirs, worker.place, now):
        worker.perform(action, result)
    for resource in {*wanted_resources(tenant), *(row.resource for row in rows)}:
        worker.save_polled(resource, ENDED, None)
    _note_health(tenant, now)
    return result


def next_check(tenant: Tenant, result: Check, now: datetime) -> datetime:
    """When to compare again: hourly while something is active, else when something may be tried."""
    with scope(tenant):
        is_active = Subscription.objects.filter(state=Subscription.State.ACTIVE).exists()
        retry_at = Subscription.objects.aggregate(at=Min("retry_at"))["at"]
    # The tenant's own phase, so that tenants which began together do not stay together.
    pace = (CHECK_ACTIVE if is_active else CHECK_POLLED) * (0.9 + 0.2 * (tenant.pk % 97) / 97)
    soonest = min(filter(None, (now + pace, retry_at, result.retry_at)))
    return max(soonest, now + timedelta(minutes=1))


# --- helpers --------------------------------------------------------------------------------------


class _Worker:
    """Carries out actions for one tenant and writes down how each went."""

    def __init__(self, tenant: Tenant, graph: Graph, now: datetime) -> None:
        self._tenant = tenant
        self._graph = graph
        self._now = now
        self._masters = master_keys()
        base = settings.PUBLIC_INGRESS_URL.rstrip("/")
        self.place = Place(
            f"{base}/notifications/graph/{tenant.public_id}/",
            f"{base}/notifications/lifecycle/{tenant.public_id}/",
            self._masters[0][0],
        )

    def rows(self) -> list[Subscription]:
        with scope(self._tenant):
            return list(Subscription.objects.all())

    def listed(self) -> list[Theirs]:
        """The app's subscriptions in the directory; what can't be read is no subscription."""
        found = []
        for page in subscription_pages(self._graph):
            for item in page:
                one = self._theirs(item) if isinstance(item, dict) else None
                if one is not None:
                    found.append(one)
        return found

    def perform(self, action: Action, result: Check) -> None:
        """One action; an error is written down and stops no other."""
        steps: dict[Act, Callable[[Action, Check], None]] = {
            Act.CREATE: self._create,
            Act.RENEW: self._renew,
            Act.ADOPT: self._renew,  # lengthens it as well
            Act.REPLACE: self._replace,
            Act.DELETE: self._delete,
            Act.FORGET: self._forget,
        }
        step = steps.get(action.act)
        if step is None:
            return
        try:
            step(action, result)
        except ApiError as err:
            self._failed(action, err, result)
        else:
            result.done.append((action.act, action.resource))
            result.catch_up |= action.was_lost
            logger.info("subscription tenant_id=%s act=%s", self._tenant.pk, action.act)

    def save_polled(self, resource: str, reason: str, retry_at: datetime | None) -> None:
        self._save(
            resource, state=Subscription.State.POLLED, subscription_id="", url="", key_version="",
            expires_at=None, reason=reason[:300], retry_at=retry_at,
        )  # fmt: skip

    def _create(self, action: Action, result: Check) -> None:
        try:
            answer = create_subscription(self._graph, self._new(action.resource))
        except Conflict:
            self._adopt_existing(action, result)
            return
        subscription_id = answer.get("id")
        if not isinstance(subscription_id, str) or not 0 < len(subscription_id) <= 64:
            raise BadPayload("Microsoft Graph: the field id is missing.")
        self._save_active(action.resource, subscription_id, answer)

    def _adopt_existing(self, action: Action, result: Check) -> None:
        """There is an equal one already: ours if it leads here (a lost answer, two workers)."""
        same = [one for one in self.listed() if normal(one.resource) == normal(action.resource)]
        mine = next((one for one in same if one.url == self.place.url), None)
        if mine is None or mine.is_genuine is False:
            raise Conflict(TAKEN)
        self._renew(Action(Act.ADOPT, action.resource, mine.subscription_id), result)

    def _renew(self, action: Action, result: Check) -> None:
        try:
            answer = renew_subscription(self._graph, action.subscription_id, self._now + LIFE)
        except NotFound:
            result.catch_up = True
            self._create(action, result)
            return
        self._save_active(action.resource, action.subscription_id, answer)

    def _replace(self, action: Action, result: Check) -> None:
        self._drop(action.subscription_id)
        result.catch_up = True
        self._create(action, result)

    def _delete(self, action: Action, result: Check) -> None:
        self._drop(action.subscription_id)
        self._forget(action, result)

    def _forget(self, action: Action, result: Check) -> None:
        with scope(self._tenant):
            gone = Subscription.objects.filter(resource=action.resource)
            gone.filter(subscription_id=action.subscription_id).delete()

    def _drop(self, subscription_id: str) -> None:
        try:
            delete_subscription(self._graph, subscription_id)
        except NotFound:
            logger.info("subscription was gone already tenant_id=%s", self._tenant.pk)

    def _failed(self, action: Action, err: ApiError, result: Check) -> None:
        retry_at = self._now + _wait(err)
        result.postpone(retry_at)
        logger.warning(
            "subscription failed tenant_id=%s act=%s kind=%s",
            self._tenant.pk, action.act, type(err).__name__,
        )  # fmt: skip
        if action.act is Act.DELETE or (action.act is Act.RENEW and err.retryable):
            return  # the row stays true: it lives until it expires, or until the next attempt
        self.save_polled(action.resource, str(err), retry_at)

    def _new(self, resource: str) -> NewSubscription:
        tenant = self._tenant
        return NewSubscription(
            resource=resource,
            change_type=CHANGES,
            notification_url=self.place.url,
            lifecycle_url=self.place.lifecycle_url,
            expires_at=self._now + LIFE,
            client_state=self._state(self._masters[0][1], resource, tenant),
        )

    def _save_active(self, resource: str, subscription_id: str, answer: dict[str, object]) -> None:
        self._save(
            resource, state=Subscription.State.ACTIVE, subscription_id=subscription_id,
            url=self.place.url, key_version=self.place.key_version, reason="", retry_at=None,
            expires_at=instant(answer.get("expirationDateTime")) or self._now + LIFE,
        )  # fmt: skip

    def _save(self, resource: str, **fields: object) -> None:
        with scope(self._tenant):
            changed = {**fields, "changed_at": self._now}
            Subscription.objects.update_or_create(resource=resource, defaults=changed)

    def _theirs(self, item: dict[str, object]) -> Theirs | None:
        expires_at = instant(item.get("expirationDateTime"))
        subscription_id, resource = item.get("id"), item.get("resource")
        if expires_at is None or not isinstance(subscription_id, str):
            return None
        if not isinstance(resource, str):
            return None
        state = item.get("clientState")
        is_genuine = self._is_genuine(state, resource) if isinstance(state, str) else None
        return Theirs(
            subscription_id, resource, str(item.get("notificationUrl")), expires_at, is_genuine
        )

    def _is_genuine(self, state: str, resource: str) -> bool | None:
        """None if it is masked, which Graph may do."""
        if not state.strip("*"):
            return None
        wanted = [self._state(key, resource, self._tenant) for _, key in self._masters]
        return any(hmac.compare_digest(one.encode(), state.encode()) for one in wanted)

    @staticmethod
    def _state(master: bytes, resource: str, tenant: Tenant) -> str:
        return client_state(
            master, tenant.public_id, tenant.directory_id, tenant.client_id, resource
        )


def _ours(row: Subscription) -> Ours:
    return Ours(row.resource, row.subscription_id, row.key_version, row.retry_at)


def _needs_listing(rows: Iterable[Subscription], wanted: tuple[str, ...], now: datetime) -> bool:
    """Not while all that is wanted is polled and none of it may be tried yet: no call at all."""
    known = {row.resource: row for row in rows}
    if set(known) != set(wanted):
        return True
    return any(
        row.subscription_id or (row.retry_at is not None and row.retry_at <= now)
        for row in known.values()
    )


def _wait(err: ApiError) -> timedelta:
    """Until this may work: a fault soon, a handshake that failed later, a refusal in a week."""
    if err.retry_after_s is not None:
        return timedelta(seconds=max(err.retry_after_s, 1))
    if err.retryable:
        return FAULT_RETRY
    if err.code == "ValidationError":  # Microsoft could not reach the ingress
        return UNREACHED_RETRY
    if isinstance(err, Rejected):
        return UNSUPPORTED_RETRY
    return FORBIDDEN_RETRY if isinstance(err, Forbidden | Conflict) else UNREACHED_RETRY


def _without_ingress(tenant: Tenant, graph: Graph, wanted: tuple[str, ...], now: datetime) -> Check:
    """Everything is polled; what leads to an address that is no longer set is ended."""
    result = Check()
    with scope(tenant):
        left = list(Subscription.objects.exclude(subscription_id=""))
    for row in left:
        try:
            delete_subscription(graph, row.subscription_id)
        except ApiError as err:
            logger.info("subscription left to expire kind=%s", type(err).__name__)
        result.done.append((Act.DELETE, row.resource))
    with scope(tenant):
        Subscription.objects.exclude(resource__in=wanted).delete()
        for resource in wanted:
            Subscription.objects.update_or_create(
                resource=resource,
                defaults={
                    "state": Subscription.State.POLLED, "subscription_id": "", "expires_at": None,
                    "reason": NO_URL, "retry_at": now + CHECK_ACTIVE, "changed_at": now,
                },
            )  # fmt: skip
    _note_health(tenant, now)
    return result


def _note_health(tenant: Tenant, now: datetime, *, checked: bool = False) -> None:
    """Push is well while Microsoft has our subscription to all alerts; polls may be rare then."""
    with scope(tenant):
        active = Subscription.objects.filter(state=Subscription.State.ACTIVE, expires_at__gt=now)
        covered = COVERING in {normal(row.resource) for row in active}
    if not covered:
        Tenant.objects.filter(pk=tenant.pk).update(push_healthy_at=None)
    elif checked:
        Tenant.objects.filter(pk=tenant.pk).update(push_healthy_at=now)
