"""People sign in, as Microsoft's own library does it; and what a wrong client is told."""

from __future__ import annotations

import html
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal
import pytest
import requests

from simulator import Simulator

BACK = "http://127.0.0.1:8000/account/microsoft/done/"


def browser(sim: Simulator) -> requests.Session:
    found = requests.Session()
    found.trust_env = False
    found.verify = str(sim.ca_file)
    return found


@pytest.fixture
def library(sim: Simulator) -> msal.ConfidentialClientApplication:
    given = sim.environment
    return msal.ConfidentialClientApplication(
        given["OIDC_CLIENT_ID"],
        authority=f"{sim.url}/{given['OIDC_DIRECTORY']}",
        client_credential=sim.control.secret(given["OIDC_CLIENT_SECRET_NAME"]),
        instance_discovery=False,
        http_client=browser(sim),
    )


def answered(sim: Simulator, address: str, name: str, **form: str) -> dict[str, str]:
    """Fill the page; what the redirect back holds."""
    window = browser(sim)
    shown = window.get(address, timeout=9)
    action = html.unescape(re.search('action="([^"]+)"', shown.text).group(1))  # type: ignore[union-attr]
    word = next(one["password"] for one in sim.control.staff() if one["username"] == name)
    told = window.post(
        f"{sim.url}{action}", {"loginfmt": name, "passwd": word, **form}, timeout=9,
        allow_redirects=False,
    )  # fmt: skip
    query = parse_qs(urlsplit(told.headers["Location"]).query)
    return {key: values[0] for key, values in query.items()}


def signed_in(sim: Simulator, library: Any, name: str) -> dict[str, Any]:
    flow = library.initiate_auth_code_flow(["User.Read"], redirect_uri=BACK)
    return library.acquire_token_by_auth_code_flow(flow, answered(sim, flow["auth_uri"], name))


def test_msal_signs_a_person_in(sim: Simulator, library: Any) -> None:
    claims = signed_in(sim, library, "ada.admin@provider.example")["id_token_claims"]
    assert claims["roles"] == ["CSC.Admin"]
    assert claims["preferred_username"] == "ada.admin@provider.example"
    assert claims["tid"] == sim.environment["OIDC_DIRECTORY"]


def test_many_groups_are_left_out_and_graph_knows_them(sim: Simulator, library: Any) -> None:
    groups = [str(uuid.uuid4()) for _ in range(201)]
    sim.control.set_person("many@provider.example", groups=groups)
    told = signed_in(sim, library, "many@provider.example")
    assert "groups" not in told["id_token_claims"]
    assert told["id_token_claims"]["_claim_names"] == {"groups": "src1"}
    asked = [groups[5], str(uuid.uuid4())]
    found = browser(sim).post(
        f"{sim.url}/v1.0/me/checkMemberGroups", json={"groupIds": asked}, timeout=9,
        headers={"Authorization": f"Bearer {told['access_token']}"},
    )  # fmt: skip
    assert found.json()["value"] == [groups[5]]


def test_a_code_serves_once_and_only_with_its_verifier(sim: Simulator, library: Any) -> None:
    flow = library.initiate_auth_code_flow(["User.Read"], redirect_uri=BACK)
    back = answered(sim, flow["auth_uri"], "ada.admin@provider.example")
    wrong = {**flow, "code_verifier": "x" * 43}
    told = library.acquire_token_by_auth_code_flow(wrong, back)
    assert told["error_codes"] == [50148]
    assert "access_token" in library.acquire_token_by_auth_code_flow(flow, back)
    assert library.acquire_token_by_auth_code_flow(flow, back)["error_codes"] == [54005]


def test_a_strange_address_is_not_gone_back_to(sim: Simulator, library: Any) -> None:
    flow = library.initiate_auth_code_flow([], redirect_uri="https://evil.example/")
    told = browser(sim).get(flow["auth_uri"], timeout=9, allow_redirects=False)
    assert told.status_code == 400
    assert "AADSTS50011" in told.text


def test_cancelling_goes_back_with_an_error(sim: Simulator, library: Any) -> None:
    flow = library.initiate_auth_code_flow([], redirect_uri=BACK)
    back = answered(sim, flow["auth_uri"], "ada.admin@provider.example", cancel="1")
    assert back["error"] == "access_denied"
    assert back["state"] == flow["state"]
