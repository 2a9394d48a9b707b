"""Directory audits and Identity Protection, in words of our own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from enrichment.audits import Operation, audit_facts, operation_of, read_audits
from enrichment.facts import UserRisk
from enrichment.risks import OTHER, read_detections, read_user_risk
from tests import payloads
from tests.enrichment.records import AT, OID, audit
from tests.enrichment.test_sign_ins import PSEUDONYMS

NAMES = {
    "Add member to role": "role_given",
    "add MEMBER to  role ": "role_given",
    "Add member to role completed (PIM activation)": "role_given",
    "User registered security info": "mfa_method_added",
    "User deleted security info": "mfa_method_deleted",
    "Disable Strong Authentication": "mfa_disabled",
    "Reset password (by admin)": "password_reset",
    "Consent to application": "consent_given",
    "Update application \u2013 Certificates and secrets management": "app_credential_added",
    "Update application - Certificates and secrets management ": "app_credential_added",
    "Update application\u2014Certificates and secrets management": "app_credential_added",
    "Add service principal credentials": "app_credential_added",
    "Update conditional access policy": "access_policy_changed",
    "Set federation settings on domain": "federation_changed",
    "Add a partner to cross-tenant access setting": "partner_added",
    "Register device": "device_added",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_become_words(name: str) -> None:
    found = operation_of(name)
    assert found is not None
    assert found.value == NAMES[name]


@pytest.mark.parametrize("name", ["", "GroupLifecyclePolicies_Get", "Anna did it", "Add member"])
def test_what_nobody_knows_is_nothing(name: str) -> None:
    assert operation_of(name) is None


def test_every_operation_has_a_name() -> None:
    source = Path("enrichment/audits.py").read_text()
    for operation in Operation:
        assert re.search(rf"Operation\.{operation.name}: \"", source), operation


def test_a_record_is_read() -> None:
    (one,) = read_audits([audit("Add member to role", targetResources=[{"id": "T"}, None, {}])])
    assert (one.operation, one.is_success, one.actor) == (Operation.ROLE_GIVEN, True, OID)
    assert one.targets == ("t",)


def test_an_app_may_have_done_it_and_it_may_have_failed() -> None:
    app = {"app": {"appId": None, "servicePrincipalId": "SP"}, "user": None}
    (one,) = read_audits([audit("Consent to application", initiatedBy=app, result="failure")])
    assert (one.actor, one.is_success) == ("sp", False)


def test_an_update_of_mfa_properties_is_told_apart() -> None:
    changed = [{"modifiedProperties": [{"displayName": "StrongAuthenticationMethod"}]}]
    found = read_audits([audit("Update user", targetResources=changed), audit("Update user")])
    words = [one.operation for one in found]
    assert words == [Operation.MFA_METHOD_CHANGED, Operation.ACCOUNT_UPDATED]


@pytest.mark.parametrize("field", list(audit("Add user")))
@pytest.mark.parametrize("value", [None, "", 7, [], {}, [None], {"user": 3}])
def test_no_field_has_to_be_there(field: str, value: Any) -> None:
    read_audits([{**audit("Add user"), field: value}])


def test_microsofts_own_examples_are_read() -> None:
    for name in ("directoryaudits-list", "directoryaudits-list-2018-example"):
        assert read_audits(payloads.load(f"microsoft/{name}")["value"]) == []


def test_facts_are_in_order_and_without_ids() -> None:
    rows = read_audits([audit("Add user", 9), audit("Add user", 3), audit("Add user", 9)])
    facts = audit_facts(rows, PSEUDONYMS)
    assert [one.operation for one in facts] == ["account_added", "account_added"]
    assert facts[0].at < facts[1].at
    assert OID not in repr(facts)


def test_detections_are_read() -> None:
    rows = payloads.load("microsoft/riskdetections-list-beta")["value"]
    (one,) = read_detections(rows)
    assert (one.event_type, one.level) == ("unfamiliarFeatures", "medium")
    assert one.request_id == "6a5874ca-abcd-9d82-5ad39bd71600"
    assert one.address == "", "the example's address is none"
    assert read_detections([None, 3, {"riskLevel": 4}])[0].level == OTHER


def test_the_users_risk() -> None:
    rows = read_detections([{"riskEventType": "anomalousToken"}, {"riskEventType": "Anna"}, {}])
    user = {"riskLevel": "high", "riskState": "atRisk", "id": OID}
    assert read_user_risk(user, rows) == UserRisk("high", "atRisk", ("anomalousToken", OTHER))
    assert read_user_risk(None, []) == UserRisk("none", "none")
    assert read_user_risk({}, []) == UserRisk()
    assert AT.tzinfo is not None
