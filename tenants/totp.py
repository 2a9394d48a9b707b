"""Six digits that change every 30 seconds (RFC 6238), as every authenticator app shows them. Pure.

SHA-1, six digits and 30 seconds are what all apps understand; some ignore anything else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
DRIFT_STEPS = 1
"""So many steps earlier or later are taken too: clocks differ, and typing takes time."""
SECRET_BYTES = 20


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """The digits of one step (RFC 4226, 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, typed: str, now_s: float, last_step: int) -> int | None:
    """The step whose digits were typed, None for wrong ones and for those used already."""
    digits = "".join(letter for letter in typed if letter.isascii() and letter.isdigit())
    current = int(now_s // STEP_S)
    found = None
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step), digits) and step > last_step:
            found = step
    return found


def typed_secret(secret: bytes) -> str:
    """For whoever can't scan: groups of four letters."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, account: str, issuer: str) -> str:
    """What the QR code says (the otpauth address that authenticator apps read)."""
    query = urlencode({"secret": typed_secret(secret).replace(" ", ""), "issuer": issuer})
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{query}"
