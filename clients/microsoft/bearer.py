"""Calls with a bearer token to Microsoft Graph and Azure Resource Manager."""

from collections.abc import Mapping
from typing import Protocol

from clients.errors import ApiError, Unauthorized
from clients.failures import Failure, build_error, member, safe_code
from clients.http import Answer, Http

_ADVICE = {
    "Authentication_RequestFromNonPremiumTenantOrB2CTenant": (
        "The directory has no Entra ID P1 or P2 licence, which these records need."
    ),
    "InvalidAuthenticationToken": "The token was not accepted.",
    "Authorization_RequestDenied": "The app lacks a permission: grant it and consent again.",
    "Forbidden": (
        "The app lacks a permission, or the directory lacks the product: grant the permission and "
        "consent again."
    ),
}
_ADVICE_BY_STATUS = {
    401: "The token was not accepted.",
    403: "The app lacks a permission or the directory a licence: run the permission check.",
}


class Tokens(Protocol):
    """What Graph needs of `clients.microsoft.identity.DirectoryTokens`."""

    def token(self, scope: str) -> str:
        """A token for a scope."""

    def forget(self, scope: str, token: str | None = None) -> None:
        """Fetch anew next time."""


def read_error(failure: Failure) -> ApiError:
    """The error reader for Graph and Azure Resource Manager: `{"error": {"code": ...}}`."""
    code = safe_code(member(member(failure.body, "error"), "code"))
    advice = _ADVICE.get(code) or _ADVICE_BY_STATUS.get(failure.status, "")
    return build_error(failure, code=code, advice=advice)


class TokenHttp:
    """Calls with a bearer token; a refused token is replaced once."""

    def __init__(self, http: Http, tokens: Tokens, scope: str) -> None:
        self.http = http
        self._tokens = tokens
        self._scope = scope

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        family: str = "",
        cost: int = 1,
        retry: bool | None = None,
    ) -> Answer:
        """Like `Http.request`. A 401 gets a new token, also in the middle of a long list."""
        fresh = False
        while True:
            token = self._tokens.token(self._scope)
            try:
                return self.http.request(
                    method,
                    path,
                    params=params,
                    json=json,
                    headers={**(headers or {}), "Authorization": f"Bearer {token}"},
                    family=family,
                    cost=cost,
                    retry=retry,
                    read_error=read_error,
                )
            except Unauthorized:
                if fresh:
                    raise
            self.forget_token(token)
            fresh = True

    def forget_token(self, token: str | None = None) -> None:
        """Use another token from now on."""
        self._tokens.forget(self._scope, token)
