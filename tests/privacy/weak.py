"""A customer's devices whose ids and texts are canaries, and the tickets of what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from django.test import Client
from django.utils import timezone

from csc_portal.feeds import fetch, known_feeds
from csc_portal.inventory import run_inventory
from csc_portal.outcome import carry_outcome
from csc_portal.turns import INVENTORY, turn
from csc_portal.weaknesses import WeaknessRun, run_weaknesses
from posture.models import Exemption, Finding
from simulator import Simulator
from tenants.models import FindingRule, Grant, PublicFeed, Tenant, User
from tenants.scope import scope
from tests import payloads
from tests.lab import reread, wait_for
from tests.privacy.canaries import Marks

KEV = "known_exploited_vulnerabilities.json"
METADATA = frozenset({"id", "name", "severity", "cveId", "productVendor", "productName"})


@dataclass(frozen=True, slots=True)
class SeenWeak:
    """What the reading did, and what all the tickets of findings say."""

    run: WeaknessRun
    tickets: str


def read_weak(simulator: Simulator, marks: Marks, tenant: Tenant) -> WeaknessRun:
    """Plant and read; let what attackers use have a ticket."""
    control, slug = simulator.control, tenant.slug
    FindingRule.objects.create(tenant=tenant, kind=Finding.Kind.EXPLOITED)
    document = payloads.load("microsoft/mde-vulnerability")
    known = payloads.load("cisa-kev")
    cve = known["vulnerabilities"][0]["cveID"]
    planted = marks.plant({**document, "id": cve, "exploitUris": ["https://x"]}, METADATA)
    control.add_rows(slug, "weaknesses", [planted, {**planted, "id": marks.like("x")}])
    row = {"id": "x", "cveId": cve, "machineId": "x", "productVersion": "x", "fixingKbId": "x",
           "productVendor": "git", "productName": "git"}  # fmt: skip
    rows = [marks.plant(row, METADATA - {"id"}), {**row, "productName": marks.like("a@b")}]
    control.add_rows(slug, "device_weaknesses", rows)
    control.set_feed(KEV, json.dumps(known).encode(), "application/json")
    for feed in known_feeds():
        if feed.kind == PublicFeed.Kind.KEV:
            fetch(feed, timezone.now())
    return run_weaknesses(tenant, timezone.now())


@contextmanager
def _our_turn(tenant: Tenant) -> Iterator[None]:
    """No worker reads this customer's Azure meanwhile: it began with what was exempt before."""
    with ExitStack() as held:
        wait_for(lambda: held.enter_context(turn(tenant.pk, INVENTORY)), 60, "our turn")
        yield


def tell_findings(simulator: Simulator, tenant: Tenant, run: WeaknessRun) -> SeenWeak:
    """Let Azure's findings have tickets, too; send what is owed, and look at every page of it."""
    FindingRule.objects.create(tenant=tenant, kind=Finding.Kind.UNWATCHED)
    with _our_turn(tenant):
        with scope(tenant):
            Exemption.objects.all().delete()
        run_inventory(reread(tenant.slug), timezone.now(), is_full=True)
        carry_outcome(reread(tenant.slug), patience_s=10, deliver=True)
    told = [one for one in simulator.control.tickets(tenant.slug) if "csc-finding" in one["tags"]]
    person = User.objects.create_user(f"weak-{tenant.slug}")
    Grant.objects.create(user=person, tenant=tenant, role="admin")
    client = Client()
    client.force_login(person)
    with scope(tenant):
        findings = [str(one) for one in Finding.objects.values_list("public_id", flat=True)]
    base = f"/vulnerabilities/{tenant.slug}/"
    for path in ("/vulnerabilities/", base, f"{base}weaknesses.csv", f"/news/{tenant.slug}/",
                 "/findings/export.csv", *(f"/findings/{one}/" for one in findings)):  # fmt: skip
        assert client.get(path).getvalue() is not None
    client.post(f"/findings/{findings[0]}/act/", {"do": "assign", "owner": person.pk})
    return SeenWeak(run, " ".join(f"{one['subject']} {one['description']}" for one in told))
