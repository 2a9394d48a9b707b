"""What an access token says about the program that sent it, if it is genuine and meant for us.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference. Only tokens that
a program got for itself (client credentials): a person's are told apart and refused. No network:
the key is looked up by the caller.
"""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from clients.errors import Rejected
from clients.microsoft.id_tokens import LEEWAY_S, key_id_of
from clients.microsoft.signing_keys import v1_issuers

_NEEDED = ["exp", "nbf", "iat", "iss", "aud", "tid", "oid", "sub"]
_MOST_ROLES = 100
_PROVEN = frozenset({"1", "2"})
"""How the program proved itself: by a secret, by a certificate. 0: a public client, not at all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token has to say. `issuer`: of version 2; that of version 1 follows."""

    issuer: str
    directory: uuid.UUID
    audiences: Collection[str]

    @property
    def issuers(self) -> list[str]:
        return [self.issuer, *v1_issuers(self.directory)]


@dataclass(frozen=True, slots=True)
class Application:
    """`roles`: the app roles that the directory gave it. `until`: Unix time."""

    client_id: uuid.UUID
    roles: frozenset[str]
    until: int


def application_of(
    token: str, wanted: Wanted, key_of: Callable[[str], jwt.PyJWK | None]
) -> Application:
    """After every check. Raises Rejected, its code says which one failed; what `key_of` raises.

    What is not even meant for us is refused before a key is looked up.
    """
    key_id = key_id_of(token)
    _decoded(token, wanted, None)
    key = key_of(key_id)
    if key is None:
        raise _refused("signature", "it is signed with an unknown key")
    claims = _decoded(token, wanted, key)
    if claims["tid"] != str(wanted.directory):
        raise _refused("directory", "it comes from another directory")
    return Application(_client(claims), _roles(claims.get("roles")), int(claims["exp"]))


def _decoded(token: str, wanted: Wanted, key: jwt.PyJWK | None) -> dict[str, Any]:
    checks: dict[str, object] = {"require": _NEEDED}
    if key is None:
        checks |= {"verify_signature": False, "verify_aud": True, "verify_iss": True}
    try:
        found: dict[str, Any] = jwt.decode(
            token,
            key.key if key else "",
            algorithms=["RS256"],
            audience=list(wanted.audiences),
            issuer=wanted.issuers,
            leeway=LEEWAY_S,
            options=checks,  # type: ignore[arg-type]
        )
    except jwt.InvalidAudienceError:
        raise _refused("audience", "it is for another app") from None
    except jwt.InvalidIssuerError:
        raise _refused("issuer", "it comes from another directory") from None
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
        raise _refused("time", "it is out of date") from None
    except jwt.MissingRequiredClaimError as err:
        raise _refused("claim", f"the claim {err.claim} is missing") from None
    except jwt.PyJWTError:
        raise _refused("signature", "its signature is wrong") from None
    return found


def _client(claims: Mapping[str, object]) -> uuid.UUID:
    """The program, if the token is its own.

    A person's has `scp`; where a program asks for itself, it is its own subject. An ID token, which
    also has `roles`, says neither which program asked nor how that proved itself.
    """
    is_v1 = claims.get("ver") == "1.0"
    client = claims.get("appid" if is_v1 else "azp")
    proof = claims.get("appidacr" if is_v1 else "azpacr")
    is_persons = "scp" in claims or claims["sub"] != claims["oid"]
    if is_persons or claims.get("idtyp", "app") != "app":
        raise _refused("person", "it is a person's, and only programs come in this way")
    if proof not in _PROVEN:
        raise _refused("program", "the program did not prove itself by a secret or certificate")
    try:
        return uuid.UUID(str(client))
    except ValueError:
        raise _refused("program", "it names no program") from None


def _roles(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        return frozenset()
    return frozenset(one for one in value[:_MOST_ROLES] if isinstance(one, str))


def _refused(code: str, why: str) -> Rejected:
    return Rejected(f"The token was not accepted: {why}.", code=code)
