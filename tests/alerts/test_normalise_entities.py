"""What evidence becomes: one entity for each thing, with all keys that it is known by."""

from typing import Any

import pytest

from alerts.normalise import normalise
from alerts.normalise.entities import MOST_ENTITIES
from alerts.records import EntityRecord, Kind

BASE = {"id": "a1", "createdDateTime": "2026-11-20T08:00:00Z"}
OID = "22222222-3333-4444-5555-666666666666"


def typed(name: str, **fields: Any) -> dict[str, Any]:
    return {"@odata.type": f"#microsoft.graph.security.{name}", **fields}


def entities(*evidence: Any) -> dict[Kind, EntityRecord]:
    """The entities by kind, the first of each kind."""
    found: dict[Kind, EntityRecord] = {}
    for entity in normalise(BASE | {"evidence": list(evidence)}).entities:
        found.setdefault(entity.kind, entity)
    return found


def user(**account: Any) -> EntityRecord:
    return entities(typed("userEvidence", userAccount=account))[Kind.USER]


@pytest.mark.parametrize(
    ("account", "identity"),
    [
        (
            {
                "azureAdUserId": OID.upper(),
                "userPrincipalName": "Anna@Contoso.com",
                "userSid": "S-1-5-21-1-2-3-4",
                "accountName": "Anna",
                "domainName": "CONTOSO",
            },
            (f"oid:{OID}", "upn:anna@contoso.com", "sid:s-1-5-21-1-2-3-4", "ad:contoso\\anna"),
        ),
        (
            {
                "azureAdUserId": "00000000-0000-0000-0000-000000000000",
                "userPrincipalName": "",
                "accountName": "anna",
                "domainName": None,
            },
            ("account:anna",),
        ),
        ({"accountName": "CONTOSO\\anna", "domainName": "other"}, ("ad:contoso\\anna",)),
        ({"accountName": "anna@contoso.com"}, ("upn:anna@contoso.com",)),
        ({"displayName": "Anna Smith"}, ("name:anna smith",)),
        ({"tenantId": "only this"}, ("raw:tenantId=only this",)),
        ({"azureAdUserId": ["x"], "userPrincipalName": "a@b.example"}, ("upn:a@b.example",)),
    ],
)
def test_keys_of_a_user(account: dict[str, Any], identity: tuple[str, ...]) -> None:
    assert user(**account).identity == identity


@pytest.mark.parametrize(
    ("account", "ties"),
    [
        ({"userPrincipalName": "anna@contoso.com"}, True),
        ({"accountName": "anna", "domainName": "CONTOSO"}, True),
        ({"accountName": "anna"}, False),
        ({"accountName": "SYSTEM", "domainName": "NT AUTHORITY", "userSid": "S-1-5-18"}, False),
        ({"accountName": "W11PRO$", "domainName": "CONTOSO"}, False),
        ({"accountName": "root", "domainName": "srv01"}, False),
        ({"userSid": "S-1-5-20"}, False),
        ({"userSid": "S-1-12-1-1-2-3-4"}, True),
        ({"accountName": "x", "domainName": "IIS APPPOOL"}, False),
    ],
)
def test_only_people_tie(account: dict[str, Any], ties: bool) -> None:
    assert user(**account).ties is ties


@pytest.mark.parametrize(
    ("device", "identity", "search"),
    [
        (
            {
                "mdeDeviceId": "ABC1",
                "azureAdDeviceId": OID,
                "deviceDnsName": "SRV01.contoso.com",
                "hostName": "srv01",
            },
            ("mde:abc1", f"aad:{OID}", "dns:srv01.contoso.com"),
            ("host:srv01",),
        ),
        (
            {"hostName": "srv01", "dnsDomain": "contoso.com"},
            ("dns:srv01.contoso.com",),
            ("host:srv01",),
        ),
        ({"deviceDnsName": "srv01"}, ("host:srv01",), ()),
        ({"mdeDeviceId": "abc1", "deviceDnsName": "srv01"}, ("mde:abc1",), ("host:srv01",)),
    ],
)
def test_keys_of_a_device(device: dict[str, Any], identity: Any, search: Any) -> None:
    found = entities(typed("deviceEvidence", **device))[Kind.DEVICE]
    assert (found.identity, found.search) == (identity, search)
    assert found.ties is (not identity[0].startswith("host:"))


