"""Encrypts the few ids of the customer that must be readable again, such as that of a group.

The key comes from the tenant's pseudonym key, which is in the vault alone; all of its versions
open, the newest seals.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tenants.pseudonyms import Pseudonymiser


class Unsealable(ValueError):
    """Sealed with a key that is gone, or changed since."""


def seal(value: str, pseudonymiser: Pseudonymiser) -> bytes:
    return _fernet(pseudonymiser).encrypt(value.encode())


def unseal(sealed: bytes, pseudonymiser: Pseudonymiser) -> str:
    """Raises Unsealable."""
    try:
        return _fernet(pseudonymiser).decrypt(bytes(sealed)).decode()
    except (InvalidToken, UnicodeDecodeError) as err:
        raise Unsealable("The value was sealed with another key.") from err


def _fernet(pseudonymiser: Pseudonymiser) -> MultiFernet:
    halves = (pseudonymiser.all_versions("seal", half) for half in ("first", "second"))
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(first.bytes + second.bytes))
            for first, second in zip(*halves, strict=True)
        ]
    )
