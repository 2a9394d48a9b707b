"""Server-sent events, from a process of streams as it runs: in order, once, to whom they may go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings
from django.db import InterfaceError, connection
from django.utils import timezone

from alerts import triage
from alerts.models import Case
from csc_portal.api import events
from csc_portal.api.keys import NewKey, create_key, revoke_key
from csc_portal.sync import Changes, Position
from tenants.models import ApiKey, Grant, QueueEntry, Tenant, User
from tenants.onboarding import NewTenant, create_tenant, erase_tenant
from tenants.scope import granted, scope
from tests.csc_portal.api.conftest import Caller, group_of, token_for
from tests.csc_portal.api.test_endpoints import problem
from tests.csc_portal.ingress_lab import free_port
from tests.csc_portal.web.conftest import World, fill
from tests.lab import ROOT, wait_for


@dataclass(frozen=True, slots=True)
class Heard:
    name: str
    id: str
    data: dict[str, Any]


class Listener:
    """A program that listens; events come one by one."""

    def __init__(self, url: str, secret: str, query: str = "", last: str = "") -> None:
        headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        self.answer = requests.get(
            f"{url}/api/v1/events{query}", headers=headers, stream=True, timeout=60
        )
        self.last = last
        self._events = self._read()
        self.answer.encoding = "utf-8"
        if self.answer.ok:
            assert self.answer.headers["Content-Type"] == "text/event-stream"
            self.next()  # the first id, so that the stream has begun

    def next(self) -> Heard:
        self.patient_until = time.monotonic() + 60
        return next(self._events)

    def some(self, count: int) -> list[Heard]:
        return [self.next() for _ in range(count)]

    def _read(self) -> Iterator[Heard]:
        found: dict[str, str] = {}
        for line in self.answer.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            if line:
                found[name] = value
                continue
            self.last = found.get("id", self.last)
            assert time.monotonic() < self.patient_until, "nothing is told"
            if "" not in found:  # else a beat
                yield Heard(found.get("event", ""), self.last, json.loads(found.get("data", "{}")))
            found = {}

    def close(self) -> None:
        self.answer.close()


@pytest.fixture(scope="module")
def url(simulator, django_db_setup, tmp_path_factory) -> Iterator[str]:
    """A process of streams, as an operator starts it."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable, "-m", "gunicorn", "tests.csc_portal.api.quick_streams", "--bind", address,
        "--worker-class", "gthread", "--threads", "24", "--graceful-timeout", "1",
        "--no-control-socket",
    ]  # fmt: skip
    log = tmp_path_factory.mktemp("streams") / "log"
    with log.open("wb") as file:
        environment = {**os.environ, "API_STREAMS": "20", "API_STREAMS_PER_KEY": "4"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    wait_for(lambda: _answers(f"http://{address}/healthz"), 60, "the process of streams")
    yield f"http://{address}"
    process.terminate()
    process.wait(60)
    assert "Traceback" not in log.read_text()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def places(simulator, django_db_setup, django_db_blocker) -> Iterator[dict[str, Tenant]]:
    """Tenants A and B with four cases each, committed."""
    with django_db_blocker.unblock():
        found = {}
        for slug in ("hear-a", "hear-b"):
            new = NewTenant(slug, slug.upper(), uuid.uuid4(), uuid.uuid4(), "csc-app-credential")
            found[slug] = create_tenant(new)
            Tenant.objects.filter(pk=found[slug].pk).update(state="active")
            fill(found[slug], 4)
        yield found
        for tenant in found.values():
            erase_tenant(tenant)
        connection.close()


@pytest.fixture
def owner(places, committed) -> Iterator[Callable[..., Caller]]:
    """A key of a new user with a role for these tenants, committed."""
    people: list[User] = []

    def make(*slugs: str, **more: Any) -> Caller:
        person = User.objects.create_user(f"hears-{uuid.uuid4().hex[:8]}")
        people.append(person)
        for slug in slugs:
            Grant.objects.create(user=person, tenant=places[slug], role="viewer")
        new = NewKey(**{"name": "x", "scopes": ["cases:read"], **more})
        return Caller(*create_key(person, new, actor="test", now=timezone.now()))

    yield make
    for person in people:
        person.delete()


@pytest.fixture
def listen(url: str) -> Iterator[Callable[..., Listener]]:
    listeners: list[Listener] = []

    def start(caller: Caller, query: str = "", last: str = "") -> Listener:
        listeners.append(Listener(url, caller.secret, query, last))
        return listeners[-1]

    yield start
    for one in listeners:
        one.close()


def cases_of(tenant: Tenant) -> list[Case]:
    with scope(tenant):
        return list(Case.objects.order_by("pk"))


def change(tenant: Tenant, *cases: Case) -> None:
    """Something new about cases, in one transaction: they are closed, or opened again."""
    with scope(tenant):
        fresh = Case.objects.in_bulk([case.pk for case in cases])
        versions = {pk: case.version for pk, case in fresh.items()}
        if fresh[cases[0].pk].status == Case.Status.RESOLVED:
            triage.reopen(tenant.pk, versions, actor_id=1)
        else:
            triage.resolve(tenant.pk, versions, actor_id=1, verdict="truePositive")


def test_changes_are_told_as_they_come(owner, listen, places) -> None:
    tenant = places["hear-a"]
    listener, case = listen(owner("hear-a")), cases_of(tenant)[0]
    change(tenant, case)
    heard = listener.next()
    assert (heard.name, heard.data["case"]) == ("case.changed", str(case.public_id))
    assert set(heard.data) == {
        "case", "number", "tenant", "status", "severity", "priority", "verdict", "alert_count",
        "ticket", "opened_at", "changed_at",
    }  # fmt: skip
    assert heard.data["status"] == "resolved"
    change(tenant, case)
    assert listener.next().data["status"] == "new"


def test_nothing_is_lost_and_nothing_comes_twice(owner, listen, places) -> None:
    """Over connections that break, and with the cursors of the copy."""
    tenant, caller = places["hear-a"], owner("hear-a")
    cases = cases_of(tenant)
    cursor, has_more = None, True
    while has_more:
        page = caller.get("cases/changes" + (f"?cursor={cursor}" if cursor else "")).json()
        cursor, has_more = page["next"], page["has_more"]
    told: list[Heard] = []
    for round_ in range(3):
        change(tenant, *cases)
        listener = listen(caller, last=told[-1].id if told else cursor)
        told += listener.some(3 if round_ < 2 else 1)  # and breaks off in the middle
        listener.close()
    rest = listen(caller, last=told[-1].id)
    while {one.data["case"] for one in told[-4:]} != {str(case.public_id) for case in cases}:
        told.append(rest.next())
    now = {str(case.public_id): _changed_at(tenant, case) for case in cases}
    copy = {one.data["case"]: one.data["changed_at"] for one in told}
    assert copy == now
    versions = [(one.data["case"], one.data["changed_at"]) for one in told]
    assert len(set(versions)) == len(versions)
    after = caller.get(f"cases/changes?cursor={told[-1].id}").json()
    assert (after["items"], after["has_more"]) == ([], False)


def _changed_at(tenant: Tenant, case: Case) -> str:
    with granted([tenant.pk]):
        return QueueEntry.objects.get(public_id=case.public_id).changed_at.isoformat()


def test_a_key_hears_of_its_own_tenants_alone(owner, listen, places, simulator) -> None:
    both = listen(owner("hear-a", "hear-b"))
    program, group = uuid.uuid4(), group_of(places["hear-b"])
    owner("hear-b", application=program)
    keys = (
        owner("hear-b"),
        owner("hear-a", "hear-b", tenants=[places["hear-b"]]),
        owner("hear-a", "hear-b", groups=[group]),
        Caller(None, token_for(simulator, program, ["Cases.Read"])),
    )
    narrow = [listen(owner("hear-a", "hear-b"), "?tenant=hear-b"), *map(listen, keys)]
    theirs, ours = (cases_of(places[slug])[0] for slug in ("hear-a", "hear-b"))
    for _ in range(2):
        change(places["hear-a"], theirs)
        change(places["hear-b"], ours)
        assert {one.data["tenant"] for one in both.some(2)} == {"hear-a", "hear-b"}
        for one in narrow:
            heard = one.next()
            assert (heard.data["tenant"], heard.data["case"]) == ("hear-b", str(ours.public_id))
    group.delete()
    assert narrow[3].next().data == {"why": "tenants"}


@pytest.mark.parametrize("how", ["revoked", "expired", "switched off", "grant", "one grant more"])
def test_what_is_lost_ends_the_stream(how: str, owner, listen, places) -> None:
    caller = owner("hear-a")
    listener = listen(caller)
    person = caller.key.owner
    if how == "revoked":
        revoke_key(caller.key, actor="test", now=timezone.now())
    elif how == "expired":
        ended = timezone.now() - timedelta(seconds=1)
        ApiKey.objects.filter(pk=caller.key.pk).update(expires_at=ended)
    elif how == "switched off":
        User.objects.filter(pk=person.pk).update(is_active=False)
    elif how == "grant":
        Grant.objects.filter(user=person).delete()
    else:
        Grant.objects.create(user=person, tenant=places["hear-b"], role="viewer")
    heard = listener.next()
    assert heard.name == "end"
    assert heard.data == {"why": "tenants" if "grant" in how else "key"}
    again = listen(caller, last=heard.id).answer.status_code
    expected = {"grant": 404, "one grant more": 410}
    assert again == expected.get(how, 401)


def test_seats_are_bounded_and_given_back(owner, listen) -> None:
    caller = owner("hear-a")
    first, *_ = [listen(caller) for _ in range(4)]
    refused = listen(caller).answer
    assert (refused.status_code, refused.json()["title"]) == (429, "Too many requests")
    assert refused.headers["Retry-After"] == "5"
    assert listen(owner("hear-a")).answer.ok  # another key has seats of its own
    first.close()
    wait_for(lambda: listen(caller).answer.ok, 60, "the seat is free again")


def test_what_is_asked_wrongly(owner, listen, url: str) -> None:
    caller = owner("hear-a")
    assert listen(caller, "?tenant=hear-b").answer.status_code == 404
    assert listen(caller, "?colour=red").answer.status_code == 400
    for last in ("x", "é".encode().decode("latin-1"), "a" * 5000):
        assert listen(caller, last=last).answer.status_code == 400
    assert listen(owner("hear-a", scopes=["tenants:read"])).answer.status_code == 404
    assert listen(Caller(None, "csc_nobody")).answer.status_code == 401
    others = listen(owner("hear-b"))
    assert listen(caller, last=others.last).answer.status_code == 410
    auth = {"Authorization": f"Bearer {caller.secret}"}
    assert requests.post(f"{url}/api/v1/events", headers=auth, timeout=9).status_code == 405
    for path in ("/", "/api/v1/cases", "/account/login/"):
        answer = requests.get(f"{url}{path}", headers=auth, timeout=9)
        assert answer.status_code == 404  # this process serves nothing else
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_web_process_serves_no_streams(key_of, world: World) -> None:
    assert not django_settings.SERVES_STREAMS
    problem(key_of().get("events"), 503, "unavailable")
    problem(key_of(scopes=["export"]).get("events"), 404, "not-found")


# --- the body, without a server -------------------------------------------------------------------


def body(read: Callable[[Position], Changes], life_s: float = 0.0) -> list[str]:
    stream: Any = SimpleNamespace(mark=lambda at: f"m{at.change}", texts=lambda found: ["told\n\n"])
    return list(events.told(read, stream, Position(7), life_s))


def test_a_stream_has_an_end() -> None:
    begun, text, end = body(lambda at: Changes([], at, False, at))
    assert begun == "retry: 2000\nid: m7\n\n"
    assert text == "told\n\n"
    assert end == 'event: end\ndata: {"why":"time"}\n\n'


def test_silence_is_broken_by_a_beat(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(events.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    found = body(lambda at: Changes([], at, False, at), life_s=35)
    assert found.count(": still here\nid: m7\n\n") == 3
    assert now[0] == 35


def test_a_fault_of_the_database_ends_it_too() -> None:
    def read(at: Position) -> Changes:
        raise InterfaceError("the connection is closed")

    assert body(read, life_s=600) == ["retry: 2000\nid: m7\n\n"]
