"""What all endpoints have in common: a key, its quota, its scope, its rights, known parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from django.http import QueryDict
from rest_framework.exceptions import NotFound, ParseError, Throttled
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from csc_portal.access import Rights, TenantRef
from csc_portal.api import throttle
from csc_portal.api.authentication import KeyAuthentication
from csc_portal.api.keys import rights_of_key
from csc_portal.api.pages import PAGING
from csc_portal.api.problems import NOT_HERE, TOO_LARGE, FieldError, Problem, answer, bad_fields
from csc_portal.api.scopes import RIGHT_OF, Scope
from tenants.models import ApiKey, User
from tenants.roles import Right

_NO_TENANT = FieldError("tenant", "This key has no such tenant.")
LARGEST = 2 * 1024 * 1024


class Json(BaseParser):
    """Bounded. orjson refuses what only looks like JSON: NaN, half a surrogate, endless depth."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise Problem(413, TOO_LARGE)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ParseError from None
        if not isinstance(found, dict):
            raise bad_fields(FieldError("body", "Send a JSON object."))
        return found


class ApiView(APIView):
    """`scope`: what the key needs, for all methods. `known`: the query's parameters.

    `is_counted`: the portal asks itself for a request that counts already.
    """

    authentication_classes = [KeyAuthentication]
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []
    parser_classes = [Json]
    renderer_classes = [JSONRenderer]
    http_method_names = ["get", "head", "post"]
    scope: Scope | None = None
    known: frozenset[str] = frozenset()
    is_list = False
    is_counted = False

    key: ApiKey
    rights: Rights

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.quota: throttle.Quota | None = None
        super().initial(request, *args, **kwargs)
        self.key = request.auth
        if not self.is_counted:
            self.quota = throttle.count(self.key)
            if self.quota.wait_s:
                raise Throttled(wait=self.quota.wait_s)
        handler = getattr(self, (request.method or "").lower(), None)
        if handler is None or (request.method or "").lower() not in self.http_method_names:
            return  # 405 follows
        self.rights = rights_of_key(self.key)
        if self.scope is not None and not self.rights.may_somewhere(self.right):
            raise Problem(404, f"{NOT_HERE} It takes the scope {self.scope.value}.")
        self._check_query(request.query_params)

    def _check_query(self, query: QueryDict) -> None:
        known = self.known | (PAGING if self.is_list else frozenset())
        unknown = sorted(set(query) - known)
        if unknown:
            told = f"There is no such parameter. Known: {', '.join(sorted(known)) or 'none'}."
            raise bad_fields(*(FieldError(name[:40], told) for name in unknown[:20]))

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        found = super().finalize_response(request, response, *args, **kwargs)
        quota = getattr(self, "quota", None)
        if quota is not None:
            for name, value in quota.headers.items():
                found.headers[name] = value
        if found.status_code >= 400 and found.status_code != 429:
            self._note_error()
        return found

    def raise_uncaught_exception(self, exc: Exception) -> None:
        self._note_error()
        super().raise_uncaught_exception(exc)

    def _note_error(self) -> None:
        if key := getattr(self, "key", None):
            throttle.note_error(key.pk)

    def get_exception_handler(self) -> Any:
        return answer

    @property
    def right(self) -> Right:
        if self.scope is None:
            raise LookupError("this endpoint asks for no scope")
        return RIGHT_OF[self.scope]

    @property
    def owner(self) -> User:
        return self.key.owner

    def tenants(self) -> dict[int, TenantRef]:
        """Those of the key, narrowed by `tenant` in the query. Raises Problem for unknown ones."""
        query = self.request.query_params
        allowed = {pk: self.rights.tenants[pk] for pk in self.rights.having(self.right)}
        if "tenant" not in query:
            return allowed
        by_slug = {ref.slug: ref for ref in allowed.values()}
        asked = query.getlist("tenant")[:1000]
        if any(slug not in by_slug for slug in asked):
            raise Problem(404, "This key has no such tenant.", (_NO_TENANT,))
        return {by_slug[slug].pk: by_slug[slug] for slug in asked}

    def one_of(self, name: str, values: Sequence[str]) -> str:
        """The parameter, which is one of a closed list, or "" without it. Raises Problem."""
        found = self.some_of(name, values)
        if len(found) > 1:
            raise bad_fields(FieldError(name, "Once only."))
        return found[0] if found else ""

    def some_of(self, name: str, values: Sequence[str]) -> list[str]:
        """The parameter, which may be repeated. Raises Problem."""
        given = self.request.query_params.getlist(name)
        if any(one not in values for one in given):
            raise bad_fields(FieldError(name, f"Choose of: {', '.join(values)}."))
        return given[: len(values)]

    def one_tenant(self) -> TenantRef:
        """The one named by `tenant`, or the only one that the key has. Raises Problem."""
        found = self.tenants()
        if len(found) != 1:
            raise bad_fields(FieldError("tenant", "Name one tenant."))
        return next(iter(found.values()))


class NotHere(ApiView):
    """Every address below /api/v1/ that is none."""

    def get(self, request: Request) -> Response:
        raise NotFound

    def post(self, request: Request) -> Response:
        raise NotFound

    def _check_query(self, query: QueryDict) -> None:
        """Whatever is asked here is not here."""
