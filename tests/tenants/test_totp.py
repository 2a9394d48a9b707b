"""Six digits against the RFC's own numbers."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from tenants.totp import STEP_S, address, code_at, matching_step, new_secret, typed_secret

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at", "digits"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
     (2000000000, "279037"), (20000000000, "353130")],
)  # fmt: skip
def test_the_numbers_of_rfc_6238(at: int, digits: str) -> None:
    assert code_at(SECRET, at // STEP_S) == digits


def test_a_neighbouring_step_is_taken_and_no_other() -> None:
    now = 10_000 * STEP_S
    for step, wanted in ((9_998, None), (9_999, 9_999), (10_000, 10_000), (10_001, 10_001),
                         (10_002, None)):  # fmt: skip
        assert matching_step(SECRET, code_at(SECRET, step), now, 0) == wanted


def test_digits_serve_once_and_none_before_them() -> None:
    now = 10_000 * STEP_S
    typed = code_at(SECRET, 10_000)
    assert matching_step(SECRET, typed, now, 10_000) is None
    assert matching_step(SECRET, code_at(SECRET, 9_999), now, 10_000) is None
    assert matching_step(SECRET, code_at(SECRET, 10_001), now, 10_000) == 10_001


@pytest.mark.parametrize("typed", ["", " ", "12345", "1234567", "abcdef", "٣٤٥٦٧٨", "0" * 1000])
def test_what_is_no_code(typed: str) -> None:
    assert matching_step(SECRET, typed, 59, 0) is None


def test_blanks_do_not_matter() -> None:
    assert matching_step(SECRET, " 287 082 ", 59, 0) == 1


def test_the_address_for_apps() -> None:
    secret = new_secret()
    parts = urlsplit(address(secret, "ann@x.example", "CSC Portal"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/CSC%20Portal:ann%40x.example"
    query = parse_qs(parts.query)
    assert base64.b32decode(query["secret"][0]) == secret
    assert query["issuer"] == ["CSC Portal"]
    assert typed_secret(secret).replace(" ", "") == query["secret"][0]
