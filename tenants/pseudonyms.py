"""Keyed pseudonyms: what the database holds instead of a name, an address or an id.

HMAC-SHA256 over the kind, a NUL and the canonical key, with a key of the tenant's own: the same
person has one pseudonym within a tenant and unrelated ones in two tenants. See RFC 2104, RFC 5869.
"""

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from functools import lru_cache

from tenants.canonical import canonical_key

_SALT = b"csc-portal pseudonyms"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LONGEST_CACHED = 300  # characters; longer values are hostile or rare and would fill the memory


def derive_key(master: bytes, tenant_id: uuid.UUID) -> bytes:
    """The tenant's key of 32 bytes: HKDF-SHA256 of the master key. ValueError below 16 bytes."""
    if len(master) < 16:
        raise ValueError("the master key for pseudonyms is shorter than 16 bytes")
    extracted = hmac.digest(_SALT, master, "sha256")
    return hmac.digest(extracted, tenant_id.bytes + b"\x01", "sha256")


class Pseudonymiser:
    """Pseudonyms of one tenant. `keys` are (version, key) pairs, newest first; never empty."""

    def __init__(self, keys: Sequence[tuple[str, bytes]], *, cache_size: int = 20_000) -> None:
        if not keys:
            raise ValueError("a pseudonymiser needs at least one key")
        self.version = keys[0][0]
        self._macs = tuple(hmac.new(key, digestmod=hashlib.sha256) for _, key in keys)
        self._cached = lru_cache(maxsize=cache_size)(self._newest)

    def __repr__(self) -> str:
        return f"Pseudonymiser(version={self.version!r}, keys={len(self._macs)})"

    def pseudonym(self, kind: str, value: str) -> uuid.UUID:
        """The pseudonym under the newest key; `value` need not be canonical."""
        if len(value) > _LONGEST_CACHED:
            return self._newest(str(kind), value)
        return self._cached(str(kind), value)

    def all_versions(self, kind: str, value: str) -> list[uuid.UUID]:
        """The pseudonyms under every key, newest first, to find rows made before a rotation."""
        older = [_digest(mac, str(kind), value) for mac in self._macs[1:]]
        return [self.pseudonym(kind, value), *older]

    def _newest(self, kind: str, value: str) -> uuid.UUID:
        return _digest(self._macs[0], kind, value)


def _digest(keyed: hmac.HMAC, kind: str, value: str) -> uuid.UUID:
    mac = keyed.copy()
    mac.update(f"{kind}\0{canonical_key(kind, value)}".encode("utf-8", "replace"))
    return uuid.UUID(bytes=mac.digest()[:16])


def crockford(bits: int, length: int) -> str:
    """The lowest 5 x `length` bits in Crockford's base 32, which has no I, L, O and U."""
    return "".join(_CROCKFORD[bits >> shift & 31] for shift in range(5 * length - 5, -1, -5))


def label(kind: str, pseudonym: uuid.UUID) -> str:
    """What people read instead of a name: "User K7Q-93F" (30 bits in Crockford's base 32)."""
    text = crockford(pseudonym.int >> 98, 6)
    return f"{str(kind).replace('_', ' ').capitalize()} {text[:3]}-{text[3:]}"
