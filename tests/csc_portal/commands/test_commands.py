"""The commands that operators and other programs rely on: output, exit codes, errors."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from alerts.models import Alert, Case
from csc_portal import services
from tenants.models import CaseFigure, Grant, QueueEntry, Tenant, User
from tenants.scope import granted, scope
from tests.alerts.documents import alert, user
from tests.audit import audited
from tests.csc_portal.commands.conftest import words_of
from tests.lab import Processes, reread

pytestmark = pytest.mark.usefixtures("committed")


# --- probe, sync, replay --------------------------------------------------------------------------


def test_probe_says_what_is_there(manage, slug, simulator):
    done = manage("probe", slug, "--json")
    assert done.code == 0
    assert {"source", "permission", "state", "problem"} <= set(done.json["sources"][0])
    assert done.json["ticketing"] == {"state": "there", "problem": ""}
    simulator.control.fault("status", service="graph", path="alerts_v2", status=403, count=-1)
    refused = manage("probe", slug, "--json")
    assert refused.code == 1
    assert {one["source"]: one["state"] for one in refused.json["sources"]}["alerts"] != "there"
    assert "Alerts can't be read" in refused.err


def test_sync_counts_and_repeats(manage, slug, simulator):
    simulator.control.add_alerts(
        slug, [alert("a1", user("anna")), alert("a2", user("anna"), hours=1), alert("b", user("b"))]
    )
    first = manage("sync", slug, "--json").json
    wanted = {
        "fetched", "new", "updated", "duplicate", "overlap", "cases", "closed", "tickets", "notes",
        "write_backs", "quarantined", "failed",
    }  # fmt: skip
    assert wanted <= set(first)
    assert (first["fetched"], first["new"], first["cases"], first["tickets"]) == (3, 3, 2, 2)
    again = manage("sync", slug, "--json").json
    assert (again["new"], again["cases"], again["tickets"], again["failed"]) == (0, 0, 0, 0)
    assert "new: 0" in manage("sync", slug).out


def test_sync_bounds_and_sources(manage, slug, simulator):
    simulator.control.add_alert(slug, alert("a1", user("anna")))
    outside = manage("sync", slug, "--since", "2026-11-21T00:00:00Z", "--json")
    assert outside.json["new"] == 0
    inside = manage(
        "sync", slug, "--since", "2026-11-20", "--until", "2026-11-21T00:00:00+00:00", "--json"
    )
    assert inside.json["new"] == 1
    assert manage("sync", slug, "--source", "tickets", "--json").code == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--since", "yesterday"], "no time such as"),
        (["--since", "2026-11-21", "--until", "2026-11-20"], "must be before"),
        (["--source", "mail"], "invalid choice"),
        (["--nonsense"], "unrecognized"),
    ],
)
def test_sync_refuses_nonsense(manage, old, more, said):
    done = manage("sync", old, *more)
    assert done.code == 1
    assert said in done.err


def test_sync_tells_of_faults(manage, slug, simulator):
    simulator.control.fault("status", service="graph", directory=slug, status=403, count=-1)
    done = manage("sync", slug, "--json")
    assert done.code == 1
    assert done.json["failed"] == 1
    assert "403" in done.json["error"]
    assert done.json["error"] in done.err


def test_an_unknown_tenant_is_one_line(manage):
    for command in ("probe", "sync", "offboard", "subscriptions"):
        done = manage(command, "nobody")
        assert (done.code, done.err) == (1, "CommandError: There is no tenant 'nobody'.")


def test_replay_takes_files_alerts_cases_and_times(manage, slug, simulator, tmp_path):
    documents = [alert("a1", user("anna")), alert("a2", user("bob"))]
    export = tmp_path / "export.json"
    export.write_text(json.dumps({"value": documents}))
    done = manage("replay", slug, "--file", export, "--json").json
    assert (done["new"], done["tickets"]) == (2, 2)
    assert manage("replay", slug, "--file", export, export, "--json").json["new"] == 0
    simulator.control.add_alerts(slug, documents)
    with scope(reread(slug)):
        case = Case.objects.first()
    for what in (
        ["--alert", "a1"],
        ["--case", case.pk],
        ["--case", case.public_id],
        ["--since", "2026-11-19"],
        ["--quarantined"],
    ):
        done = manage("replay", slug, *what, "--json")
        assert (done.code, done.json["new"], done.json["tickets"]) == (0, 0, 0), done
    incident = {"id": "7", "displayName": "x", "alerts": [alert("a3", user("carl"))]}
    export.write_text(json.dumps([incident, {**incident, "alerts": []}]))
    done = manage("replay", slug, "--file", export, "--json").json
    assert (done["new"], done["quarantined"]) == (1, 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "required"),
        (["--alert", "no-such-alert"], "does not have"),
        (["--case", "4711"], "no case"),
        (["--case", "x"], "no case"),
        (["--case", "\u00b2"], "no case"),
        (["--file", "/no/such/file"], "can't be read"),
        (["--file", __file__], "is not JSON"),
    ],
)
def test_replay_refuses_nonsense(manage, old, more, said):
    done = manage("replay", old, *more)
    assert done.code == 1
    assert said in done.err


def test_replay_releases_what_was_set_aside(manage, slug, simulator):
    broken = {**alert("a1", user("anna")), "createdDateTime": "x", "lastUpdateDateTime": "x"}
    export = Path(tempfile.mkstemp(suffix=".json")[1])
    export.write_text(json.dumps(broken))
    assert manage("replay", slug, "--file", export, "--json").json["quarantined"] == 1
    export.unlink()
    simulator.control.add_alert(slug, alert("a1", user("anna")))
    assert manage("replay", slug, "--quarantined", "--json").json["new"] == 1
    assert manage("replay", slug, "--quarantined", "--json").json["fetched"] == 0


# --- the rest -------------------------------------------------------------------------------------


def test_rebuild_queue_finds_and_mends(manage, slug, simulator):
    simulator.control.add_alert(slug, alert("a1", user("anna")))
    manage("sync", slug)
    assert manage("rebuild_queue", "--verify", "--json").json["differences"] == []
    tenant = reread(slug)
    with scope(tenant):
        QueueEntry.objects.filter(tenant_id=tenant.pk).update(title="changed")
    found = manage("rebuild_queue", "--verify", "--json")
    assert found.code == 1
    assert [one["tenant"] for one in found.json["differences"]] == [slug]
    assert slug in found.err
    assert manage("rebuild_queue").code == 0
    assert manage("rebuild_queue", "--verify").code == 0
    with granted([tenant.pk]):
        assert QueueEntry.objects.get().title != "changed"


def test_offboard_stops_and_erases(manage, slug, simulator):
    simulator.control.add_alert(slug, alert("a1", user("anna")))
    manage("sync", slug)
    assert manage("lake", "export", slug, "--json").json["rows"] > 0
    stopped = manage("offboard", slug, "--json")
    assert (stopped.json["tenant"], stopped.json["erased"]) == (slug, False)
    tenant = reread(slug)
    assert tenant.state == Tenant.State.OFFBOARDED
    with scope(tenant):
        assert Alert.objects.exists()
    lake = settings.CSC_DATA_DIR / "lake" / f"tenant={tenant.public_id}"
    assert lake.exists()
    assert manage("offboard", slug, "--erase", "--json").json["erased"] is True
    assert not lake.exists()
    with granted([tenant.pk]):
        assert not CaseFigure.objects.exists()
    assert not Tenant.objects.filter(slug=slug).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [tenant.schema_name])
        assert cursor.fetchone() is None


def test_grant_makes_gives_and_takes(manage, old):
    name = f"person-{old}"
    assert "no user" in manage("grant", name, old, "viewer").err
    done = manage("grant", name, old, "analyst", "--create", "--json").json
    person = User.objects.get(username=name)
    assert person.check_password(done["password"])
    assert Grant.objects.get(user=person).role == "analyst"
    again = manage("grant", name, old, "viewer", "--json").json
    assert "password" not in again
    assert Grant.objects.get(user=person).role == "viewer"
    assert manage("grant", name, "*", "admin").code == 0
    assert manage("grant", name, old, "none").code == 0
    assert Grant.objects.get(user=person).tenant is None
    assert manage("grant", name, old, "king").code == 1
    assert manage("grant", name, "nobody", "viewer").code == 1
    assert audited().filter(action="user_created", subject=f"user {person.pk}").count() == 1
    person.delete()
    assert manage("grant", name, "*", "customer_admin", "--create").code == 1
    assert not User.objects.filter(username=name).exists(), "a role that can't be makes nobody"


def test_migrate_schemas_and_services_speak_json(manage, old):
    done = manage("migrate_schemas", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {row["schema"]: row["error"] for row in rows}[reread(old).schema_name] == ""
    state = manage("services", "--json").json
    assert state["postgres"]["running"]
    assert state["redis_url"].startswith("redis://")


@pytest.mark.parametrize(
    "command",
    ["onboard", "probe", "sync", "replay", "rebuild_queue", "offboard", "grant", "services",
     "migrate_schemas", "subscriptions", "lake"],
)  # fmt: skip
def test_every_command_has_help(manage, command):
    done = manage(command, "--help")
    assert done.code == 0
    assert "--json" in done.out


def test_two_data_folders_are_two_installations(simulator, given, old):
    """The same customer in each, and neither knows of the other's."""
    place = Path(tempfile.mkdtemp(prefix="csc-other-"))
    processes = Processes(place / "logs", {"CSC_DATA_DIR": str(place / "data")})
    simulator.control.add_alert(given["slug"], alert("a1", user("anna")))
    try:
        made = processes.manage(*words_of(given, "--json"))
        assert made.returncode == 0, made.stderr
        synced = processes.manage("sync", given["slug"], "--json")
        assert json.loads(synced.stdout)["tickets"] == 1
        assert "no tenant" in processes.manage("sync", old).stderr
        assert not Tenant.objects.filter(slug=given["slug"]).exists()
    finally:
        services.erase(place / "data")
        shutil.rmtree(place)


def test_a_page_queues_tasks_by_our_own_app(tmp_path):
    """A process that never imports csc_portal.celery by itself, as the web process."""
    processes = Processes(tmp_path)
    text = (
        "import csc_portal.wsgi, gc, sys; from csc_portal.pipeline import poll_tenant; "
        "print(poll_tenant.app.main, poll_tenant.app.conf.broker_url.partition(':')[0], "
        "'csc_portal.urls' in sys.modules, gc.get_freeze_count() > 100_000)"
    )
    processes.python("page", "-c", text)
    processes.wait("page")
    told = ["csc_portal", "redis", "True", "True"]
    assert processes.log("page").split() == told, "loaded, and out of the way"
