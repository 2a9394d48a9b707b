"""Who asks (account by API key), the account's rate limits, and errors in its shapes."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import Answered, answer
from simulator.callers import identify
from simulator.store import Store, Table
from simulator.world import World

# Requests per minute and account: overall, list tickets, each of view/create/update (fact sheet 9).
PLANS = {
    "starter": {"overall": 100, "list": 40, "view": 50, "create": 50, "update": 50},
    "growth": {"overall": 200, "list": 70, "view": 80, "create": 80, "update": 80},
    "pro": {"overall": 400, "list": 120, "view": 140, "create": 140, "update": 140},
    "enterprise": {"overall": 500, "list": 140, "view": 160, "create": 160, "update": 160},
}


class Account:
    """One help desk: tables, and the calls of the last minute."""

    def __init__(self, store: Store, slug: str, first_id: int) -> None:
        self.slug = slug
        self.first_id = first_id
        self.tickets: Table = store.table("ticket", slug)
        self.conversations: Table = store.table("conversation", slug)
        self.requesters: Table = store.table("requester", slug)
        self.calls: dict[str, deque[float]] = {}
        self.webhook: dict[str, Any] | None = None

    def next_ticket_id(self) -> int:
        return max((row["id"] for row in self.tickets.values()), default=self.first_id - 1) + 1

    def next_id(self, table: Table) -> int:
        return (
            max((row["id"] for row in table.values()), default=27_000_000_000 + self.first_id) + 1
        )

    def used(self, bucket: str) -> int:
        window = self.calls.setdefault(bucket, deque())
        border = time.monotonic() - 60
        while window and window[0] <= border:
            window.popleft()
        return len(window)


@dataclass(slots=True)
class Visit:
    """One request's account and the headers its answer carries."""

    world: World
    account: Account
    headers: dict[str, str] = field(default_factory=dict)

    def reply(
        self, body: Any, status: int = 200, more: Mapping[str, str] | None = None
    ) -> Response:
        return answer(body, status, {**self.headers, **(more or {})})

    def refuse(self, status: int, body: Any, **more: str) -> Answered:
        return Answered(answer(body, status, {**self.headers, **more}))

    def invalid(self, *errors: tuple[str, str, str]) -> Answered:
        """400 with (field, message, code) of each error."""
        rows = [{"field": name, "message": text, "code": code} for name, text, code in errors]
        return self.refuse(400, {"description": "Validation failed", "errors": rows})


def enter(request: Request, bucket: str, cost: int = 1) -> Visit:
    """Authenticate, count, refuse above the plan's limits.

    `bucket`: list, view, create, update, other.
    """
    world: World = request.app.state.world
    visit = Visit(world, _account(request, world))
    _count(visit, bucket, cost)
    return visit


def _account(request: Request, world: World) -> Account:
    key = identify({**request.scope, "path": "/api/"}).directory
    named = request.path_params.get("account")
    for row in world.accounts.values():
        if key == row["key"] and named in {None, row["slug"]}:
            return desk(world, row["slug"])
    body = {
        "code": "invalid_credentials",
        "message": "You have to be logged in to perform this action.",
    }
    raise Answered(answer(body, 401, {"WWW-Authenticate": 'Basic realm="Freshservice"'}))


def desk(world: World, slug: str) -> Account:
    """The one Account object of a help desk; KeyError when there is none."""
    found = world.desks.get(slug)
    if not isinstance(found, Account):
        found = Account(world.store, slug, world.accounts[slug]["first_id"])
        world.desks[slug] = found
    return found


def _count(visit: Visit, bucket: str, cost: int) -> None:
    plan = PLANS.get(visit.world.settings["freshservice_plan"])
    if plan is None:
        return
    account = visit.account
    full = [
        name
        for name in ("overall", bucket)
        if name in plan and account.used(name) + cost > plan[name]
    ]
    oldest = min((account.calls[name][0] for name in full if account.calls[name]), default=None)
    now = time.monotonic()
    for name in {"overall", bucket}:
        # Refused calls count too, so a client that does not wait stays out.
        account.calls.setdefault(name, deque(maxlen=2000)).extend([now] * cost)
    tight = bucket if bucket in plan else "overall"
    left = max(0, plan[tight] - account.used(tight))
    visit.headers = {
        "X-RateLimit-Total": str(plan[tight]),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Used-CurrentRequest": str(cost),
    }
    if full:
        wait_s = 60 if oldest is None else max(1, int(oldest + 60 - now) + 1)
        body = {"message": "You have exceeded the limit of requests per minute"}
        raise visit.refuse(429, body, **{"Retry-After": str(wait_s)})
