"""Who was seen with what: counted once for each alert and sign-in, whatever is read again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.links import forget_old_sources, link_sign_ins, seen_with
from alerts.live_user import NOBODY, read_user
from alerts.models import EntityKey, EntityLink, LinkSource
from enrichment.sign_ins import read_sign_ins
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import scope
from tests.alerts.documents import PREFIX, device
from tests.alerts.enrich_lab import (
    AT,
    NOW,
    Lab,
    audit,
    odd,
    oid,
    person,
    request_of,
    sign_in,
)


@pytest.fixture
def lab(qa: Tenant, simulator: Any, pseudonymiser: Pseudonymiser) -> Lab:
    return Lab(qa, simulator, pseudonymiser)


def workstation() -> dict[str, Any]:
    return {**device("pc"), "azureAdDeviceId": oid("pc")}


def entity(lab: Lab, kind: str, key: str) -> int:
    with scope(lab.tenant):
        pseudonyms = lab.pseudonymiser.all_versions(kind, key)
        return EntityKey.objects.filter(pseudonym__in=pseudonyms).first().entity_id


def shown(lab: Lab, kind: str, key: str) -> dict[str, int]:
    """Kind and count of what it was seen with."""
    pk = entity(lab, kind, key)
    with scope(lab.tenant):
        return {link.kind: link.count for link in seen_with(pk)}


def test_alerts_and_sign_ins_count_once_each(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"), sign_in("r2", "anna", AT - timedelta(hours=1)))
    lab.has("sign_ins", sign_in("r3", "anna", error=50126))
    content = lab.take(odd("a", "anna", request_of("r1"), workstation()))
    anna, pc = ("user", f"oid:{oid('anna')}"), ("device", f"aad:{oid('pc')}")
    for _ in range(3):
        lab.enrich(content)
        assert shown(lab, *anna) == {"device": 3, "ip": 3, "oauth_app": 2}
    with scope(lab.tenant):
        link_sign_ins(
            read_sign_ins([sign_in("r1", "anna")]),
            lab.pseudonymiser.all_versions(*anna), lab.pseudonymiser, NOW,
        )  # fmt: skip
    assert shown(lab, *anna)["device"] == 3, "the same sign-in again"
    lab.enrich(lab.take(odd("b", "ben", workstation(), at=AT + timedelta(hours=3))))
    with scope(lab.tenant):
        users = seen_with(entity(lab, *pc), ("user",))
        assert [one.count for one in users] == [3, 1]
        (own,) = seen_with(entity(lab, *anna), ("device",))
        assert (own.first_at, own.last_at) == (AT - timedelta(hours=1), AT)
        assert own.is_entity


def test_an_alert_that_names_more_later_adds_only_that(lab: Lab) -> None:
    lab.enrich(lab.take(odd("a", "anna", workstation())))
    later = NOW - timedelta(minutes=1)
    more = odd("a", "anna", workstation(), device("server"))
    lab.enrich(lab.take({**more, "lastUpdateDateTime": later.isoformat()}))
    with scope(lab.tenant):
        found = seen_with(entity(lab, "user", f"oid:{oid('anna')}"), ("device",))
    assert [one.count for one in found] == [1, 1]


def test_an_alert_of_many_people_links_nobody(lab: Lab) -> None:
    many = [person(f"p{n}") for n in range(4)]
    lab.enrich(lab.take(odd("a", "anna", workstation(), *many)))
    with scope(lab.tenant):
        assert not EntityLink.objects.exists()


def test_after_a_rotation_a_pair_stays_one(lab: Lab, qa: Tenant) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"), workstation())))
    old = ("1", derive_key(b"m" * 32, qa.public_id))
    lab.pseudonymiser = Pseudonymiser([("2", derive_key(b"n" * 32, qa.public_id)), old])
    lab.has("sign_ins", sign_in("r2", "anna", AT + timedelta(minutes=5)))
    document = odd("b", "anna", request_of("r2"), workstation(), at=AT + timedelta(minutes=5))
    lab.enrich(lab.take(document))
    with scope(qa):
        (own,) = seen_with(entity(lab, "user", f"oid:{oid('anna')}"), ("device",))
    assert own.count == 4, "two alerts, two sign-ins"


def test_old_sign_ins_are_forgotten_but_not_their_count(lab: Lab) -> None:
    lab.has("sign_ins", sign_in("r1", "anna"))
    lab.enrich(lab.take(odd("a", "anna", request_of("r1"), workstation())))
    before = shown(lab, "user", f"oid:{oid('anna')}")
    with scope(lab.tenant):
        forget_old_sources(NOW + timedelta(days=41))
        assert set(LinkSource.objects.values_list("is_sign_in", flat=True)) == {False}
    assert shown(lab, "user", f"oid:{oid('anna')}") == before


def test_the_other_tenant_sees_no_links(lab: Lab, qatest: Tenant) -> None:
    lab.enrich(lab.take(odd("a", "anna", workstation())))
    with scope(qatest):
        assert not EntityLink.objects.exists()
        assert not LinkSource.objects.exists()


# --- read live ------------------------------------------------------------------------------------


def test_a_person_is_read_live_and_nothing_is_kept(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    lab.has("sign_ins", sign_in("r1", "anna"), sign_in("r2", "anna", AT - timedelta(days=5)))
    lab.has("audits", audit("Add member to role", "admin", "anna"))
    lab.has("risky_users", {"id": oid("anna"), "riskLevel": "high", "riskState": "atRisk"})
    pk = entity(lab, "user", f"oid:{oid('anna')}")
    found = read_user(lab.tenant, pk, lab.graph, lab.pseudonymiser, NOW)
    assert [one.id for one in found.sign_ins] == ["r1", "r2"]
    assert found.sign_ins[0].mfa == "performed"
    assert [one.operation for one in found.audits] == ["role_given"]
    assert found.risk is not None
    assert (found.risk.level, found.problems) == ("high", ())
    with scope(lab.tenant):
        assert not LinkSource.objects.exists()


def test_what_can_not_be_read_live_is_said(lab: Lab) -> None:
    lab.take(odd("a", "anna"), odd("b", "ben", {"@odata.type": PREFIX + "urlEvidence"}))
    pk = entity(lab, "user", f"oid:{oid('anna')}")
    lab.control.configure(lab.directory, licences={"entra_id_p1": False, "entra_id_p2": False})
    found = read_user(lab.tenant, pk, lab.graph, lab.pseudonymiser, NOW)
    assert len(found.problems) == 2
    assert found.problems[0].startswith("Sign-ins: the directory has no licence")
    lab.control.delete_alerts(lab.directory)
    assert read_user(lab.tenant, pk, lab.graph, lab.pseudonymiser, NOW).problems == (NOBODY,)
