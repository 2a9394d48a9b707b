"""Uploaded lists: whatever Excel and people make of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.lists import MOST_BYTES, MOST_PROBLEMS, NoList, member_keys, parse_list

OID = "0c1ab52d-1111-4222-8333-944455556666"
ANNA = (("user", "upn:anna@contoso.com"), ("mailbox", "mail:anna@contoso.com"))


@pytest.mark.parametrize(
    "data",
    [
        b"anna@contoso.com",
        b"Anna@Contoso.com\r\n",
        b"\xef\xbb\xbfanna@contoso.com\n",
        "anna@contoso.com\n".encode("utf-16"),
        "anna@contoso.com\n".encode("utf-16-le").join([b"\xff\xfe", b""]),
        b"\xfe\xff" + "anna@contoso.com\n".encode("utf-16-be"),
        b"User principal name\nanna@contoso.com\n",
        b"Name;E-Mail\nAnna M\xfcller;anna@contoso.com\n",
        b'Name,UPN\n"M\xc3\xbcller, Anna","anna@contoso.com"\n',
        b"sep=;\r\nName;Mail\r\nAnna;anna@contoso.com\r\n",
        b"Anna\tanna@contoso.com\tCFO\n",
        b"'anna@contoso.com\n",
        b'"=""anna@contoso.com"""\n',
        b"\n\n ,, \nanna@contoso.com\n\n",
        b"anna@contoso.com\nANNA@contoso.com\n",
        "\u200banna@contoso.com\n".encode(),
    ],
)
def test_one_person_however_it_is_written(data: bytes) -> None:
    parsed = parse_list(data, "people")
    assert [entry.keys for entry in parsed.entries] == [ANNA]
    assert parsed.problems == ()


def test_all_names_of_a_line_are_of_one_person() -> None:
    (entry,) = parse_list(
        f"Name,UPN,Object ID\nAnna,anna@contoso.com,{OID}\n".encode(), "people"
    ).entries
    assert entry.keys == (*ANNA, ("user", f"oid:{OID}"))


@pytest.mark.parametrize(
    ("holds", "cell", "keys"),
    [
        ("people", OID.upper(), (("user", f"oid:{OID}"),)),
        ("people", "S-1-5-21-1-2-3-1001", (("user", "sid:s-1-5-21-1-2-3-1001"),)),
        ("people", "CONTOSO\\Anna", (("user", "ad:contoso\\anna"),)),
        ("devices", "PC-1.corp.contoso.com", (("device", "dns:pc-1.corp.contoso.com"),)),
        ("devices", "PC-1", (("device", "host:pc-1"),)),
        ("devices", OID, (("device", f"aad:{OID}"),)),
        ("devices", "ab" * 20, (("device", f"mde:{'ab' * 20}"),)),
        ("data", "ab" * 32, (("file", f"sha256:{'ab' * 32}"),)),
        ("data", "/subscriptions/1/x", (("cloud_resource", "arm:/subscriptions/1/x"),)),
        ("data", "D:\\Secret\\plan.docx", (("file", "path:d:\\secret\\plan.docx"),)),
        ("data", "https://x.example/a",
         tuple((kind, "url:https://x.example/a") for kind in ("blob", "blob_container", "url"))),
        ("apps", "20893", (("cloud_app", "saas:20893"),)),
        ("apps", "SAP Concur", tuple((kind, "name:sap concur")
         for kind in ("cloud_app", "oauth_app", "service_principal"))),
    ],
)  # fmt: skip
def test_each_class_reads_what_it_holds(holds, cell: str, keys) -> None:  # type: ignore[no-untyped-def]
    (entry,) = parse_list(cell.encode(), holds).entries
    assert entry.keys == keys


def test_problems_tell_the_line_and_never_what_is_in_it() -> None:
    data = b'UPN\nanna@contoso.com\nBob Secret\n=HYPERLINK("http://evil")\n@SUM(1)\n'
    parsed = parse_list(data, "people")
    assert parsed.problems == (
        "Line 3: there is no address, object id, SID or DOMAIN\\account in it.",
        "Line 4: the cell holds a formula. Save the list as values only.",
        "Line 5: the cell holds a formula. Save the list as values only.",
    )
    assert "Secret" not in repr(parsed.problems)
    assert len(parsed.entries) == 1


def test_problems_are_bounded() -> None:
    parsed = parse_list(b"no address\n" * 1000, "people")
    assert (len(parsed.problems), parsed.problem_count) == (MOST_PROBLEMS, 1000)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04rest",
        b"\x00\x01\x02",
        b"a@b.example\n" * (MOST_BYTES // 10),
        b"x@y.example\n" * 20_001,
        b'"' + b"a" * 200_000,
    ],
)
def test_what_is_no_list_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(NoList) as caught:
        parse_list(data, "people")
    assert len(str(caught.value)) < 200


def test_a_line_given_twice_is_counted() -> None:
    parsed = parse_list(b"pc-1\nPC-1\npc-2\n", "devices")
    assert (len(parsed.entries), parsed.repeated) == (2, 1)


@given(st.binary(max_size=300), st.sampled_from(["people", "devices", "data", "apps"]))
def test_no_bytes_are_an_error_of_ours(data: bytes, holds) -> None:  # type: ignore[no-untyped-def]
    try:
        parsed = parse_list(data, holds)
    except NoList:
        return
    for entry in parsed.entries:
        assert entry.keys


def test_members_of_a_group() -> None:
    user = {
        "@odata.type": "#microsoft.graph.user",
        "id": OID,
        "userPrincipalName": "anna@contoso.com",
    }
    assert member_keys(user, "people") == (("user", f"oid:{OID}"), *ANNA)
    assert member_keys(user, "devices") == ()
    device = {"@odata.type": "#microsoft.graph.device", "id": "x", "deviceId": OID}
    assert member_keys(device, "devices") == (("device", f"aad:{OID}"),)
    assert member_keys({}, "people") == member_keys({"id": None}, "apps") == ()
