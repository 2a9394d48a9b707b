"""What a ticket's end means, what is wrong with options, and how a webhook is set up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.errors import Rejected
from tests.ticketing.desks import from_the_guide
from ticketing.adapters import registry
from ticketing.adapters.base import DELETED, STATES, TicketRef
from ticketing.checking import problems_of
from ticketing.endings import follow, read_endings, side
from ticketing.sync import _stamp, pause
from ticketing.webhooks import describe_webhook

states = st.sampled_from(sorted(STATES - {DELETED}))


@given(st.booleans(), states, states)
def test_only_what_moved_there_is_news(is_open: bool, seen: str, there: str) -> None:
    step = follow(is_open, seen, there)
    assert not (step.close and step.reopen)
    moves = step.close or step.reopen
    assert not moves or side(seen) != side(there)
    if moves:
        after = follow(step.reopen, there, there)
        assert after.told == side(there)
        assert (after.close, after.reopen) == (False, False)
    assert follow(is_open, seen, DELETED).gone


def test_endings() -> None:
    endings = read_endings(
        {"verdicts": {"User Error": "falsePositive", "Known": "ask"}, "unknown_verdict": "none"}
    )
    assert endings.verdict_of("user error") == "falsePositive"
    assert endings.verdict_of("KNOWN") is None
    assert endings.verdict_of("else") == ""
    assert read_endings({}).verdict_of("") == ""
    for options in ({"verdicts": ["x"]}, {"verdicts": {"a": "b"}}, {"unknown_verdict": "maybe"}):
        with pytest.raises(Rejected, match="option"):
            read_endings(options)


def test_every_mistake_is_told_with_its_field() -> None:
    problems = problems_of(
        "jira",
        {
            "project": "a b",
            "auth": "magic",
            "states": {"Waiting": "asleep"},
            "set_states": {"closed": "Done"},
            "verdicts": {"Done": "perhaps"},
            "user": "ada@example.com",
        },
    )
    assert set(problems) == {"project", "auth", "states", "set_states", "verdicts"}
    assert problems_of("jira", {"project": "SEC", "user": "ada@example.com"}) == {}
    assert "set_states" in problems_of("freshservice", {"set_states": {"open": "Open"}})
    assert "" in problems_of("nonsense", {})


def test_a_descriptions_mistakes_are_told_too() -> None:
    right = from_the_guide("redmine")
    assert problems_of("generic", right) == {}
    wrong = {**right, "update": {"path": "no"}, "set_states": {"open": 1}}
    assert {"set_states", "update"} <= set(problems_of("generic", wrong))
    without = {name: value for name, value in right.items() if name != "set_states"}
    assert "set_states" in str(problems_of("generic", without))


@pytest.mark.parametrize("system", sorted(registry))
def test_how_a_webhook_is_set_up(system: str) -> None:
    guide = describe_webhook(system, "https://in.example.com/", "1234", "t0ken")
    assert guide.url == "https://in.example.com/webhooks/tickets/1234/"
    assert guide.header == ("Authorization", "Bearer t0ken")
    assert guide.steps
    assert "t0ken" not in guide.url + guide.body + " ".join(guide.steps)


def test_the_pace() -> None:
    minute = timedelta(minutes=1)
    usual = {"is_news": False, "has_webhook": False, "failed": False}
    assert pause(timedelta(), **usual) == minute
    assert pause(8 * minute, **{**usual, "is_news": True}) == minute
    assert pause(8 * minute, **usual) == 10 * minute
    assert pause(25 * minute, **{**usual, "has_webhook": True}) == 30 * minute
    assert pause(timedelta(), **{**usual, "failed": True}) == 2 * minute
    assert pause(timedelta(hours=2), **{**usual, "failed": True}) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        ("1763625600", "1763625600"),
        ("20/11/2026 08:00:00", "20/11/2026 08:00:00"),
        ("192.0.2.1", ""),
        ("+41 79 555 12 34", ""),
        ("Anna called", ""),
        ("anna@contoso.com", ""),
        ("", ""),
    ],
)
def test_of_the_time_of_a_change_nothing_but_a_time_is_kept(changed: str, kept: str) -> None:
    """A description may name the wrong field."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert _stamp(TicketRef("7", "", "open", changed=changed), now) == kept
