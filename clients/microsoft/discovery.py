"""Which directory is meant: its id by Entra ID's public OpenID configuration, without a token.

https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
"""

import re
from uuid import UUID

from clients.errors import BadPayload, Rejected
from clients.failures import member
from clients.http import Http, Policy
from clients.microsoft import aadsts

_POLICY = Policy(connect_s=5.0, read_s=10.0, deadline_s=20.0, attempts=2, max_bytes=262_144)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE)


def can_name_directory(name: str) -> bool:
    """Whether it has the form of a directory's id or of a domain."""
    return bool(_GUID.fullmatch(name) or _DOMAIN.fullmatch(name))


def find_directory(login_url: str, typed: str) -> UUID:
    """The directory's id, by its id or one of its domains.

    Raises Rejected (no such directory, or no id or domain at all), Unavailable, BadPayload.
    """
    name = typed.strip().lower()
    if not can_name_directory(name):
        raise Rejected(
            "This is neither a directory id, such as 72f988bf-86f1-41af-91ab-2d7cd011db47, nor a "
            "domain, such as contoso.com.",
            code="AADSTS900023",
        )
    http = Http(login_url, name="Entra ID", policy=_POLICY, read_error=aadsts.read_error)
    body = http.request("GET", f"/{name}/v2.0/.well-known/openid-configuration").body
    # By a domain, too, the issuer names the directory by its id.
    found = _GUID.search(str(member(body, "issuer") or ""))
    if found is None:
        raise BadPayload("Entra ID: the field issuer is missing or names no directory.")
    directory = UUID(found.group())
    if _GUID.fullmatch(name) and directory != UUID(name):
        raise BadPayload("Entra ID: the field issuer names another directory.")
    return directory
