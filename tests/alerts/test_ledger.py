"""Every window of the feed is read, or said not to be: against the simulator, over TLS."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from alerts.feed import SOURCE, read_alerts, take_documents
from alerts.feed_state import silent_sources
from alerts.ledger import CUT_AFTER, try_failed_again, unread_count, windows_to_read
from alerts.models import Alert, Case, Cursor, Poll
from alerts.reconcile import reconcile
from alerts.silence import AT_LEAST, BASELINE, is_silent
from clients.errors import ApiError
from clients.http import Http, Policy
from clients.microsoft.graph import Graph
from tenants.scope import scope
from tests.alerts.documents import alert, stamp, user


class Token:
    """A token from outside of any flow."""

    def __init__(self, value: str) -> None:
        self.value = value

    def token(self, scope: str) -> str:
        return self.value

    def forget(self, scope: str, token: str | None = None) -> None:
        """There is no other."""


@pytest.fixture
def directory(simulator):
    simulator.control.clear_faults()
    made = simulator.control.add_directory(populate=False)
    yield made["directory"]
    simulator.control.clear_faults()


@pytest.fixture
def graph(simulator, directory) -> Graph:
    token = simulator.control.token(directory=directory, roles=["SecurityAlert.Read.All"])
    quick = Policy(attempts=1, backoff_s=0, read_s=5, deadline_s=10)
    return Graph(Http(simulator.url, policy=quick), Token(token))


@pytest.fixture
def read(qa, graph, pseudonymiser):
    def _read(**more):
        try:
            return read_alerts(qa, graph, pseudonymiser, **more)
        except ApiError as err:
            return err

    return _read


def add(simulator, directory, key, *, minutes_ago=5.0):
    at = stamp(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    document = alert(key, user("anna")) | {"createdDateTime": at, "lastUpdateDateTime": at}
    simulator.control.add_alert(directory, document)


def polls(qa):
    with scope(qa):
        return list(Poll.objects.filter(is_extra=False).order_by("since"))


def stored(qa):
    with scope(qa):
        return set(Alert.objects.values_list("provider_id", flat=True))


def age(qa):
    """A minute passes: Microsoft's clock shows whole seconds, too coarse for two reads in one."""
    minute = timedelta(minutes=1)
    with scope(qa):
        Poll.objects.update(since=F("since") - minute, until=F("until") - minute)
        Cursor.objects.update(watermark=F("watermark") - minute)


def test_windows_follow_each_other_without_a_gap(qa, simulator, directory, read):
    for number in range(3):
        add(simulator, directory, f"a{number}")
        read()
        age(qa)
    chain = polls(qa)
    assert [w.state for w in chain] == ["fetched"] * 3
    assert all(one.until == other.since for one, other in pairwise(chain))
    with scope(qa):
        assert Cursor.objects.get(source=SOURCE).watermark == chain[-1].until
    assert stored(qa) == {"a0", "a1", "a2"}


def test_an_alert_from_the_future_does_not_move_the_cursor(qa, simulator, directory, read):
    add(simulator, directory, "future", minutes_ago=-60 * 24 * 3650)
    read()
    add(simulator, directory, "today")
    read()
    assert stored(qa) == {"future", "today"}


def test_an_outage_keeps_one_open_window_and_large_pages(qa, simulator, directory, read):
    add(simulator, directory, "a1")
    simulator.control.fault("status", status=503, service="graph", directory=directory, count=-1)
    for _ in range(CUT_AFTER + 2):
        assert isinstance(read(), ApiError)
    (window,) = polls(qa)
    assert (window.state, window.attempts, window.until) == ("retrying", 0, None)
    simulator.control.clear_faults()
    read()
    assert [w.state for w in polls(qa)] == ["fetched"]
    assert stored(qa) == {"a1"}


