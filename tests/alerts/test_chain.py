"""Every kind of entity has its place on the chain."""

from dataclasses import replace

import pytest

from alerts.chain import pillar_of, pillars, pillars_of
from alerts.normalise import normalise
from alerts.records import EntityRecord, Kind, Pillar
from tests.payloads import load

SENTINEL = load("microsoft/alerts_v2-list-sentinel")["value"][0]


@pytest.mark.parametrize(
    ("kind", "pillar"),
    [
        (Kind.USER, Pillar.IDENTITY),
        (Kind.GROUP, Pillar.IDENTITY),
        (Kind.LOGON_REQUEST, Pillar.IDENTITY),
        (Kind.DEVICE, Pillar.DEVICE),
        (Kind.IOT_DEVICE, Pillar.DEVICE),
        (Kind.PROCESS, Pillar.DEVICE),
        (Kind.CLOUD_APP, Pillar.APP),
        (Kind.OAUTH_APP, Pillar.APP),
        (Kind.SERVICE_PRINCIPAL, Pillar.APP),
        (Kind.MAIL, Pillar.DATA),
        (Kind.MAILBOX, Pillar.DATA),
        (Kind.FILE, Pillar.DATA),
        (Kind.BLOB, Pillar.DATA),
        (Kind.CLOUD_RESOURCE, Pillar.INFRASTRUCTURE),
        (Kind.IP, Pillar.INFRASTRUCTURE),
        (Kind.KUBERNETES, Pillar.INFRASTRUCTURE),
    ],
)
def test_place_of_a_kind(kind: Kind, pillar: Pillar) -> None:
    assert pillar_of(kind) is pillar


def test_every_kind_has_exactly_one_place() -> None:
    assert all(pillar_of(kind) in list(Pillar) for kind in Kind)


def test_the_pillars_of_an_alert_are_those_of_its_entities() -> None:
    found = [EntityRecord(kind, ("x:1",)) for kind in (Kind.USER, Kind.MAIL, Kind.UNKNOWN)]
    assert pillars_of(found) == Pillar.IDENTITY | Pillar.DATA


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("azureAdIdentityProtection", Pillar.IDENTITY),
        ("microsoftDefenderForEndpoint", Pillar.DEVICE),
        ("microsoftDefenderForCloudApps", Pillar.APP),
        ("dataLossPrevention", Pillar.DATA),
        ("microsoftDefenderForCloud", Pillar.INFRASTRUCTURE),
        ("microsoftSentinel", Pillar(0)),
        ("somethingNew", Pillar(0)),
    ],
)
def test_without_entities_the_service_is_a_hint(service: str, expected: Pillar) -> None:
    assert pillars(replace(normalise(SENTINEL), service_source=service)) == expected