def test_one_thing_named_twice_is_one_entity() -> None:
    record = normalise(
        BASE
        | {
            "evidence": [
                typed("userEvidence", userAccount={"userPrincipalName": "anna@contoso.com"}),
                typed("ipEvidence", ipAddress="10.0.0.5"),
                typed("ipEvidence", ipAddress="::ffff:10.0.0.5", verdict="malicious"),
                typed("userEvidence", userAccount={"userSid": "S-1-5-21-1-2-3-4"}),
                typed(
                    "userEvidence",
                    roles=["attacked"],
                    userAccount={
                        "userPrincipalName": "ANNA@contoso.com",
                        "userSid": "S-1-5-21-1-2-3-4",
                    },
                ),
            ]
        }
    )
    assert [entity.kind for entity in record.entities] == [Kind.USER, Kind.IP]
    assert record.entities[0].identity == ("upn:anna@contoso.com", "sid:s-1-5-21-1-2-3-4")
    assert record.entities[0].roles == ("attacked",)
    assert record.entities[1].verdict == "malicious"


def test_a_short_host_name_is_the_one_device_that_has_it() -> None:
    record = normalise(
        BASE
        | {
            "evidence": [
                typed(
                    "deviceEvidence",
                    mdeDeviceId="abc",
                    deviceDnsName="srv01.contoso.com",
                    hostName="srv01",
                ),
                typed("cloudLogonSessionEvidence", sessionId="s", deviceName="SRV01"),
            ]
        }
    )
    assert [e.kind for e in record.entities] == [Kind.DEVICE, Kind.LOGON_SESSION]


def test_a_process_names_its_image_its_parent_and_its_account() -> None:
    found = normalise(
        BASE
        | {
            "evidence": [
                typed(
                    "processEvidence",
                    processId=4780,
                    mdeDeviceId="abc",
                    verdict="malicious",
                    imageFile={"sha256": "AB", "fileName": "a.exe", "filePath": "C:\\x"},
                    parentProcessImageFile={"fileName": "b.exe", "filePath": "C:\\y"},
                    userAccount={"userPrincipalName": "anna@contoso.com"},
                )
            ]
        }
    ).entities
    assert [(e.kind, e.identity[0], e.roles, e.verdict) for e in found] == [
        (Kind.PROCESS, "process:abc|4780|", (), "malicious"),
        (Kind.FILE, "sha256:ab", (), ""),
        (Kind.FILE, "path:c:\\y\\b.exe", ("contextual",), ""),
        (Kind.USER, "upn:anna@contoso.com", (), ""),
    ]


def test_a_message_names_recipient_sender_address_and_links() -> None:
    record = normalise(
        BASE
        | {
            "evidence": [
                typed(
                    "analyzedMessageEvidence",
                    networkMessageId="M1",
                    recipientEmailAddress="Anna@contoso.com",
                    senderIp="198.51.100.7",
                    p2Sender={"emailAddress": "bad@evil.example", "displayName": "IT"},
                    urls=["https://evil.example/a"],
                )
            ]
        }
    )
    found = {(e.kind, e.identity[0]): e for e in record.entities}
    assert found[Kind.MAIL, "nmid:m1"].ties
    assert found[Kind.MAILBOX, "mail:anna@contoso.com"].ties
    assert found[Kind.USER, "upn:anna@contoso.com"].ties
    assert found[Kind.MAILBOX, "mail:bad@evil.example"].roles == ("sender",)
    assert not found[Kind.MAILBOX, "mail:bad@evil.example"].ties
    assert (Kind.IP, "ip:198.51.100.7") in found
    assert (Kind.URL, "url:https://evil.example/a") in found


def test_a_mailbox_is_also_its_user() -> None:
    found = entities(typed("mailboxEvidence", primaryAddress="Anna@contoso.com"))
    assert found[Kind.MAILBOX].identity == ("mail:anna@contoso.com",)
    assert found[Kind.USER].identity == ("upn:anna@contoso.com",)


def test_nested_things_are_found_also_without_their_type_and_as_bare_strings() -> None:
    found = entities(
        typed(
            "ioTDeviceEvidence",
            deviceId="d1",
            ipAddress="10.0.0.9",
            nics={"macAddress": "AABBCCDDEEFF"},
        ),
        typed(
            "hostLogonSessionEvidence",
            sessionId="s",
            account={"userAccount": {"accountName": "anna"}},
            host={"hostName": "pc7"},
        ),
        typed(
            "networkConnectionEvidence",
            sourceAddress={"ipAddress": "10.0.0.1"},
            destinationAddress="10.0.0.2",
        ),
        typed(
            "deviceEvidence",
            mdeDeviceId="x",
            loggedOnUsers={"accountName": "bob", "domainName": "C"},
            vmMetadata={"resourceId": "/Subscriptions/1"},
        ),
    )
    assert found[Kind.NIC].identity == ("mac:aa:bb:cc:dd:ee:ff",)
    assert found[Kind.IP].identity == ("ip:10.0.0.9",)
    assert found[Kind.NETWORK_CONNECTION].identity == ("connection:|10.0.0.1||10.0.0.2|",)
    assert found[Kind.DEVICE].identity == ("host:pc7",)
    assert found[Kind.CLOUD_RESOURCE].identity == ("arm:/subscriptions/1",)


