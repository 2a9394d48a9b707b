"""Pseudonyms: one thing one pseudonym, unrelated between tenants and keys."""

import hashlib
import hmac
import uuid

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from tenants.pseudonyms import Pseudonymiser, crockford, derive_key, label

TENANT, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
MASTER = bytes(range(32))


def pseudonymiser(tenant: uuid.UUID = TENANT, master: bytes = MASTER) -> Pseudonymiser:
    return Pseudonymiser([("v1", derive_key(master, tenant))])


def test_the_key_is_hkdf_of_the_master_key() -> None:
    expected = HKDF(SHA256(), 32, b"csc-portal pseudonyms", TENANT.bytes).derive(MASTER)
    assert derive_key(MASTER, TENANT) == expected


def test_a_pseudonym_is_the_first_half_of_the_hmac() -> None:
    mac = hmac.new(derive_key(MASTER, TENANT), b"user\0upn:anna@contoso.com", hashlib.sha256)
    found = pseudonymiser().pseudonym("user", "upn:anna@contoso.com")
    assert found.bytes == mac.digest()[:16]


def test_a_short_master_key_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        derive_key(b"short", TENANT)
    with pytest.raises(ValueError, match="at least one"):
        Pseudonymiser([])


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        (
            "user",
            [
                "upn:anna@contoso.com",
                "ANNA@Contoso.com",
                "an\u200bna@contoso.com",
                " anna@contoso.com ",
            ],
        ),
        ("ip", ["ip:2001:db8::1", "2001:0DB8:0::1", "[2001:db8::1]:443"]),
        ("ip", ["10.0.0.5", "::ffff:10.0.0.5", "ip:10.0.0.5"]),
        ("device", ["dns:srv01.contoso.com", "SRV01.Contoso.com."]),
        (
            "cloud_resource",
            ["arm:/subscriptions/a/resourcegroups/b", "/Subscriptions/A/resourceGroups/B/"],
        ),
    ],
)
def test_spellings_of_one_thing_share_a_pseudonym(kind: str, spellings: list[str]) -> None:
    maker = pseudonymiser()
    assert len({maker.pseudonym(kind, spelling) for spelling in spellings}) == 1


def test_tenants_kinds_and_keys_have_nothing_in_common() -> None:
    given_value = "upn:anna@contoso.com"
    found = {
        pseudonymiser().pseudonym("user", given_value),
        pseudonymiser().pseudonym("mailbox", given_value),
        pseudonymiser(OTHER).pseudonym("user", given_value),
        pseudonymiser(master=b"x" * 32).pseudonym("user", given_value),
    }
    assert len(found) == 4


def test_after_a_rotation_old_pseudonyms_are_still_found() -> None:
    old, new = derive_key(b"o" * 32, TENANT), derive_key(b"n" * 32, TENANT)
    before = Pseudonymiser([("1", old)])
    after = Pseudonymiser([("2", new), ("1", old)])
    assert after.version == "2"
    assert after.all_versions("ip", "10.0.0.5") == [
        after.pseudonym("ip", "10.0.0.5"),
        before.pseudonym("ip", "10.0.0.5"),
    ]


@given(kind=st.text(max_size=20), value=st.text(max_size=600))
def test_any_text_has_a_pseudonym_and_the_cache_changes_nothing(kind: str, value: str) -> None:
    maker, uncached = (
        pseudonymiser(),
        Pseudonymiser([("v1", derive_key(MASTER, TENANT))], cache_size=0),
    )
    assert maker.pseudonym(kind, value) == maker.pseudonym(kind, value)
    assert maker.pseudonym(kind, value) == uncached.pseudonym(kind, value)


def test_text_with_lone_surrogates_is_no_obstacle() -> None:
    assert pseudonymiser().pseudonym("user", "name:\ud800") is not None


def test_labels_are_short_and_readable() -> None:
    assert label("user", uuid.UUID(int=0)) == "User 000-000"
    assert label("cloud_resource", uuid.UUID(int=(1 << 128) - 1)) == "Cloud resource ZZZ-ZZZ"
    assert crockford(31, 2) == "0Z"


def test_a_pseudonymiser_shows_no_key() -> None:
    assert repr(pseudonymiser()) == "Pseudonymiser(version='v1', keys=1)"
