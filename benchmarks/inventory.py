"""What it costs to read 100,000 Azure resources and say of each whether it is watched.

Ours is a full reading as a worker does it: Resource Graph over TLS from the simulator, the tenant's
rule, pseudonyms, upserts, what has gone, findings. It keeps below Azure's limit of queries, which
is most of the time it takes. `again` is the second reading, in which every row is there already;
`changes` reads what a hundred changed resources need. Each runs in a process of its own.

The baseline asks for the tags of every resource by itself, after listing them. Nobody would wait
for that, so a sample is asked and the rest is reckoned: the rows say so.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import statistics
import uuid
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from django.conf import settings
from django.db import connection
from django.utils import timezone

from benchmarks import HOME
from benchmarks.lab.report import options, progress, show
from clients.http import Http, Policy
from csc_portal.inventory import run_inventory
from posture.inventory import RESOURCES
from posture.models import WatchRule
from simulator import Simulator
from tenants.directories import arm_for, cloud
from tenants.models import Tenant
from tenants.onboarding import NewTenant, create_tenant
from tenants.scope import scope

SUBSCRIPTIONS = 40
SAMPLE = 300
CHANGED = 100
LISTED_A_PAGE = 1000
NOTES = """
Medians. Requests are those that arrived at the simulator, tokens not counted. `peak MiB` is the
most that the reading process held, `grown` how much that is above what it held before.
naive, reckoned: {sample} resources were asked for one by one on one connection, without any limit;
times the number of resources. At the 25 reads a second that Azure allows it takes {limited:,.0f} s.
"""


def main() -> None:
    arguments = options(__doc__)
    count, rounds = (10_000, 1) if arguments.quick else (100_000, 3)
    with Simulator(HOME / "simulator", directories=1, empty=True) as simulator:
        os.environ.update(simulator.environment)
        settings.AZURE_KEY_VAULT_URL = simulator.environment["AZURE_KEY_VAULT_URL"]
        settings.ENDPOINT_OVERRIDES = {
            name: simulator.environment.get(name, "") for name in settings.ENDPOINT_OVERRIDES
        }
        runs: dict[str, list[dict[str, float]]] = {"first": [], "again": [], "changes": []}
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}: {count:,} resources")
            tenant = _customer(simulator, f"round{number}", count)
            _warm(tenant)
            runs["first"].append(_measured(simulator, tenant, lambda t=tenant: _read(t)))
            runs["again"].append(_measured(simulator, tenant, lambda t=tenant: _read(t)))
            _change(simulator, tenant)
            changes = _measured(simulator, tenant, lambda t=tenant: _read(t, is_full=False))
            runs["changes"].append(changes)
        naive = _naive(simulator, tenant, count)
    _report(count, {name: _medians(run) for name, run in runs.items()}, naive, arguments.json)


def _customer(simulator: Simulator, slug: str, count: int) -> Tenant:
    given = simulator.control.add_directory(slug, stories=False, populate=False)
    simulator.control.fill_azure(given["directory"], count, subscriptions=SUBSCRIPTIONS)
    tenant = create_tenant(
        NewTenant(
            slug,
            slug,
            uuid.UUID(given["directory"]),
            uuid.UUID(given["client_id"]),
            given["credential_secret"],
        )
    )
    with scope(tenant):
        WatchRule.objects.create(
            pk=1, tags=[["monitored", ["true"]]], from_group=False, changed_at=timezone.now()
        )
    return tenant


def _warm(tenant: Tenant) -> None:
    """Let the simulator put its answer together before the clock starts: Azure has an index."""
    patient = arm_for(tenant).with_policy(Policy(read_s=300, deadline_s=600))
    keys = [row["subscriptionId"] for page in patient.subscription_pages() for row in page]
    next(iter(patient.query(RESOURCES, keys)))


def _change(simulator: Simulator, tenant: Tenant) -> None:
    directory = str(tenant.directory_id)
    rows = simulator.control.rows(directory, "resources")[:CHANGED]
    changed = [{**row, "tags": {"monitored": "true"}} for row in rows]
    simulator.control.add_rows(directory, "resources", changed)
    _warm(tenant)


def _read(tenant: Tenant, *, is_full: bool = True) -> int:
    run = run_inventory(Tenant.objects.get(pk=tenant.pk), timezone.now(), is_full=is_full)
    if run.error or run.reading.is_full is not is_full:
        raise RuntimeError(f"it was not read: {run.error}")
    return run.reading.resources


def _measured(simulator: Simulator, tenant: Tenant, work: Callable[[], int]) -> dict[str, float]:
    """In a child, whose memory is its own."""
    simulator.control.forget_requests()
    connection.close()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()

    def child() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before, started = _memory("VmRSS"), perf_counter()
        done = work()
        passed = perf_counter() - started
        answers.put((done, passed, _memory("VmHWM"), _memory("VmHWM") - before))

    process = context.Process(target=child)
    process.start()
    resources, seconds, peak, grown = answers.get(timeout=1800)
    process.join()
    requests = simulator.control.count(service="arm", directory=str(tenant.directory_id))
    return {
        "resources": resources, "requests": requests, "seconds": seconds, "peak": peak,
        "grown": grown,
    }  # fmt: skip


def _memory(name: str) -> float:
    """MiB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def _naive(simulator: Simulator, tenant: Tenant, count: int) -> dict[str, float]:
    """Requests and seconds for one request a resource, of which a sample was sent."""
    directory = str(tenant.directory_id)
    token = simulator.control.token(audience="https://management.azure.com", directory=directory)
    http = Http(cloud().arm)
    ids = [row["id"] for row in simulator.control.rows(directory, "resources")]
    sample = list(itertools.islice(ids, 0, None, max(1, len(ids) // SAMPLE)))[:SAMPLE]
    started = perf_counter()
    for one in sample:
        http.request(
            "GET",
            f"{one}/providers/Microsoft.Resources/tags/default",
            params={"api-version": "2021-04-01"},
            headers={"Authorization": f"Bearer {token}"},
        )
    each = (perf_counter() - started) / len(sample)
    pages = SUBSCRIPTIONS * -(-count // SUBSCRIPTIONS // LISTED_A_PAGE)
    return {"requests": count + pages, "seconds": each * count, "sample": len(sample)}


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _report(
    count: int, ours: dict[str, dict[str, float]], naive: dict[str, float], as_json: bool
) -> None:
    rows: list[dict[str, object]] = [
        {
            "reading": name,
            "resources": int(run["resources"]),
            "requests": int(run["requests"]),
            "seconds": round(run["seconds"], 1),
            "peak MiB": round(run["peak"], 1),
            "grown MiB": round(run["grown"], 1),
            "naive requests / ours": round(naive["requests"] / run["requests"]),
        }
        for name, run in ours.items()
    ]
    rows.append(
        {
            "reading": "naive, reckoned",
            "resources": count,
            "requests": int(naive["requests"]),
            "seconds": round(naive["seconds"], 1),
            "naive requests / ours": 1,
        }
    )
    first = ours["first"]
    result = {
        "resources": int(first["resources"]),
        "requests": int(first["requests"]),
        "seconds": round(first["seconds"], 1),
        "peak_mb": round(first["peak"], 1),
        "grown_mb": round(first["grown"], 1),
        "again_seconds": round(ours["again"]["seconds"], 1),
        "changes_requests": int(ours["changes"]["requests"]),
        "naive_requests": int(naive["requests"]),
        "naive_seconds_reckoned": round(naive["seconds"], 1),
    }
    notes = NOTES.strip().format(sample=int(naive["sample"]), limited=count / 25)
    show([result], [rows], notes, as_json=as_json)


if __name__ == "__main__":
    main()
