"""Sends what waits for one webhook, the oldest first, until a call fails or the round is over.

An attempt is counted before it is made: a worker that dies in the middle leaves an event that is
due again after its pause. A receiver that fails is left alone for longer and longer, and after days
the webhook is switched off.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.db.models import F

from clients.errors import ApiError, BadPayload
from clients.failures import Failure, build_error
from clients.http import Http, Policy
from csc_portal.webhooks.events import TEST, sign
from csc_portal.webhooks.hooks import covered, keys_of, switch
from tenants.audit import SYSTEM
from tenants.models import Webhook, WebhookDelivery
from ticketing.connections import private_networks

logger = logging.getLogger(__name__)

ROUND_S = 20.0
POLICY = Policy(connect_s=5.0, read_s=10.0, deadline_s=15.0, attempts=1, max_bytes=65_536)
MOST_ATTEMPTS = 12
"""Of one event: over about three days."""
GIVEN_UP_AFTER = timedelta(days=5)
"""So long nothing may arrive before the webhook is switched off."""
LONGEST_PAUSE = timedelta(minutes=15)
MOST_WAITING = 100_000
State = WebhookDelivery.State


@dataclass(frozen=True, slots=True)
class Result:
    """`problem`: "" if it arrived. `pause_s`: what the receiver asked for."""

    status: int | None
    problem: str = ""
    pause_s: float = 0.0

    @property
    def is_refused_for_good(self) -> bool:
        return self.status == 410


def pause_after(attempts: int) -> timedelta:
    """5 s, 15 s, 45 s ... 12 h, spread a little, so that many don't come back at once."""
    seconds = min(43_200.0, 5.0 * 3 ** (attempts - 1))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311


def deliver(hook: Webhook, clock: Callable[[], datetime], *, round_s: float = ROUND_S) -> int:
    """How many arrived. Raises BadSecret, ApiError if the vault is away: nothing was sent then."""
    keys = keys_of(hook)
    allowed = covered([hook])[hook.pk]
    ended = time.monotonic() + round_s
    sent = 0
    while time.monotonic() < ended and (row := _claim(hook, clock())) is not None:
        if row.kind != TEST and row.tenant_id not in allowed.get(row.kind, ()):
            _end(row, State.DROPPED, problem="The owner has lost the right to it.")
            continue
        result = send(hook, row, keys, clock())
        if result.problem:
            _failed(hook, row, result, clock())
            return sent
        _end(row, State.SENT, status=result.status, sent_at=clock(), problem="")
        if hook.failures:
            hook.failures = 0
            Webhook.objects.filter(pk=hook.pk).update(failures=0, failing_since=None)
        sent += 1
    Webhook.objects.filter(pk=hook.pk).update(next_at=clock())
    return sent


def _claim(hook: Webhook, now: datetime) -> WebhookDelivery | None:
    """The next one, counted as tried. Compare and set: of two workers one has it."""
    waiting = WebhookDelivery.objects.filter(webhook=hook, state=State.PENDING)
    while (row := waiting.filter(due_at__lte=now).order_by("due_at", "pk").first()) is not None:
        row.attempts += 1
        mine = waiting.filter(pk=row.pk, attempts=row.attempts - 1)
        if mine.update(attempts=row.attempts, due_at=now + pause_after(row.attempts)):
            return row
    return None


def send(hook: Webhook, row: WebhookDelivery, keys: list[bytes], now: datetime) -> Result:
    """One call. Addresses are checked at every call, and redirects are not followed."""
    body = orjson.dumps(row.body)
    timestamp = int(now.timestamp())
    headers = {
        "webhook-id": str(row.event_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, str(row.event_id), timestamp, body),
    }
    try:
        http = Http(
            hook.url,
            name="The receiver",
            policy=POLICY,
            private_networks_allowed=private_networks(),
            read_error=_read_error,
        )
        return Result(http.request("POST", hook.url, json=row.body, headers=headers).status)
    except BadPayload as err:
        # What a receiver says beside its status is of no interest.
        is_well = err.status is not None and 200 <= err.status < 300
        return Result(err.status, "" if is_well else str(err))
    except ApiError as err:
        return Result(err.status, str(err), err.retry_after_s or 0.0)


def _read_error(failure: Failure) -> ApiError:
    return build_error(failure, code="")


def _failed(hook: Webhook, row: WebhookDelivery, result: Result, now: datetime) -> None:
    is_last = row.attempts >= MOST_ATTEMPTS
    _end(
        row,
        State.FAILED if is_last else State.PENDING,
        status=result.status,
        problem=result.problem[:200],
    )
    hook.failing_since = hook.failing_since or now
    pause = max(min(pause_after(min(hook.failures + 1, 9)), LONGEST_PAUSE),
                timedelta(seconds=min(result.pause_s, 3600.0)))  # fmt: skip
    Webhook.objects.filter(pk=hook.pk).update(
        failures=F("failures") + 1, failing_since=hook.failing_since, next_at=now + pause
    )
    logger.warning("webhook failed id=%s failures=%s", hook.pk, hook.failures + 1)
    if why := _reason_to_end(hook, result, now):
        switch(hook, Webhook.State.FAILED, actor=SYSTEM, why=why)
        logger.error("webhook switched off id=%s", hook.pk)


def _reason_to_end(hook: Webhook, result: Result, now: datetime) -> str:
    if result.is_refused_for_good:
        return "The receiver said that it is gone."
    if hook.failing_since is not None and now - hook.failing_since >= GIVEN_UP_AFTER:
        return f"Nothing arrived for {GIVEN_UP_AFTER.days} days."
    waiting = WebhookDelivery.objects.filter(webhook=hook, state=State.PENDING)
    if waiting.order_by()[MOST_WAITING : MOST_WAITING + 1].exists():
        return f"More than {MOST_WAITING} events wait."
    return ""


def _end(row: WebhookDelivery, state: object, **changes: object) -> None:
    WebhookDelivery.objects.filter(pk=row.pk).update(state=state, **changes)
