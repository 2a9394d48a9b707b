"""Quotas of a key, what the headers say of them, and the page that shows how it was used."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from csc_portal.api.keys import BadKey, NewKey, create_key
from csc_portal.api.throttle import Use, used_by_day
from csc_portal.day_bars import HEIGHT, bars
from csc_portal.hints import connect
from tenants.models import ApiKey
from tests.csc_portal.api.conftest import Caller
from tests.csc_portal.web.conftest import World


def today(caller: Caller) -> Use:
    assert caller.key
    found = used_by_day([caller.key.pk])
    assert found
    return found[caller.key.pk][-1]


def test_what_is_refused_uses_up_nothing_of_the_day(key_of, world: World, settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    caller = key_of()
    with time_machine.travel("2026-11-20T10:00:10Z", tick=False):
        assert [caller.get("key").status_code for _ in range(4)] == [200, 200, 429, 429]
        assert today(caller) == Use(timezone.now().date(), 2, 0, 2)
    with time_machine.travel("2026-11-20T10:01:00Z", tick=False):
        answer = caller.get("key")
    assert answer.status_code == 200
    assert answer.headers["RateLimit-Remaining"] == "1"
    assert answer.headers["RateLimit-Reset"] == "60"


def test_a_key_can_have_a_smaller_day(key_of, world: World, settings) -> None:
    caller = key_of()
    ApiKey.objects.filter(pk=caller.key.pk).update(requests_a_day=3)
    with time_machine.travel("2026-11-20T23:00:00Z", tick=False):
        answers = [caller.get("key") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == list("21000")
        last = answers[-1].headers
        assert last["RateLimit-Limit"] == "3"
        assert last["RateLimit-Policy"] == "600;w=60, 3;w=86400"
        assert last["Retry-After"] == last["RateLimit-Reset"] == "3600"
        # Both windows are used up: waiting for the shorter one would help nobody.
        settings.API_REQUESTS_PER_MINUTE = 1
        assert caller.get("key").headers["Retry-After"] == "3600"
    with time_machine.travel("2026-11-21T00:00:00Z", tick=False):
        assert caller.get("key").status_code == 200


def test_no_key_is_made_with_more_than_all_may(key_of, world: World, settings) -> None:
    settings.API_REQUESTS_PER_DAY = 100
    owner = key_of().key.owner
    for number in (0, 101):
        with pytest.raises(BadKey, match="1 to 100"):
            create_key(
                owner, NewKey("x", ["export"], requests_a_day=number), actor="t", now=timezone.now()
            )
        with pytest.raises(CommandError, match="1 to 100"):
            call_command("api_token", owner.username, "--name", "x", "--requests", str(number))


def test_the_page_tells_what_a_key_did(sign_in, key_of, world: World, settings) -> None:
    caller = key_of()
    page = f"/settings/api-keys/{caller.key.public_id}/"
    admin = sign_in("admin")
    assert "No request in 30 days" in admin.get(page).content.decode()
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=29), tick=False):
        caller.get("key")
    with time_machine.travel(now, tick=False):
        caller.get("cases?colour=red")
        settings.API_REQUESTS_PER_MINUTE = 1
        caller.get("cases")
    text = " ".join(admin.get(page).content.decode().split())
    for day, numbers in ((now, (1, 1, 1)), (now - timedelta(days=29), (1, 0, 0))):
        cells = "".join(f' <td class="num">{number}</td>' for number in numbers)
        assert f"{day:%a %Y-%m-%d}</th>{cells}" in text
    assert "600" not in text
    assert "1 a minute, 200000 a day" in text
    assert sign_in("admin", world.tenants["qa"]).get(page).status_code == 404
    assert sign_in("analyst").get(page).status_code == 404


def test_a_fault_of_the_portal_is_an_error_too(key_of, world: World, settings) -> None:
    caller = key_of()
    client = Client(
        headers={"Authorization": f"Bearer {caller.secret}"}, raise_request_exception=False
    )
    settings.API_REQUESTS_PER_MINUTE = None  # what nobody would set
    assert client.get("/api/v1/cases").status_code == 500
    assert today(caller).errors == 1


def test_bars_show_what_is_not_nothing() -> None:
    day = timezone.now().date()
    found = bars([(day, 0), (day, 1), (day, 1000)])
    assert [(one.x, one.y, one.height) for one in found] == [
        (0, HEIGHT, 0), (18, HEIGHT - 3, 3), (36, 0, HEIGHT),
    ]  # fmt: skip
    assert bars([(day, 0)])[0].height == 0


@pytest.fixture(autouse=True)
def _forget() -> None:
    """Keys of other tests had the same numbers: their transactions were rolled back."""
    names = connect().keys("csc:api:*")
    if names:
        connect().delete(*names)
