"""Admin consent as an administrator's browser sees it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from simulator import Simulator
from tests.simulator.conftest import client_id
from tests.simulator.test_entra import msal_token, session

BACK = "https://portal.example/onboarding/consent/"
SCOPE = "https://graph.microsoft.com/.default"


def asked(sim: Simulator, **changes: str) -> dict[str, str]:
    given = {"client_id": client_id(sim), "redirect_uri": BACK, "state": "s1", "scope": SCOPE}
    return {**given, **changes}


def page(sim: Simulator, path: str, **changes: str) -> requests.Response:
    return session(sim).get(f"{sim.url}/{path}", params=asked(sim, **changes), timeout=9)


def answered(sim: Simulator, path: str, said: str) -> dict[str, str]:
    """What the portal's address is told."""
    form = {**asked(sim), "answer": said}
    found = session(sim).post(f"{sim.url}/{path}", form, timeout=9, allow_redirects=False)
    assert found.status_code == 302
    address = found.headers["Location"]
    assert address.startswith(BACK)
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}


@pytest.fixture
def directory(sim: Simulator) -> str:
    found = sim.control.add_directory("", populate=False)
    sim.control.configure(found["directory"], roles=None)
    return str(found["directory"])


def test_the_page_names_the_app_and_its_permissions(sim: Simulator, directory: str) -> None:
    shown = page(sim, f"{directory}/v2.0/adminconsent")
    assert shown.status_code == 200
    assert "CSC Portal" in shown.text
    assert "SecurityAlert.Read.All" in shown.text


@pytest.mark.parametrize("path", ["adminconsent", "v2.0/adminconsent"])
def test_a_yes_makes_tokens_possible(path: str, sim: Simulator, directory: str) -> None:
    secret = sim.control.secret("csc-app-credential")
    assert 700016 in msal_token(sim, secret, directory)["error_codes"]
    told = answered(sim, f"{directory}/{path}", "yes")
    assert (told["admin_consent"], told["tenant"], told["state"]) == ("True", directory, "s1")
    assert ("scope" in told) == path.startswith("v2")
    assert "access_token" in msal_token(sim, secret, directory)


def test_a_no_changes_nothing(sim: Simulator, directory: str) -> None:
    told = answered(sim, f"{directory}/v2.0/adminconsent", "no")
    assert told["error"] == "access_denied"
    assert told["state"] == "s1"
    assert sim.control.state_of(directory)["consents"] == {}


def test_consent_takes_its_time(sim: Simulator, directory: str) -> None:
    sim.control.configure(directory, consent={"lag_s": 600, "roles": ["User.Read.All"]})
    answered(sim, f"{directory}/v2.0/adminconsent", "yes")
    told = msal_token(sim, sim.control.secret("csc-app-credential"), directory)
    assert 700016 in told["error_codes"]


@pytest.mark.parametrize(
    ("path", "changes", "code"),
    [
        ("common/v2.0/adminconsent", {}, "900144"),
        ("{directory}/v2.0/adminconsent", {"scope": ""}, "900144"),
        ("{directory}/v2.0/adminconsent", {"scope": "User.Read"}, "70011"),
        ("{directory}/v2.0/adminconsent", {"redirect_uri": "http://evil.example/"}, "50011"),
        ("{directory}/v2.0/adminconsent", {"client_id": "7"}, "700016"),
    ],
)
def test_what_entra_does_not_take(
    path: str, changes: dict[str, str], code: str, sim: Simulator, directory: str
) -> None:
    shown = page(sim, path.format(directory=directory), **changes)
    assert shown.status_code == 400
    assert f"AADSTS{code}" in shown.text
