"""Was MFA done in this very sign-in? Doubt is never a yes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.facts import Mfa
from enrichment.mfa import Verdict, judge
from enrichment.sign_ins import read_sign_ins
from tests import payloads
from tests.enrichment.records import APP, AT, CLAIM, DENIED, PASSWORD, SILENT, record, step

PERFORMED, CLAIMED, UNKNOWN = Mfa.PERFORMED, Mfa.CLAIM, Mfa.UNKNOWN


def said(
    document: dict[str, Any], error: int | None = 0, interactive: bool | None = True
) -> Verdict:
    return judge(document, at=AT, error_code=error, interactive=interactive)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([PASSWORD, APP], Verdict(PERFORMED, "app")),
        ([APP], Verdict(PERFORMED, "app")),
        ([PASSWORD, step("Text message", "MFA completed in Azure AD")], Verdict(PERFORMED, "text")),
        ([PASSWORD, step("OATH verification code", "")], Verdict(PERFORMED, "code")),
        ([PASSWORD, step("Phone call approval", "MFA successfully completed")],
         Verdict(PERFORMED, "call")),
        ([PASSWORD, step("Telepathy", "MFA completed in Azure AD")], Verdict(PERFORMED)),
        # Whatever is said of the code: what counts is how it came.
        ([PASSWORD, step("Text message verification code", "")], Verdict(PERFORMED, "text")),
        ([PASSWORD, step("Email verification code", "")], Verdict(UNKNOWN)),
        ([step("Passkey (device-bound)", "MFA completed in Azure AD")],
         Verdict(PERFORMED, "fido2", True)),
        ([step("FIDO2 security key", "", second=False)], Verdict(PERFORMED, "fido2", True)),
        ([step("Windows Hello for Business", "", second=False)], Verdict(PERFORMED, "hello", True)),
        ([step("X.509 Certificate", "", second=True)], Verdict(PERFORMED, "certificate", True)),
        ([APP, step("FIDO2 security key", "")], Verdict(PERFORMED, "fido2", True)),
        # Done elsewhere, whatever else the step says.
        ([CLAIM], Verdict(CLAIMED)),
        ([PASSWORD, CLAIM], Verdict(CLAIMED)),
        ([step("", "MFA requirement satisfied by claim provided by external provider")],
         Verdict(CLAIMED)),
        ([PASSWORD, step("", "MFA requirement skipped due to remembered device")],
         Verdict(CLAIMED)),
        ([step("Federated", "MFA completed in Azure AD")], Verdict(CLAIMED)),
        ([PASSWORD, {**APP, "authenticationStepDateTime": "2026-11-20T07:30:00Z"}],
         Verdict(CLAIMED)),
        # Nothing proven.
        ([PASSWORD, step("Telepathy", "")], Verdict(UNKNOWN)),
        ([PASSWORD, step("Temporary access pass", "MFA completed in Azure AD")], Verdict(UNKNOWN)),
        ([PASSWORD, step("Mobile app notification", "", fine=None)], Verdict(UNKNOWN)),
        ([PASSWORD, DENIED], Verdict(UNKNOWN)),
        ([step("X.509 Certificate", "", second=False)], Verdict(UNKNOWN)),
        ([], Verdict(UNKNOWN)),
        (None, Verdict(UNKNOWN)),
        ("MFA completed in Azure AD", Verdict(UNKNOWN)),
        ([None, 7, "x", {}], Verdict(UNKNOWN)),
    ],
)  # fmt: skip
def test_of_a_sign_in_that_succeeded(steps: Any, expected: Verdict) -> None:
    document = {**record(), "authenticationDetails": steps}
    assert said(document) == expected


def test_a_contradiction_is_no_proof() -> None:
    document = record(
        status={"additionalDetails": "MFA requirement satisfied by claim in the token"}
    )
    assert said(document).mfa is CLAIMED


def test_nobody_does_mfa_in_a_sign_in_without_anybody() -> None:
    assert said(record(), interactive=False).mfa is CLAIMED


@pytest.mark.parametrize(
    ("requirement", "steps", "expected"),
    [
        ("singleFactorAuthentication", [PASSWORD], Mfa.NOT_REQUIRED),
        ("singleFactorAuthentication", [], UNKNOWN),
        ("multiFactorAuthentication", [PASSWORD], UNKNOWN),
        ("unknownFutureValue", [PASSWORD], UNKNOWN),
        (None, [PASSWORD], UNKNOWN),
    ],
)
def test_without_a_second_step(requirement: Any, steps: Any, expected: Mfa) -> None:
    document = record(authenticationRequirement=requirement, steps=steps)
    assert said(document).mfa is expected


@pytest.mark.parametrize(
    ("error", "steps", "text", "expected"),
    [
        (500121, [PASSWORD, DENIED], None, Mfa.DENIED),
        (500121, [PASSWORD, SILENT], None, Mfa.UNANSWERED),
        (500121, [], "MFA denied; fraud code entered", Mfa.DENIED),
        (500121, [], "MFA denied; user did not respond to mobile app notification",
         Mfa.UNANSWERED),
        (500121, [], None, Mfa.DENIED),
        (53003, [PASSWORD, DENIED], None, Mfa.DENIED),
        (53003, [PASSWORD, APP], None, UNKNOWN),
        (50126, [step("Password", "Invalid username or password", second=False, fine=False)],
         None, UNKNOWN),
        (50074, [PASSWORD], None, UNKNOWN),
        (None, [PASSWORD, APP], None, UNKNOWN),
    ],
)  # fmt: skip
def test_of_a_sign_in_that_failed(error: Any, steps: Any, text: Any, expected: Mfa) -> None:
    document = record(steps=steps, status={"errorCode": error, "additionalDetails": text})
    assert said(document, error=error).mfa is expected


def test_v1_records_say_nothing() -> None:
    found = read_sign_ins(payloads.load("microsoft/signins-list-v1")["value"])
    assert found
    assert {one.mfa for one in found} == {UNKNOWN}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(record())), JSON))
def test_nothing_malformed_is_a_proof_or_an_error(changes: dict[str, Any]) -> None:
    document = {**record(steps=[PASSWORD]), **changes}
    assert all(one.mfa is not PERFORMED for one in read_sign_ins([document]))


@given(st.timedeltas(min_value=timedelta(minutes=11), max_value=timedelta(days=30)))
def test_a_step_of_another_time_is_never_done_here(ago: timedelta) -> None:
    for one in (
        step("Mobile app notification", "MFA completed in Azure AD", at=AT - ago),
        step("Windows Hello for Business", "", second=False, at=AT - ago),
    ):
        assert said({**record(), "authenticationDetails": [one]}).mfa is CLAIMED


@pytest.mark.parametrize(
    ("field", "way", "expected"),
    [
        ("authenticationProtocol", "deviceCode", CLAIMED),
        ("authenticationProtocol", "authenticationTransfer", CLAIMED),
        ("authenticationProtocol", "unknownFutureValue", CLAIMED),
        ("originalTransferMethod", "deviceCodeFlow", CLAIMED),
        ("authenticationProtocol", "oAuth2", PERFORMED),
        ("authenticationProtocol", None, PERFORMED),
        ("originalTransferMethod", "none", PERFORMED),
    ],
)
def test_who_signs_another_device_in_proves_nothing_of_it(
    field: str, way: object, expected: Mfa
) -> None:
    assert said(record(**{field: way})).mfa is expected
