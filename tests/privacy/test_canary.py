"""Nothing personal at rest: what alerts name is in the ticket system and nowhere else."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from django.conf import settings

from alerts.models import Alert
from csc_portal.celery import app
from csc_portal.embedded.programs import postgres_program
from csc_portal.lake_run import lake_store
from lake.manifest import folder_of
from lake.schema import TABLES
from tenants.models import WebhookDelivery
from tenants.scope import scope
from tests.environment import HOME, SIMULATOR
from tests.lab import reread, wait_for
from tests.privacy.canaries import Marks, Search, in_base64, search_of
from tests.privacy.scenario import Scenario, quarantined

pytestmark = pytest.mark.usefixtures("committed")
STARTED = time.time()


@pytest.fixture(scope="module")
def search(scenario: Scenario) -> Search:
    return search_of(scenario.marks)


@pytest.fixture(scope="module")
def secret_search(simulator) -> Search:
    """Every secret of the vault, all versions, as it is and in base64."""
    control = simulator.control
    values = [
        version["value"].encode()
        for name in control.call("GET", "vault")["names"]
        for version in control.secret_versions(name)
    ]
    assert len(values) > 4
    exact = [needle for value in values for needle in (value, *in_base64(value))]
    return Search([], exact)


@pytest.fixture(scope="module")
def control_marks() -> Marks:
    """Planted where they can be found, to see that the search finds."""
    return Marks()


@pytest.fixture(params=["canaries", "secrets"])
def wanted(request, search, secret_search) -> Search:
    return search if request.param == "canaries" else secret_search


# --- the places -----------------------------------------------------------------------------------


def dump() -> bytes:
    """All schemas, with rows as they are."""
    command = [str(postgres_program("pg_dump")), "--no-owner", settings.BACKING.admin_database_url]
    return subprocess.run(command, capture_output=True, check=True, timeout=300).stdout


def broker() -> bytes:
    """Every key and value of all databases."""
    parts: list[bytes] = []
    readers = {
        b"none": lambda client, key: [],  # it ended just now
        b"string": lambda client, key: [client.get(key)],
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1),
        b"hash": lambda client, key: [x for pair in client.hgetall(key).items() for x in pair],
        b"stream": lambda client, key: [repr(client.xrange(key)).encode()],
    }
    url = settings.BACKING.redis_url.rpartition("/")[0]
    for number in range(16):
        with redis.Redis.from_url(f"{url}/{number}") as client:
            for key in client.scan_iter(count=1000):
                values = readers[client.type(key)](client, key)
                parts += [key, *(value for value in values if value is not None)]
    return b"\n".join(parts)


def data_files() -> list[Path]:
    """What was written below the data folder since the tests began: tables, WAL, logs, dumps."""
    with psycopg.connect(settings.BACKING.admin_database_url, autocommit=True) as admin:
        admin.execute("CHECKPOINT")
    with redis.Redis.from_url(settings.BACKING.redis_url) as client:
        client.save()
    return files_below(HOME, without=SIMULATOR)


def files_below(folder: Path, without: Path | None = None) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if Path(place, name) != without]
        paths = [Path(place, name) for name in names]
        found += [path for path in paths if path.exists() and path.stat().st_mtime >= STARTED]
    return found


# --- that the scenario is worth searching ---------------------------------------------------------


def test_the_ticket_system_has_all_of_it(simulator, scenario, search):
    tickets = str(simulator.control.tickets(scenario.slug)).encode()
    assert search.hits(tickets)
    assert scenario.person.encode() in tickets


def test_everything_happened(simulator, scenario):
    with scope(reread(scenario.slug)):
        known = set(Alert.objects.values_list("provider_id", flat=True))
    assert {"all-1", "all-2", "title-0", "meta-1", "late-1", "legacy-1"} <= known
    assert quarantined(scenario.slug) >= 5
    assert all(fault["hits"] for fault in simulator.control.faults())
    assert scenario.marks.word in scenario.shown, "names were shown"
    assert "User " in scenario.found, "the person was found"
    assert scenario.marks.word in scenario.steps, "steps were read live"
    assert scenario.score["secure_score"]["findings_opened"] == 1, scenario.score
    facts = scenario.facts()
    assert facts["sign_in"]["matched_by"] == "request_id"
    assert [one["operation"] for one in facts["audits"]] == ["role_given", "consent_given"]
    assert facts["risk"]["level"] == "other"
    told = WebhookDelivery.objects.filter(tenant_id=reread(scenario.slug).pk)
    assert {"case.created", "decision.made"} <= set(told.values_list("kind", flat=True))
    assert told.exclude(problem="").exists()
    azure = scenario.azure
    assert azure is not None
    assert (azure.resources, azure.by_listing, azure.findings) == (2, 1, 2)
    assert scenario.marks.word in azure.with_names
    assert scenario.marks.word not in azure.without
    weak = scenario.weak
    assert weak is not None
    reading = weak.run.reading
    assert (reading.weaknesses, reading.rows, reading.unread) == (1, 2, 2)
    assert len(weak.run.exposure.settled.opened) == 1
    assert "CVE-2025-48384" in weak.tickets
    assert scenario.marks.word in weak.tickets, "names are in the ticket"
    assert scenario.commented is not None
    assert scenario.commented.where == ("ticket", "microsoft")
    with scope(reread(scenario.slug)):
        case = Alert.objects.get(provider_id="late-1").case
        kinds = set(case.events.values_list("kind", flat=True))
    assert {"resolved", "commented", "ticket_noted", "ticket_assigned"} <= kinds
    assert scenario.marks.hexadecimal in scenario.live.sign_ins[0].id.replace("-", "")


# --- the search -----------------------------------------------------------------------------------


def test_the_database(scenario, wanted, control_marks):
    assert wanted.hits(dump()) == []
    value = control_marks.like("a@b")
    with psycopg.connect(settings.BACKING.admin_database_url, autocommit=True) as admin:
        admin.execute(f"CREATE TABLE public.planted AS SELECT '{value}' AS x")
        try:
            assert search_of(control_marks).hits(dump())
            files = search_of(control_marks).in_files(data_files())
        finally:
            admin.execute("DROP TABLE public.planted")
    assert any("/base/" in hit for hit in files), "tables"
    assert any("/pg_wal/" in hit for hit in files), "write-ahead log"


def test_the_lake(scenario, wanted, control_marks):
    """Its files as they are, and what their columns hold when they are read."""
    done = scenario.processes.manage("lake", "export", scenario.slug, "--json")
    assert done.returncode == 0, done.stderr
    store = lake_store()
    folder = folder_of(str(reread(scenario.slug).public_id))
    paths = list(store.files(folder))
    parts = [path for path in paths if path.endswith(".parquet")]
    assert {path.split("/")[1] for path in parts} == set(TABLES)
    assert wanted.in_files([Path(store.full(path)) for path in paths]) == []
    assert wanted.hits(b"\n".join(decoded(store.full(path)) for path in parts)) == []
    planted = pa.table({"title": [control_marks.like("a@b")] * 5})
    pq.write_table(planted, store.full("planted.parquet"), compression="zstd")
    assert search_of(control_marks).hits(decoded(store.full("planted.parquet")))
    store.delete("planted.parquet")


def decoded(path: str) -> bytes:
    """Every value of a file of the lake, decompressed, with the names of its columns."""
    return repr(pq.read_table(path).to_pylist()).encode()


def test_reports_name_nobody(scenario, wanted, control_marks):
    assert scenario.reports.count("alerts came in") >= 6, "pages and PDFs say something"
    assert "Weaknesses that attackers use" in scenario.reports
    assert wanted.hits(scenario.reports.encode()) == []
    assert search_of(control_marks).hits(f"{scenario.reports}{control_marks.like('x')}".encode())


def test_the_broker_with_tasks_waiting(scenario, wanted, control_marks):
    app.send_task("nothing", args=[control_marks.like("a@b")], queue="slow")
    wait_for(lambda: search_of(control_marks).hits(broker()), 60, "a task's arguments are seen")
    wait_for(lambda: b"poll_tenant" in broker(), 60, "a task of ours waits")
    assert wanted.hits(broker()) == []
    with redis.Redis.from_url(settings.BACKING.redis_url) as client:
        client.delete("slow")


def test_the_logs(scenario, wanted, logged, control_marks):
    paths = files_below(scenario.processes.logs)
    names = {path.name for path in paths}
    assert {
        "worker.log",
        "slow.log",
        "beat.log",
        "web.log",
        "ingress.log",
        "replay-broken.json.log",
    } <= names
    assert wanted.in_files(paths) == []
    assert logged
    assert wanted.hits("\n".join(logged).encode()) == []
    planted = scenario.processes.logs / "planted.log"
    planted.write_text(f"somebody said {control_marks.like('x').upper()}")
    assert search_of(control_marks).in_files(files_below(scenario.processes.logs))
    planted.unlink()


def test_files_of_the_servers_and_temporary_ones(scenario, wanted, temporary, control_marks):
    paths = data_files()
    assert {"postgres.log", "valkey.log", "dump.rdb"} <= {path.name for path in paths}
    assert wanted.in_files([*paths, *files_below(temporary)]) == []
    planted = temporary / "planted"
    planted.write_bytes(control_marks.like("x").encode("utf-16-le"))
    assert search_of(control_marks).in_files(files_below(temporary))
    planted.unlink()


def test_no_secret_is_in_the_environment_of_a_process(scenario, secret_search):
    texts = "\n".join(scenario.processes.environment.values()).encode()
    assert secret_search.hits(texts) == []
