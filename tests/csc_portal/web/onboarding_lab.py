"""What the tests of the onboarding wizard share: a customer, and the calls of an admin."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from simulator import Simulator
from tenants.models import Onboarding
from tests.lab import new_slug

Given = dict[str, str]


def customer(simulator: Simulator) -> Given:
    found = simulator.control.add_directory(new_slug("wizard"), stories=False, populate=False)
    simulator.control.configure(found["slug"], roles=None)
    return {**found, "domain": f"{found['slug']}.example"}


def typed(given: Given, **changes: str) -> Given:
    return {
        "name": given["name"],
        "slug": given["slug"],
        "directory": given["directory"],
        "client_id": given["client_id"],
        "credential_secret": given["credential_secret"],
        **changes,
    }


def ticketing(given: Given) -> Given:
    return {
        "url": f"{given['ticketing_url']}/freshservice/{given['slug']}",
        "secret_name": given["ticketing_secret"],
        "option_requester_email": "csc@provider.example",
        "priority_high": "4",
    }


def begin(client: Client, given: Given) -> Onboarding:
    answer = client.post("/tenants/new/", typed(given))
    assert answer.status_code == 302, answer.content.decode()
    return Onboarding.objects.get(directory_id=given["directory"], finished_at=None)


def at(onboarding: Onboarding, step: str = "") -> str:
    return f"/onboarding/{onboarding.public_id}/{step + '/' if step else ''}"


def make_link(client: Client, onboarding: Onboarding) -> dict[str, str]:
    """What the consent link asks Microsoft for."""
    page = client.post(at(onboarding, "consent"), {"do": "link"}).content.decode()
    link = unescape(re.findall(r'href="(https://[^"]+adminconsent[^"]+)"', page)[0])
    parts = urlsplit(link)
    assert parts.path == f"/{onboarding.directory_id}/v2.0/adminconsent"
    return {key: values[0] for key, values in parse_qs(parts.query).items()}


def accept(simulator: Simulator, given: Given) -> None:
    simulator.control.configure(
        given["slug"], roles=["SecurityAlert.Read.All", "Organization.Read.All"]
    )


def redirect(client: Client, state: str, given: Given, changes: Given | None = None):  # type: ignore[no-untyped-def]
    told = {"admin_consent": "True", "tenant": given["directory"], "state": state}
    return client.get("/onboarding/consent/", told | (changes or {}))


def consented(client: Client, simulator: Simulator, given: Given) -> Onboarding:
    onboarding = begin(client, given)
    accept(simulator, given)
    client.post(at(onboarding, "consent"), {"do": "check"})
    onboarding.refresh_from_db()
    assert onboarding.consented_at is not None
    return onboarding