class Poisoned:
    """A Graph whose list answers 500 whenever the window holds one time; read by `responses`."""

    URL = "https://graph.test"

    def __init__(self, poison: datetime, documents: list[dict]) -> None:
        self.poison: datetime | None = poison
        self.documents = documents

    def __call__(self, request):
        wanted = parse_qs(urlsplit(request.url).query).get("$filter", [""])[0]
        times = [datetime.fromisoformat(text) for text in re.findall(r"[\dT:.-]{19,}Z", wanted)]
        if not times:
            return 200, {}, json.dumps({"value": self.documents[:1]})
        since, until = times[0], times[1] if len(times) > 1 else datetime.max.replace(tzinfo=UTC)
        if self.poison and since <= self.poison < until:
            return 500, {}, "{}"
        found = [
            document
            for document in self.documents
            if since <= datetime.fromisoformat(document["lastUpdateDateTime"]) < until
        ]
        return (
            200,
            {"Date": format_datetime(datetime.now(UTC), usegmt=True)},
            json.dumps({"value": found}),
        )


@responses.activate
def test_a_window_that_cannot_be_read_is_cut_and_set_aside(qa, pseudonymiser):
    now = datetime.now(UTC)
    poison = now - timedelta(minutes=100)
    at = {"old": now - timedelta(days=3), "poison": poison, "fine": now - timedelta(minutes=60)}
    documents = [
        alert(key) | {"createdDateTime": stamp(t), "lastUpdateDateTime": stamp(t)}
        for key, t in at.items()
    ]
    server = Poisoned(poison, documents)
    responses.add_callback("GET", f"{Poisoned.URL}/v1.0/security/alerts_v2", server)
    quick = Policy(attempts=1, backoff_s=0)
    graph = Graph(Http(Poisoned.URL, policy=quick), Token("any"))

    def read(since: datetime | None = None) -> None:
        with contextlib.suppress(ApiError):
            read_alerts(qa, graph, pseudonymiser, since=since)

    read(since=now - timedelta(days=4))
    for _ in range(40):
        read()
        if {w.state for w in polls(qa)} == {"fetched", "failed"}:
            break
    failed = [w for w in polls(qa) if w.state == "failed"]
    assert len(failed) in (1, 2)  # the overlap may reach into the next small window
    assert all(w.until - w.since < timedelta(minutes=20) for w in failed)
    assert stored(qa) == {"old", "fine"}
    with scope(qa):
        assert unread_count() == len(failed)
        assert try_failed_again(SOURCE, now + timedelta(hours=2)) == len(failed)
    server.poison = None
    read()
    assert stored(qa) == {"old", "fine", "poison"}
    with scope(qa):
        assert unread_count() == 0


def test_reading_twice_is_one_alert(qa, simulator, directory, read):
    add(simulator, directory, "a1")
    for _ in range(4):
        read()
    assert stored(qa) == {"a1"}


def test_reconciliation_finds_what_was_missed(qa, simulator, directory, read, graph, pseudonymiser):
    add(simulator, directory, "a1", minutes_ago=200)
    read()
    with scope(qa):
        Poll.objects.update(until=datetime.now(UTC) - timedelta(minutes=90))
        Alert.objects.filter(provider_id="a1").update(
            updated_at=datetime.now(UTC) - timedelta(minutes=200)
        )
    add(simulator, directory, "missed", minutes_ago=150)
    found = reconcile(qa, graph, pseudonymiser, datetime.now(UTC))
    assert (found.theirs, found.ours, found.read.new) == (2, 1, 1)
    assert "missed" in stored(qa)
    assert reconcile(qa, graph, pseudonymiser, datetime.now(UTC)) is None


def test_equal_counts_cost_one_request(qa, simulator, directory, read, graph, pseudonymiser):
    add(simulator, directory, "a1", minutes_ago=200)
    read()
    with scope(qa):
        Poll.objects.update(until=datetime.now(UTC) - timedelta(minutes=90))
    simulator.control.forget_requests()
    found = reconcile(qa, graph, pseudonymiser, datetime.now(UTC))
    assert found.theirs == found.ours == 1
    assert simulator.control.count(service="graph", directory=directory) == 1


