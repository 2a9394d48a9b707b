"""Keys over the three tenants of the web tests. `third` is the one that no key here may see."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jwt
import pytest
import requests
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone

from csc_portal.api.keys import NewKey, create_key
from csc_portal.api.scopes import APP_ROLES, Scope
from simulator import Simulator
from tenants.models import ApiKey, Grant, Tenant, TenantGroup, User
from tests.csc_portal.web.conftest import World, sign_in, world  # noqa: F401
from tests.csc_portal.web.signin_lab import configure
from tests.environment import SIMULATOR

ALL_SCOPES = tuple(scope.value for scope in Scope)


class Caller:
    """Calls the API with a key; answers are Django's, with the JSON read by `.json()`."""

    def __init__(self, key: ApiKey | None, secret: str) -> None:
        self.key, self.secret = key, secret
        self._client = Client(headers={"Authorization": f"Bearer {secret}"} if secret else {})

    def get(self, path: str, **headers: str) -> Any:
        return self._client.get(f"/api/v1/{path}", headers=headers)

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        return self._client.post(
            f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers
        )

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.get(path) if method == "get" else self.post(path, body)


@pytest.fixture
def key_of(simulator, db) -> Callable[..., Caller]:
    """A key of a new user with a role for `granted` tenants (none: all), within tenants/groups."""

    def make(
        role: str = "admin",
        granted: Sequence[Tenant] = (),
        scopes: Sequence[str] = ALL_SCOPES,
        tenants: Sequence[Tenant] = (),
        groups: Sequence[TenantGroup] = (),
    ) -> Caller:
        person = User.objects.create_user(f"owner-{uuid.uuid4().hex[:8]}")
        for tenant in granted or (None,):
            Grant.objects.create(user=person, tenant=tenant, role=role)
        new = NewKey("A test", scopes, tenants, groups)
        return Caller(*create_key(person, new, actor="test", now=timezone.now()))

    return make


@pytest.fixture
def bearer_of(simulator: Simulator, settings: Any, db: None) -> Callable[..., Caller]:
    """A program that comes with a token of the provider's directory, by its client credentials.

    `roles`: the app roles that it has there; the rest as for a key.
    """
    configure(settings, simulator)

    def make(
        role: str = "admin",
        granted: Sequence[Tenant] = (),
        scopes: Sequence[str] = ALL_SCOPES,
        tenants: Sequence[Tenant] = (),
        groups: Sequence[TenantGroup] = (),
        roles: Sequence[str] = tuple(APP_ROLES),
    ) -> Caller:
        program = uuid.uuid4()
        person = User.objects.create_user(f"robot-{uuid.uuid4().hex[:8]}", is_service=True)
        for tenant in granted or (None,):
            Grant.objects.create(user=person, tenant=tenant, role=role)
        new = NewKey("A program", scopes, tenants, groups, application=program)
        key, _ = create_key(person, new, actor="test", now=timezone.now())
        return Caller(key, token_for(simulator, program, roles))

    return make


def token_for(simulator: Simulator, program: uuid.UUID, roles: Sequence[str]) -> str:
    """By client credentials, as any program gets it."""
    api = simulator.environment["OIDC_CLIENT_ID"]
    simulator.control.application(
        str(program), secrets=[{"value": "s3", "expires": None}], assigned={api: list(roles)}
    )
    form = {
        "grant_type": "client_credentials", "client_id": str(program), "client_secret": "s3",
        "scope": f"api://{api}/.default",
    }  # fmt: skip
    directory = simulator.environment["OIDC_DIRECTORY"]
    address = f"{simulator.url}/{directory}/oauth2/v2.0/token"
    answer = requests.post(address, form, verify=str(simulator.ca_file), timeout=9)
    return str(answer.json()["access_token"])


def signed(simulator: Simulator, program: uuid.UUID, key: str = "", **changes: Any) -> str:
    """A token as the directory would sign it, with some claims changed (None: left out)."""
    directory, now = simulator.environment["OIDC_DIRECTORY"], int(time.time())
    address = f"{simulator.url}/common/discovery/v2.0/keys"
    keys = requests.get(address, verify=str(simulator.ca_file), timeout=9).json()["keys"]
    claims = {
        "aud": simulator.environment["OIDC_CLIENT_ID"], "iss": f"{simulator.url}/{directory}/v2.0",
        "iat": now, "nbf": now, "exp": now + 3600, "azp": str(program), "azpacr": "1",
        "oid": "o", "sub": "o", "tid": directory, "ver": "2.0", "roles": ["Cases.Read"], **changes,
    }  # fmt: skip
    head = {"kid": claims.pop("kid", keys[0]["kid"])}
    claims = {name: value for name, value in claims.items() if value is not None}
    secret = key or (SIMULATOR / "token-key.pem").read_text()
    return jwt.encode(claims, secret, "HS256" if key else "RS256", head)


@pytest.fixture
def in_one_transaction() -> Iterator[None]:
    """A request ends with a look at the connection, which drops one that is in a transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def stranger() -> Caller:
    return Caller(None, "")


def group_of(*tenants: Tenant) -> TenantGroup:
    group = TenantGroup.objects.create(slug=f"g-{uuid.uuid4().hex[:8]}", name="A group")
    group.tenants.set(tenants)
    return group


__all__ = ["ALL_SCOPES", "Caller", "World", "group_of", "signed", "token_for"]
