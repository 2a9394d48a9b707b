"""Keys over the three tenants of the web tests. `third` is the one that no key here may see."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from csc_portal.api.keys import NewKey, create_key
from csc_portal.api.scopes import Scope
from tenants.models import ApiKey, Grant, Tenant, TenantGroup, User
from tests.csc_portal.web.conftest import World, sign_in, world  # noqa: F401

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
def stranger() -> Caller:
    return Caller(None, "")


def group_of(*tenants: Tenant) -> TenantGroup:
    group = TenantGroup.objects.create(slug=f"g-{uuid.uuid4().hex[:8]}", name="A group")
    group.tenants.set(tenants)
    return group


__all__ = ["ALL_SCOPES", "Caller", "World", "group_of"]
