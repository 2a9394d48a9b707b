"""The onboarding wizard: the directory, and a consent that is believed only by proof."""

from __future__ import annotations

import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from simulator import Simulator
from tenants.models import Onboarding, Tenant
from tests.audit import audited
from tests.csc_portal.web.onboarding_lab import (
    Given,
    accept,
    at,
    begin,
    consented,
    customer,
    make_link,
    redirect,
    typed,
)

# --- the first step ------------------------------------------------------------------------------


def test_a_domain_is_resolved(sign_in, given: Given) -> None:
    client = sign_in("admin")
    answer = client.post(
        "/tenants/new/", typed(given, directory=f" {given['domain'].upper()} ", slug="")
    )
    assert answer.status_code == 302
    onboarding = Onboarding.objects.get(directory_id=given["directory"])
    assert onboarding.slug == given["slug"]  # made of the name
    assert not Tenant.objects.filter(directory_id=given["directory"]).exists()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "This field is required"),
        ("name", "!!!", "A slug is 2 to 40 small letters"),
        ("directory", "contoso", "neither a directory id"),
        ("directory", "common", "neither a directory id"),
        ("directory", "x.example/../y", "neither a directory id"),
        ("directory", "nobody.example", "knows no directory"),
        ("directory", str(uuid.UUID(int=7)), "knows no directory"),
        ("slug", "Not A Slug", "Enter a valid"),
        ("slug", "public", "is reserved"),
        ("client_id", "7", "An application id looks like"),
        ("credential_secret", "no-such-secret", "The vault has no secret named no-such-secret"),
        ("credential_secret", "a secret's value!", "No value here"),
    ],
)
def test_what_is_mistyped_is_told_at_its_field(
    field: str, value: str, told: str, sign_in, given: Given
) -> None:
    changes = {field: value} | ({"slug": ""} if value == "!!!" else {})
    answer = sign_in("admin").post("/tenants/new/", typed(given, **changes))
    assert answer.status_code == 422
    named = "slug" if value == "!!!" else field
    errors = answer.context["form"].errors
    assert told in " ".join(errors[named]), errors
    assert set(errors) == {named}
    assert not Onboarding.objects.filter(directory_id=given["directory"]).exists()


def test_a_known_directory_is_told(sign_in, given: Given, simulator: Simulator) -> None:
    client = sign_in("admin")
    onboarding = consented(client, simulator, given)
    Tenant.objects.filter(pk=onboarding.tenant_id).update(state="active")
    answer = client.post("/tenants/new/", typed(given))
    assert "already onboarded" in answer.content.decode()


# --- consent -------------------------------------------------------------------------------------


def test_consent_is_asked_claimed_and_proven(sign_in, given: Given, simulator: Simulator) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    asked = make_link(client, onboarding)
    assert asked["client_id"] == given["client_id"]
    assert asked["redirect_uri"] == "http://testserver/onboarding/consent/"
    assert asked["state"] not in str(Onboarding.objects.values().get(pk=onboarding.pk))
    accept(simulator, given)
    answer = redirect(client, asked["state"], given)
    assert answer.headers["Location"] == at(onboarding)
    assert client.get(at(onboarding)).headers["Location"] == at(onboarding, "permissions")
    tenant = Tenant.objects.get(directory_id=given["directory"])
    assert tenant.state == "onboarding"
    assert audited().filter(action="consent_proven", tenant=tenant).exists()


def test_a_redirect_alone_proves_nothing(sign_in, given: Given) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    asked = make_link(client, onboarding)
    assert redirect(client, asked["state"], given).status_code == 302
    onboarding.refresh_from_db()
    assert onboarding.consented_at is None
    assert not Tenant.objects.filter(directory_id=given["directory"]).exists()
    # It waits for the proof, and gives up waiting after a while.
    page = client.post(at(onboarding, "consent"), {"do": "check"}).content.decode()
    assert "does not know the app everywhere yet" in page
    assert 'hx-trigger="every 5s"' in page
    Onboarding.objects.update(consent_told_at=timezone.now() - timedelta(minutes=11))
    page = client.post(at(onboarding, "consent"), {"do": "check"}).content.decode()
    assert "the app has no consent" in page


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "x" * 43}, "belongs to no link that is open"),
        ({"state": ""}, "belongs to no link that is open"),
        ({"tenant": str(uuid.UUID(int=7))}, "names another directory"),
        ({"tenant": ""}, "names another directory"),
        ({"error": "access_denied"}, "said no, or may not consent"),
        ({"error": "<script>alert(1)</script>"}, "did not record a consent"),
        ({"admin_consent": "False"}, "did not record a consent"),
    ],
)
def test_a_redirect_that_is_not_right_is_refused(
    changes: dict[str, str], told: str, sign_in, given: Given, simulator: Simulator
) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    asked = make_link(client, onboarding)
    accept(simulator, given)
    answer = redirect(client, asked["state"], given, changes)
    assert answer.status_code == 400
    assert told in unescape(answer.content.decode())
    assert "alert(1)" not in answer.content.decode()
    onboarding.refresh_from_db()
    assert onboarding.consent_told_at is None
    assert onboarding.consented_at is None


def test_a_link_serves_once(sign_in, given: Given, simulator: Simulator) -> None:
    client = sign_in("admin")
    asked = make_link(client, begin(client, given))
    accept(simulator, given)
    assert redirect(client, asked["state"], given).status_code == 302
    assert redirect(client, asked["state"], given).status_code == 400


def test_a_newer_link_makes_the_older_void(sign_in, given: Given) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    older, newer = (make_link(client, onboarding)["state"] for _ in range(2))
    assert redirect(client, older, given).status_code == 400
    assert redirect(client, newer, given).status_code == 302


def test_a_link_ends_after_an_hour(sign_in, given: Given) -> None:
    client = sign_in("admin")
    asked = make_link(client, begin(client, given))
    Onboarding.objects.update(consent_expires_at=timezone.now() - timedelta(seconds=1))
    answer = redirect(client, asked["state"], given)
    assert "more than an hour ago" in answer.content.decode()


def test_a_link_belongs_to_one_user_and_session(sign_in, given: Given) -> None:
    client = sign_in("admin")
    onboarding = begin(client, given)
    state = make_link(client, onboarding)["state"]
    other, again = sign_in("admin"), Client()
    again.force_login(client.person)
    for stranger in (other, again):
        answer = redirect(stranger, state, given)
        assert answer.status_code == 400
        assert "another browser or session" in answer.content.decode()
    # And nobody has used it up.
    assert redirect(client, state, given).status_code == 302


def test_who_is_not_signed_in_is_thanked(client: Client, sign_in, given: Given) -> None:
    onboarding = begin(sign_in("admin"), given)
    answer = redirect(client, "x", given)
    assert answer.status_code == 200
    assert "Thank you" in answer.content.decode()
    onboarding.refresh_from_db()
    assert onboarding.consent_told_at is None


def test_the_state_of_one_customer_is_none_for_another(
    sign_in, given: Given, simulator: Simulator
) -> None:
    client, second = sign_in("admin"), customer(simulator)
    first_state = make_link(client, begin(client, given))["state"]
    make_link(client, begin(client, second))
    assert redirect(client, first_state, second).status_code == 400
