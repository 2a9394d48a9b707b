"""The consent link, what comes back, and which directory is meant."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import responses

from clients.errors import ApiError, BadPayload, Rejected
from clients.microsoft.consent import ACCEPTED, consent_url, refusal
from clients.microsoft.discovery import find_directory
from clients.microsoft.permissions import PERMISSIONS, how_to_grant, how_to_license

LOGIN = "https://login.example"
GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CONFIGURATION = "v2.0/.well-known/openid-configuration"


def test_the_link_goes_to_the_directory_itself() -> None:
    link = urlsplit(consent_url(f"{LOGIN}/", GUID, "app", "https://p.example/x/?a=1", "s&t", "all"))
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{LOGIN}/{GUID}/v2.0/adminconsent"
    assert parse_qs(link.query) == {
        "client_id": ["app"],
        "scope": ["all"],
        "redirect_uri": ["https://p.example/x/?a=1"],
        "state": ["s&t"],
    }


@pytest.mark.parametrize(
    ("told", "is_accepted"),
    [
        ({"admin_consent": "True"}, True),
        ({"admin_consent": "true"}, True),
        ({"admin_consent": "True", "error": "access_denied"}, False),
        ({"error": "never heard of"}, False),
        ({}, False),
    ],
)
def test_only_a_plain_yes_is_one(told: dict[str, str], is_accepted: bool) -> None:
    assert (refusal(told) == ACCEPTED) == is_accepted
    assert "never heard of" not in refusal(told)


def test_a_directory_is_found_by_its_domain() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{LOGIN}/contoso.com/{CONFIGURATION}", json={"issuer": f"{LOGIN}/{GUID}/v2.0"})
        assert find_directory(LOGIN, " Contoso.COM ") == UUID(GUID)


@pytest.mark.parametrize(
    "typed", ["", "contoso", "common", "a b.com", "../x.com", "x.com/y", "ü.de"]
)
def test_what_is_no_directory_is_not_asked_for(typed: str) -> None:
    with pytest.raises(Rejected, match="neither a directory id"):
        find_directory(LOGIN, typed)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_tenant", "error_codes": [90002]}, Rejected),
        (200, {"issuer": "https://sts.example/{tenantid}/"}, BadPayload),
        (200, {"issuer": f"{LOGIN}/00000000-0000-0000-0000-000000000000/"}, BadPayload),
        (200, [], BadPayload),
    ],
)
def test_other_answers_are_errors(status: int, body: object, error: type[ApiError]) -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{LOGIN}/{GUID}/{CONFIGURATION}", json=body, status=status)
        with pytest.raises(error):
            find_directory(LOGIN, GUID)


def test_every_permission_says_how_to_get_it() -> None:
    assert len({one.id for one in PERMISSIONS}) == len(PERMISSIONS)
    for one in PERMISSIONS:
        assert str(UUID(one.id)) == one.id
        assert one.name in how_to_grant(one, "app-id")
        assert "app-id" in how_to_grant(one, "app-id")
        assert how_to_license(one).startswith("The directory's licences")
