"""What an ID token of Entra ID says about a person, if it is genuine and meant for us.

https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference. No network: the key
that a token names is looked up by the caller.
"""

import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt

from clients.errors import Rejected

LEEWAY_S = 300
_MOST_VALUES = 1000
_NEEDED = ["exp", "iat", "iss", "aud", "nonce", "tid", "oid"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token has to say."""

    issuer: str
    client_id: str
    directory: uuid.UUID
    nonce: str


@dataclass(frozen=True, slots=True)
class Person:
    """Directory and object id are who it is; names may change, and prove nothing.

    `groups` is None if there are too many for a token: ask Graph. `proved_at` is when the person
    last showed who they are (Unix time), None if the token does not say.
    """

    directory: uuid.UUID
    object_id: uuid.UUID
    username: str = field(repr=False)
    name: str = field(repr=False)
    roles: frozenset[str]
    groups: frozenset[str] | None
    proved_at: int | None


def key_id_of(token: str) -> str:
    """The key that the token names; it may be anything until the signature is checked."""
    try:
        head = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise _refused("malformed", "it can't be read") from None
    if head.get("alg") != "RS256":
        raise _refused("algorithm", "it is not signed as it should be")
    return str(head.get("kid", ""))


def person_of(token: str, key: jwt.PyJWK, expected: Expected) -> Person:
    """The person, after every check. Raises Rejected, its code says which one failed."""
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=["RS256"],
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=LEEWAY_S,
            options={"require": _NEEDED},
        )
    except jwt.InvalidAudienceError:
        raise _refused("audience", "it is for another app") from None
    except jwt.InvalidIssuerError:
        raise _refused("issuer", "it comes from another directory") from None
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
        raise _refused("time", "it is out of date: check this machine's clock") from None
    except jwt.MissingRequiredClaimError as err:
        raise _refused("claim", f"the claim {err.claim} is missing") from None
    except jwt.PyJWTError:
        raise _refused("signature", "its signature is wrong") from None
    if not hmac.compare_digest(str(claims["nonce"]).encode(), expected.nonce.encode()):
        raise _refused("nonce", "it answers another sign-in")
    directory, object_id = _guid(claims, "tid"), _guid(claims, "oid")
    if directory != expected.directory:
        raise _refused("directory", "it comes from another directory")
    return Person(
        directory,
        object_id,
        _text(claims, "preferred_username"),
        _text(claims, "name"),
        _words(claims.get("roles")),
        None if _has_too_many_groups(claims) else _groups(claims),
        claims["auth_time"] if isinstance(claims.get("auth_time"), int) else None,
    )


def _has_too_many_groups(claims: Mapping[str, object]) -> bool:
    names = claims.get("_claim_names")
    return (isinstance(names, dict) and "groups" in names) or claims.get("hasgroups") is True


def _groups(claims: Mapping[str, object]) -> frozenset[str]:
    """Object ids, as they are mapped."""
    return frozenset(one.lower() for one in _words(claims.get("groups")))


def _words(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        return frozenset()
    return frozenset(one for one in value[:_MOST_VALUES] if isinstance(one, str))


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if letter.isprintable())[:150].strip()


def _guid(claims: Mapping[str, object], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(claims[name]))
    except ValueError:
        raise _refused("claim", f"the claim {name} is no GUID") from None


def _refused(code: str, why: str) -> Rejected:
    return Rejected(f"Microsoft's answer was not accepted: {why}.", code=code)
