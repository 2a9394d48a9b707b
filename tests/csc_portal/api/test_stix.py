"""Indicators of a case: valid by a reader nobody here wrote, live, recorded, for few."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from alerts.ingest import store_page
from alerts.models import Case
from alerts.normalise import normalise
from alerts.prepare import prepare_page
from alerts.records import EntityRecord, Kind
from csc_portal.api.formats.stix import Place, bundle, pattern_of
from simulator import Simulator
from tenants.directories import pseudonymiser_for
from tenants.models import Tenant
from tenants.scope import scope
from tests.audit import audited
from tests.csc_portal.api.conftest import ALL_SCOPES
from tests.csc_portal.web.documents import GRAPH, address, alert, device, user
from tests.lab import new_slug

URL = "https://evil.example/it's?a=\\b"


def evidence(kind: str, verdict: str = "unknown", **fields: Any) -> dict[str, Any]:
    return {"@odata.type": f"{GRAPH}{kind}Evidence", "verdict": verdict, **fields}


FIRST = alert(
    "s1", user("Anna Smith"), device("pc-anna"), address("203.0.113.77"), address("10.1.2.3"),
    evidence("url", "malicious", url=URL), evidence("dns", domainName="Evil.Example."),
    evidence("file", "suspicious", fileDetails={
        "sha256": "A" * 64, "md5": "b" * 32, "fileName": "Anna Smith.exe"
    }),
    evidence("url", "noThreatsFound", url="https://contoso.com/"),
)  # fmt: skip
SECOND = alert("s2", user("Anna Smith"), address("203.0.113.77"), address("2001:db8::1"))
PLACE = Place(
    uuid.uuid4(), "Contoso", datetime(2026, 1, 1, tzinfo=UTC), uuid.uuid4(), "CSC-ABCDEFGHJKMN"
)
EXPECTED = {
    "[ipv4-addr:value = '203.0.113.77']": (2, "unknown"),
    "[ipv6-addr:value = '2001:db8::1']": (1, "unknown"),
    "[url:value = 'https://evil.example/it\\'s?a=\\\\b']": (1, "malicious-activity"),
    "[domain-name:value = 'evil.example']": (1, "unknown"),
    f"[file:hashes.'SHA-256' = '{'a' * 64}' OR file:hashes.MD5 = '{'b' * 32}']": (
        1, "anomalous-activity",
    ),
}  # fmt: skip


def check(found: dict[str, Any]) -> None:
    """By the standard's own library, strictly; and for what the case has to tell."""
    read = stix2.parse(json.dumps(found), allow_custom=False, version="2.1")
    by_id = {one.id: one for one in read.objects}
    assert len(by_id) == len(read.objects)
    told = {}
    for one in read.objects:
        if one.type == "sighting":
            indicator = by_id[one.sighting_of_ref]
            assert by_id[one.where_sighted_refs[0]].type == "identity"
            assert one.first_seen <= one.last_seen
            told[indicator.pattern] = (one["count"], indicator.indicator_types[0])
    assert told == EXPECTED


def test_a_bundle_is_valid_and_the_same_each_time() -> None:
    records = [normalise(FIRST), normalise(SECOND)]
    found = bundle(PLACE, records)
    check(found)
    assert bundle(PLACE, reversed(records)) == found
    assert "Anna" not in json.dumps(found)
    assert len(bundle(PLACE, [])["objects"]) == 1


TEXT = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=60)


@given(TEXT, st.sampled_from([Kind.URL, Kind.DOMAIN]))
def test_no_value_breaks_out_of_its_pattern(value: str, kind: Kind) -> None:
    pattern = pattern_of(EntityRecord(kind, (f"{kind.value}:{value}",)))
    body = pattern.partition(" = '")[2].removesuffix("']")
    assert body.replace("\\\\", "").replace("\\'", "").count("'") == 0
    assert body.replace("\\\\", "\0").replace("\\'", "'").replace("\0", "\\") == value


@pytest.fixture
def contoso(simulator: Simulator, qa: Tenant) -> Tenant:
    """A tenant whose directory has the two alerts of one case."""
    there = simulator.control.add_directory(new_slug("stix"), stories=False, populate=False)
    names = ("client_id", "credential_secret")
    Tenant.objects.filter(pk=qa.pk).update(
        directory_id=there["directory"], state="active", **{name: there[name] for name in names}
    )
    simulator.control.add_alerts(there["slug"], [FIRST, SECOND])
    qa.refresh_from_db()
    pseudonymiser = pseudonymiser_for(qa)
    with scope(qa):
        store_page(qa.pk, prepare_page([FIRST, SECOND], pseudonymiser), pseudonymiser.version)
    return qa


def test_it_is_read_live_and_recorded(key_of, contoso: Tenant) -> None:
    with scope(contoso):
        path = f"cases/{Case.objects.get().public_id}/stix"
    caller = key_of()
    answer = caller.post(path, Accept="application/stix+json;version=2.1")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "application/stix+json;version=2.1"
    assert answer.headers["Cache-Control"] == "no-store"
    check(answer.json())
    entry = audited().get(action="names_shown")
    assert (entry.tenant_id, entry.facts["names"]) == (contoso.pk, len(EXPECTED))
    assert caller.key.prefix in entry.subject
    for lacking in ("export", "names:read"):
        few = key_of(scopes=[one for one in ALL_SCOPES if one != lacking])
        refused = few.post(path)
        assert refused.status_code == 404
        assert f"It takes the scope {lacking}" in refused.json()["detail"]
    assert key_of("viewer", [contoso]).post(path).status_code == 404
    assert audited().filter(action="names_shown").count() == 1


def test_what_microsoft_refuses_is_told(key_of, world) -> None:
    """The tenant's directory does not know its application."""
    answer = key_of().post(f"cases/{world.cases['qa'].public_id}/stix")
    assert answer.status_code == 422
    assert "AADSTS90002" in answer.json()["detail"]
    assert not audited().filter(action="names_shown").exists()
