"""manage.py lake as operators call it."""

from __future__ import annotations

import csv
import io
import shutil

import pytest
from django.conf import settings

from alerts.models import Case
from alerts.triage import resolve
from lake.analyses import ANALYSES
from tenants.models import Tenant
from tenants.scope import scope
from tests.alerts.documents import alert, user
from tests.audit import audited
from tests.lab import reread

pytestmark = pytest.mark.usefixtures("committed")


def test_a_lake_is_written_compared_and_asked(manage, slug, old, simulator):
    simulator.control.add_alerts(slug, [alert("a1", user("anna")), alert("a2", user("bob"))])
    manage("sync", slug)
    first = manage("lake", "export", slug, "--json").json
    assert (first["tenants"], first["windows"]) == (1, 1)
    assert manage("lake", "export", slug, "--json").json["windows"] <= 1
    tenant = reread(slug)
    with scope(tenant):
        seen = dict(Case.objects.values_list("pk", "version"))
        resolve(tenant.pk, seen, actor_id=1, verdict="truePositive")
    assert manage("lake", "export", slug, "--json").json["rows"] >= 4
    verified = manage("lake", "verify", slug, "--json")
    assert (verified.code, verified.json["differences"]) == (0, [])
    again = manage("lake", "export", slug, "--since", "2020-01-01", "--json").json
    assert again["windows"] == verified.json["windows"]
    assert manage("lake", "verify", slug).code == 0

    question = "SELECT slug, count(*) AS n FROM cases JOIN tenants USING (tenant) GROUP BY slug"
    answer = manage("lake", "query", question, "--tenant", slug, "--json").json
    assert answer == {"columns": ["slug", "n"], "rows": [[slug, 2]], "cut": False}
    text = manage("lake", "query", "SELECT verdict FROM verdicts", "--tenant", slug).out
    assert list(csv.reader(io.StringIO(text))) == [["verdict"], ["truePositive"], ["truePositive"]]
    assert manage("lake", "query", question, "--tenant", old, "--json").json["rows"] == []
    asked = audited().filter(action="lake_queried", tenant=tenant)
    assert asked.count() == 2

    assert manage("lake", "keep", slug, "--days", "90").code == 0
    assert Tenant.objects.get(slug=slug).lake_days == 90
    anew = manage("lake", "export", slug, "--anew", "--json").json
    assert anew["rows"] > 0
    assert manage("lake", "verify", slug).code == 0


def test_saved_analyses_run(manage, old):
    manage("lake", "export", old)
    for name in ANALYSES:
        assert manage("lake", "query", "--saved", name, "--tenant", old).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["query"], "--saved with one of"),
        (["query", "SELECT * FROM read_text('/etc/passwd')"], "Permission Error"),
        (["query", "SELECT 1", "--tenant", "nobody"], "no tenant 'nobody'"),
        (["query", "DROP VIEW cases"], "one SELECT"),
        (["export"], "Name tenants"),
        (["verify", "nobody"], "no tenant 'nobody'"),
        (["keep", "--all", "--days", "3"], "from 30 to 36500"),
        (["keep", "--all", "--days", "99999999999"], "from 30 to 36500"),
        (["drain"], "invalid choice"),
        (["export", "x", "--since", "soon"], "no time such as"),
    ],
)
def test_nonsense_is_refused(manage, old, words, said):
    done = manage("lake", *words)
    assert done.code == 1
    assert said in done.err


def test_rows_that_are_too_many_are_cut_and_said(manage, old):
    done = manage("lake", "query", "SELECT * FROM range(50)", "--rows", "5", "--tenant", old)
    assert (done.code, len(done.out.splitlines())) == (1, 6)
    assert "first 5" in done.err


def test_another_portals_lake_is_named(manage, old):
    folder = settings.CSC_DATA_DIR / "lake" / "tenant=nobodys" / "windows"
    folder.mkdir(parents=True)
    assert "nobodys" in manage("lake", "verify", old, "--json").json["orphans"]
    shutil.rmtree(folder.parent)
