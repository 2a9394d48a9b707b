"""One spelling for each thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.provisional import domains, urls

from tenants import canonical

ANY_TEXT = st.text(max_size=60)


@pytest.mark.parametrize(
    ("function", "given_text", "expected"),
    [
        ("address", " Anna.Smith@Contoso.COM ", "anna.smith@contoso.com"),
        ("address", "Anna <ANNA@contoso.com>", "anna@contoso.com"),
        ("address", "mailto:anna@contoso.com.", "anna@contoso.com"),
        ("address", "SMTP:anna@m\u00fcller.example", "anna@xn--mller-kva.example"),
        ("address", "an\u200bna@contoso.com", "anna@contoso.com"),
        ("address", "\uff41nna@contoso.com", "anna@contoso.com"),
        ("address", "a_contoso.com#EXT#@b.onmicrosoft.com", "a_contoso.com#ext#@b.onmicrosoft.com"),
        ("address", "n/a", ""),
        ("host", "SRV01.Contoso.com.", "srv01.contoso.com"),
        ("host", "\\\\SRV01", "srv01"),
        ("host", "W11PRO-TEST$", "w11pro-test"),
        ("host", "localhost", ""),
        ("host", "anna@contoso.com", ""),
        ("ip", "10.0.0.5", "10.0.0.5"),
        ("ip", "10.0.0.5:443", "10.0.0.5"),
        ("ip", "010.000.000.005", "10.0.0.5"),
        ("ip", "::ffff:10.0.0.5", "10.0.0.5"),
        ("ip", "[2001:DB8:0:0::1]:8443", "2001:db8::1"),
        ("ip", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("ip", "fe80::1%eth0", "fe80::1"),
        ("ip", "10[.]0[.]0[.]5", "10.0.0.5"),
        ("ip", "not an address", ""),
        ("ip", "10.0.0.300", ""),
        ("guid", "{AAAAAAAA-0000-0000-0000-00000000000B}", "aaaaaaaa-0000-0000-0000-00000000000b"),
        ("guid", "AAAAAAAA00000000000000000000000B", "aaaaaaaa-0000-0000-0000-00000000000b"),
        ("guid", "00000000-0000-0000-0000-000000000000", ""),
        ("guid", "anna", ""),
        ("id", "00000000000000000000000000000000", ""),
        (
            "id",
            "73E7E2DE709DFF64EF64B1D0C30E67FAB63279DB",
            "73e7e2de709dff64ef64b1d0c30e67fab63279db",
        ),
        ("id", "null", ""),
        ("sid", "s-1-5-21-1-2-3-1001", "s-1-5-21-1-2-3-1001"),
        ("sid", "S-1-0-0", ""),
        ("sid", "example", ""),
        ("arm", "/Subscriptions/A/resourceGroups/RG/", "/subscriptions/a/resourcegroups/rg"),
        ("arm", "subscriptions//a", "/subscriptions/a"),
        ("arm", "https://management.azure.com/subscriptions/A", "/subscriptions/a"),
        ("url", "HTTPS://Evil.Example:443", "https://evil.example/"),
        ("url", "hxxp://evil[.]example/A?b=C#d", "http://evil.example/A?b=C#d"),
        ("url", "http://[::1", "http://[::1"),
        ("domain", "*.Contoso.com.", "contoso.com"),
        ("hash", "0xABCDEF", "abcdef"),
        ("mac", "AA-BB-CC-DD-EE-FF", "aa:bb:cc:dd:ee:ff"),
        ("mac", "aabb.ccdd.eeff", "aa:bb:cc:dd:ee:ff"),
        ("mac", "00:00:00:00:00:00", ""),
        ("path", "C:/Users//Anna\\x.EXE", "c:\\users\\anna\\x.exe"),
        ("path", "\\\\?\\C:\\Temp\\", "c:\\temp"),
        ("path", "/Home/Anna/", "/Home/Anna"),
        ("account", "CONTOSO/Anna", "contoso\\anna"),
        ("account", "Contoso\\", ""),
        ("name", "  Anna\u00a0  SMITH ", "anna smith"),
        ("message_id", "<A@b>", "a@b"),
    ],
)
def test_canonical_form(function: str, given_text: str, expected: str) -> None:
    assert getattr(canonical, f"canonical_{function}")(given_text) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("SRV01.contoso.com", "srv01"), ("srv01", "srv01"), ("10.0.0.5", ""), ("::1", ""), ("", "")],
)
def test_short_host(host: str, expected: str) -> None:
    assert canonical.short_host(host) == expected


@pytest.mark.parametrize("name", sorted(canonical.BY_NAMESPACE))
@given(text=ANY_TEXT)
def test_any_text_has_a_canonical_form(name: str, text: str) -> None:
    assert isinstance(canonical.BY_NAMESPACE[name](text), str)


WORDS = st.text(alphabet="abcXYZ019\u00fc\u00df_-", min_size=2, max_size=9)
REAL_VALUES = {
    "upn": st.emails(),
    "mail": st.emails(),
    "ip": st.ip_addresses().map(str),
    "domain": domains(),
    "dns": domains(),
    "url": urls(),
    "oid": st.uuids().map(str),
    "ad": st.tuples(WORDS, WORDS).map("\\".join),
    "path": st.lists(WORDS, min_size=1, max_size=5).map("\\".join),
    "arm": st.lists(WORDS, min_size=1, max_size=8).map("/".join),
    "name": st.lists(WORDS, min_size=1, max_size=3).map(" ".join),
}


@pytest.mark.parametrize("namespace", sorted(REAL_VALUES))
@given(data=st.data())
def test_canonical_keys_stay_as_they_are_in_any_case(namespace: str, data: st.DataObject) -> None:
    value = data.draw(REAL_VALUES[namespace])
    once = canonical.canonical_key("user", f"{namespace}:{value}")
    assert canonical.canonical_key("user", once) == once
    if namespace not in ("url", "path") and value.isascii():
        assert canonical.canonical_key("user", f"{namespace}: {value.upper()} ") == once


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("user", "upn:Anna@Contoso.com", "ANNA@contoso.COM"),
        ("user", "oid:AAAAAAAA-0000-0000-0000-00000000000B", "aaaaaaaa00000000000000000000000b"),
        ("user", "S-1-5-21-1-2-3-4", "sid:s-1-5-21-1-2-3-4"),
        ("user", "Contoso\\Anna", "ad:contoso\\anna"),
        ("device", "SRV01", "host:srv01"),
        ("device", "SRV01.contoso.com.", "dns:srv01.CONTOSO.com"),
        ("ip", "[::ffff:10.0.0.5]:80", "ip:10.0.0.5"),
        ("cloud_resource", "/Subscriptions/A", "arm:/subscriptions/a"),
    ],
)
def test_one_thing_has_one_key(kind: str, one: str, other: str) -> None:
    assert canonical.canonical_key(kind, one) == canonical.canonical_key(kind, other)


def test_what_an_analyst_types_finds_people_devices_and_addresses() -> None:
    assert ("user", "upn:anna@contoso.com") in canonical.search_keys(" Anna@Contoso.com")
    assert ("mailbox", "mail:anna@contoso.com") in canonical.search_keys("anna@contoso.com")
    assert ("user", "name:anna smith") in canonical.search_keys("Anna Smith")
    assert ("user", "ad:contoso\\anna") in canonical.search_keys("CONTOSO\\anna")
    assert ("device", "host:srv01") in canonical.search_keys("SRV01.contoso.com")
    assert ("device", "dns:srv01.contoso.com") in canonical.search_keys("SRV01.contoso.com")
    assert ("ip", "ip:::1") in canonical.search_keys("[::1]")
    assert canonical.search_keys(" \u200b ") == ()