def test_a_deleted_alert_is_followed_and_its_case_ends(
    qa, simulator, directory, read, graph, pseudonymiser
):
    for key in ("a1", "a2"):
        add(simulator, directory, key, minutes_ago=200)
    read()
    with scope(qa):
        Poll.objects.update(until=datetime.now(UTC) - timedelta(minutes=90))
    for key in ("a1", "a2"):
        simulator.control.delete_alert(directory, key)
    found = reconcile(qa, graph, pseudonymiser, datetime.now(UTC))
    assert (found.theirs, found.ours) == (0, 2)
    with scope(qa):
        assert set(Alert.objects.values_list("status", flat=True)) == {"deleted"}
        assert not Case.objects.get().is_open


def test_throttling_is_counted_in_its_window(qa, simulator, directory, read):
    simulator.control.fault(
        "status", status=429, retry_after=0, service="graph", directory=directory, count=1
    )
    read()
    (window,) = polls(qa)
    assert (window.counts["throttled"], window.counts["error"]) == (1, "RateLimited")


@pytest.mark.parametrize("skew", [timedelta(days=-2), timedelta(days=2)])
@responses.activate
def test_windows_are_in_microsofts_time_however_wrong_our_clock_is(qa, pseudonymiser, skew):
    theirs = datetime.now(UTC).replace(microsecond=0) + skew
    at = theirs - timedelta(minutes=3)
    document = alert("a1") | {"createdDateTime": stamp(at), "lastUpdateDateTime": stamp(at)}
    responses.get(
        "https://graph.test/v1.0/security/alerts_v2",
        json={"value": [document]},
        headers={"Date": format_datetime(theirs, usegmt=True)},
    )
    graph = Graph(Http("https://graph.test"), Token("any"))
    read_alerts(qa, graph, pseudonymiser)
    (window,) = polls(qa)
    assert window.until == theirs
    with scope(qa):
        assert Cursor.objects.get(source=SOURCE).watermark == theirs


def test_a_product_that_fell_silent_is_told(qa, pseudonymiser):
    now = datetime.now(UTC)
    loud = [
        alert(f"s{n}", serviceSource="microsoftSentinel")
        | dict.fromkeys(
            ("createdDateTime", "lastUpdateDateTime"), stamp(now - timedelta(hours=30 + n))
        )
        for n in range(60)
    ]
    fresh = alert("fresh") | dict.fromkeys(("createdDateTime", "lastUpdateDateTime"), stamp(now))
    take_documents(qa, [*loud, fresh], pseudonymiser)
    with scope(qa):
        assert silent_sources(now) == ["microsoftSentinel"]


def test_a_first_read_can_begin_later(qa, simulator, directory, read):
    add(simulator, directory, "old", minutes_ago=600)
    add(simulator, directory, "young", minutes_ago=5)
    read(since=datetime.now(UTC) - timedelta(hours=1))
    assert stored(qa) == {"young"}
    read()
    assert stored(qa) == {"young"}


def test_an_extra_read_leaves_the_chain_alone(qa, simulator, directory, read):
    read()
    read(since=datetime.now(UTC) - timedelta(days=3), until=datetime.now(UTC))
    with scope(qa):
        assert Poll.objects.filter(is_extra=True, state="fetched").count() == 1
        assert len(windows_to_read(SOURCE, datetime.now(UTC))) == 1


NOW = datetime(2026, 11, 20, tzinfo=UTC)


@given(st.integers(0, 10_000), st.integers(0, 14 * 24))
def test_silence_needs_more_than_chance(alerts, quiet_hours):
    quiet = timedelta(hours=quiet_hours)
    found = is_silent(alerts, NOW - quiet, NOW)
    assert found == (quiet >= AT_LEAST and alerts * (quiet / BASELINE) >= 6.9)


def test_a_tenant_without_alerts_is_not_silent():
    assert not is_silent(0, None, NOW)
