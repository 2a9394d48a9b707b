"""What a second start keeps; documents from a folder; the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import Simulator
from tests.simulator.conftest import Caller, plain_alert
from tests.simulator.test_freshservice import Desk

ALERTS = "/v1.0/security/alerts_v2"


def test_a_second_start_keeps_everything(state_dir: Path) -> None:
    with Simulator(state_dir, directories=1) as sim:
        caller, slug = Caller(sim, "contoso-bank"), "contoso-bank"
        alert = caller.values(ALERTS)[0]["id"]
        caller.request("PATCH", f"{ALERTS}/{alert}", json={"status": "inProgress"})
        ticket = Desk(sim, slug).create()
        sim.control.set_secret("csc-pseudonym-key", "second")
        sim.control.settings(filter_lag_s=3)
        before = (sim.url, sim.environment, sim.tenants, sim.ca_file.read_bytes())
        rows = len(sim.control.alerts(slug))
    with Simulator(state_dir, directories=1) as sim:
        assert before == (sim.url, sim.environment, sim.tenants, sim.ca_file.read_bytes())
        assert len(sim.control.alerts(slug)) == rows
        assert sim.control.alert(slug, alert)["status"] == "inProgress"
        assert [row["id"] for row in sim.control.tickets(slug)] == [ticket["id"]]
        assert len(sim.control.secret_versions("csc-pseudonym-key")) == 2
        assert sim.control.settings()["filter_lag_s"] == 3
        assert sim.truth()["directories"]
    log = (state_dir / "simulator.log").read_text()
    assert log == ""


def test_documents_go_to_every_directory(state_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    (folder / "deeper").mkdir(parents=True)
    odd = plain_alert(
        "odd_1", tenantId="x", evidence=[{"@odata.type": "#unheard.of"}], severity=None
    )
    (folder / "one.json").write_text(json.dumps(odd))
    page = {
        "value": [plain_alert("two_1", tenantId="x"), {"id": "29", "displayName": "an incident"}]
    }
    (folder / "deeper" / "page.json").write_text(json.dumps(page))
    legacy = {"id": "L1", "title": "Old", "azureTenantId": "x", "vendorInformation": {}}
    (folder / "legacy.json").write_text(json.dumps(legacy))
    older = plain_alert("odd_1", title="older", lastUpdateDateTime="2026-11-01T00:00:00Z")
    (folder / "zz-older.json").write_text(json.dumps(older))
    (folder / "broken.json").write_text("{")
    (folder / "error.json").write_text('{"error": {"code": "x"}}')
    with Simulator(state_dir, directories=2, documents=folder, empty=True) as sim:
        for tenant in sim.tenants:
            caller = Caller(sim, tenant["slug"])
            rows = {row["id"]: row for row in caller.values(ALERTS)}
            assert set(rows) == {"odd_1", "two_1"}
            assert rows["odd_1"] == {**odd, "tenantId": tenant["directory"]}
            old = caller.get("/v1.0/security/alerts/L1").json()
            assert old["azureTenantId"] == tenant["directory"]
        said = sim.log()
        sim.control.change_alert(sim.tenants[0]["slug"], "odd_1", status="resolved")
    with Simulator(state_dir, directories=2, documents=folder, empty=True) as sim:
        kept = sim.control.alert(sim.tenants[0]["slug"], "odd_1")
    assert kept["status"] == "resolved"
    assert "zz-older.json: left out, the document is another version of a taken alert" in said
    assert "broken.json: left out, no JSON" in said
    assert "error.json: left out, the document is not an alert" in said
    assert "deeper/page.json: left out, value[1] is not an alert" in said
    assert "2 alerts and 1 legacy alerts given to 2 directories" in said


def test_no_secret_is_printed(state_dir: Path) -> None:
    with Simulator(state_dir, directories=1, empty=True) as sim:
        secrets = [sim.control.secret(name) for name in sim.control.call("GET", "vault")["names"]]
        said = sim.log() + (state_dir / "tenants.json").read_text()
        said += (state_dir / "environment.json").read_text()
    assert len(secrets) == 6
    assert not any(secret in said for secret in secrets)
    assert (state_dir.stat().st_mode & 0o777) == 0o700


@pytest.mark.parametrize("arguments", [[], ["--state"], ["--state", "x", "--documents", "nowhere"]])
def test_wrong_command_lines(arguments: list[str], tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-m", "simulator", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin"},
        check=False,
    )
    assert found.returncode != 0
    assert found.stderr
