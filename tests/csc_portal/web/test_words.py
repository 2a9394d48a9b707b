"""Words and times that pages share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from csc_portal.case_words import step_text
from csc_portal.heat import Cell
from csc_portal.templatetags.portal import fact_value, listed, since, when


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cloud_resource", "ip"], "cloud resource, IP"),
        ("contextual,compromised", "contextual, compromised"),
        ("oauth_app", "OAuth app"),
        ([], ""),
    ],
)
def test_names_of_ours_are_told_as_words(names: list[str] | str, told: str) -> None:
    assert listed(names) == told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("enabled", True, "yes"),
        ("failed", False, "no"),
        ("role", "customer_ciso", "Customer CISO"),
        ("role", "no_such_role", "no_such_role"),
        ("kind", "app_role", "app role"),
        ("user", "ada_admin", "ada_admin"),
        ("alerts", [1, 2], "1, 2"),
        ("count", 3, "3"),
    ],
)
def test_facts_of_the_audit_log_are_told_but_never_changed(
    name: str, value: object, told: str
) -> None:
    assert fact_value(value, name) == told


def test_a_time_is_exact_in_the_users_zone() -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        shown = when(at, says_ago=True)
    assert 'datetime="2026-11-22T23:30:00Z"' in shown
    assert 'title="2026-11-23 08:30:00 JST"' in shown
    assert "data-ago" in shown
    assert "data-ago" not in when(at)


def test_ago_is_said_of_what_has_passed() -> None:
    now = timezone.now()
    assert since(now - timedelta(minutes=5, seconds=9)) == "5 min ago"
    assert (since(now + timedelta(hours=1)), since(None)) == ("now", "never")


def test_an_hour_of_the_heat_map_is_of_the_users_zone() -> None:
    at = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
    with timezone.override(ZoneInfo("Asia/Kolkata")):
        cell = Cell(at, "fetched", windows=1, fetched=3).words
    assert cell == "23:30 IST: fetched, 1 window, 3 fetched, 0 new"


def test_a_snooze_is_told_in_utc_whatever_the_offset_it_was_given_in() -> None:
    told = step_text("snoozed", {"until": "2026-11-22T23:30:00+05:30"})
    assert told == "Snoozed until 2026-11-22 18:00 UTC"
    assert step_text("snoozed", {"until": "soon"}) == "Snoozed"