def test_users_logged_on_to_a_device_are_entities() -> None:
    bob = {"accountName": "bob", "domainName": "C"}
    evidence = [typed("deviceEvidence", mdeDeviceId="x", loggedOnUsers=[bob])]
    found = normalise(BASE | {"evidence": evidence}).entities
    assert [entity.identity[0] for entity in found] == ["mde:x", "ad:c\\bob"]
    assert found[1].roles == ("contextual",)


def test_unknown_types_are_kept_noted_and_looked_into() -> None:
    record = normalise(
        BASE
        | {
            "evidence": [
                typed(
                    "hologramEvidence",
                    hologramId="H-1",
                    seenBy=typed("ipEvidence", ipAddress="10.0.0.5"),
                )
            ]
        }
    )
    assert [(e.kind, e.identity) for e in record.entities] == [
        (Kind.UNKNOWN, ("raw:hologramId=h-1",)),
        (Kind.IP, ("ip:10.0.0.5",)),
    ]
    assert record.unread == ("hologramEvidence",)


def test_a_type_name_that_names_somebody_is_not_kept() -> None:
    record = normalise(BASE | {"evidence": [{"@odata.type": "x.anna@contoso.com", "a": "b c d"}]})
    assert record.unread == ("evidence of unknown type",)


def test_evidence_that_lost_its_type_is_recognised_by_its_fields() -> None:
    assert entities({"userAccount": {"userPrincipalName": "a@b.example"}})[Kind.USER].ties
    assert Kind.IP in entities({"ipAddress": "10.0.0.5"})


@pytest.mark.parametrize("empty", [{}, {"ipAddress": None}, {"ipAddress": ""}, {"ipAddress": []}])
def test_evidence_that_says_nothing_is_no_entity(empty: dict[str, Any]) -> None:
    assert entities(typed("ipEvidence", **empty)) == {}


def test_unknown_roles_and_verdicts_are_not_passed_on() -> None:
    found = entities(
        typed(
            "ipEvidence", ipAddress="10.0.0.5", roles=["annaSmith", "Attacker"], verdict="annaSmith"
        )
    )
    assert (found[Kind.IP].roles, found[Kind.IP].verdict) == (("attacker",), "unknown")


def test_hostile_sizes_are_bounded_and_still_sensitive() -> None:
    many = [typed("ipEvidence", ipAddress=f"10.1.{n // 256}.{n % 256}") for n in range(2000)]
    record = normalise(BASE | {"evidence": many})
    assert len(record.entities) == MOST_ENTITIES
    assert record.unread == ("more entities than are read",)
    assert "10.1.7.200" in record.sensitive
    deep = typed("activeDirectoryDomainEvidence", activeDirectoryDomainName="deepest.example")
    for level in range(200):
        deep = typed(
            "activeDirectoryDomainEvidence",
            activeDirectoryDomainName=f"d{level}.example",
            trustedDomains=[deep],
        )
    record = normalise(BASE | {"evidence": [deep]})
    assert 1 < len(record.entities) < 20
    assert record.unread == ("evidence nested too deep",)
    assert "deepest.example" in record.sensitive


def test_sensitive_is_every_text_that_may_name_something() -> None:
    record = normalise(
        BASE
        | {
            "assignedTo": "boss@contoso.com",
            "additionalData": {"Key Of Anna": {"Key Of Bert": ["Anna S", 11161]}},
            "comments": [{"comment": "ask bob", "createdByDisplayName": "Carol"}],
            "somethingNew": {"who": "Dora"},
            "evidence": [
                typed(
                    "deviceEvidence",
                    hostName="pc7",
                    osPlatform="Windows11",
                    healthStatus="zebra",
                    verdict="malicious",
                    firstSeenDateTime="2026-11-20T08:00:00Z",
                    createdDateTime="Emil",
                )
            ],
        }
    )
    assert record.sensitive >= {
        "boss@contoso.com",
        "Key Of Anna",
        "Key Of Bert",
        "Anna S",
        "11161",
        "ask bob",
        "Carol",
        "Dora",
        "pc7",
        "zebra",
        "Emil",
    }
    assert not record.sensitive & {"Windows11", "malicious", "2026-11-20T08:00:00Z"}
