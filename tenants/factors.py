"""Second factors of local accounts: an authenticator app, passkeys, recovery codes.

TOTP secrets are sealed with AES-256-GCM, recovery codes kept as HMAC, both under keys derived from
`csc-sign-in-key` in Key Vault. Its earlier enabled versions still open what they sealed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import transaction

from tenants import totp
from tenants.directories import BadSecret
from tenants.models import Passkey, RecoveryCode, TotpDevice, User
from tenants.secrets import versions_of

SIGN_IN_KEY = "csc-sign-in-key"
RECOVERY_CODES = 10
_NONCE_BYTES = 12
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # without letters that look like others
_HALF = 5


def has_second_factor(user: User) -> bool:
    """An app or a passkey. Recovery codes alone are none: they stand in for one."""
    confirmed = TotpDevice.objects.filter(user=user).exclude(confirmed_at=None)
    return confirmed.exists() or Passkey.objects.filter(user=user).exists()


def begin_totp(user: User) -> bytes:
    """A new secret that counts only once its digits were typed. Raises BadSecret, ApiError."""
    secret = totp.new_secret()
    TotpDevice.objects.filter(user=user, confirmed_at=None).delete()
    TotpDevice.objects.create(user=user, sealed=_seal(user, secret))
    return secret


def pending_totp(user: User) -> bytes | None:
    """The secret of an app that is being set up."""
    device = TotpDevice.objects.filter(user=user, confirmed_at=None).first()
    return _open(device) if device else None


def confirm_totp(user: User, typed: str, now: datetime) -> bool:
    """Whether the digits were right; from then on they are asked for."""
    with transaction.atomic():
        device = TotpDevice.objects.select_for_update().filter(user=user, confirmed_at=None).first()
        step = _step(device, typed, now) if device else None
        if device is None or step is None:
            return False
        device.confirmed_at, device.last_step = now, step
        device.save(update_fields=["confirmed_at", "last_step"])
    return True


def check_totp(user: User, typed: str, now: datetime) -> bool:
    """Whether the digits are right and were not used before; they are used up then."""
    device = TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).first()
    step = _step(device, typed, now) if device else None
    if device is None or step is None:
        return False
    # Compare and set: of two who type the same digits at once, one gets in.
    rows = TotpDevice.objects.filter(pk=device.pk, last_step__lt=step)
    return rows.update(last_step=step) == 1


def new_recovery_codes(user: User) -> list[str]:
    """Ten codes, to be shown once; the earlier ones open nothing any more."""
    codes = ["-".join((_word(), _word())) for _ in range(RECOVERY_CODES)]
    key = _keys(b"recovery codes")[0]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, digest=_digest(key, user, code)) for code in codes
        )
    return codes


def use_recovery_code(user: User, typed: str, now: datetime) -> bool:
    digests = [_digest(key, user, typed) for key in _keys(b"recovery codes")]
    rows = RecoveryCode.objects.filter(user=user, digest__in=digests, used_at=None)
    return rows.update(used_at=now) == 1


def forget_factors(user: User) -> None:
    """All of them, for whoever lost them."""
    with transaction.atomic():
        for model in (TotpDevice, Passkey, RecoveryCode):
            model.objects.filter(user=user).delete()


def _step(device: TotpDevice, typed: str, now: datetime) -> int | None:
    return totp.matching_step(_open(device), typed, now.timestamp(), device.last_step)


def _word() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_HALF))


def _digest(key: bytes, user: User, code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hmac.digest(key, f"{user.pk} {plain}".encode(), hashlib.sha256).hex()


def _seal(user: User, secret: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_keys(b"authenticator app")[0]).encrypt(nonce, secret, _bound_to(user.pk))


def _open(device: TotpDevice) -> bytes:
    sealed = bytes(device.sealed)
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    for key in _keys(b"authenticator app"):
        try:
            return AESGCM(key).decrypt(nonce, rest, _bound_to(device.user_id))
        except InvalidTag:
            continue
    raise BadSecret(f"No enabled version of '{SIGN_IN_KEY}' opens what it sealed.")


def _bound_to(user_id: int) -> bytes:
    """A sealed secret that is copied into another user's row opens nothing."""
    return f"totp of user {user_id}".encode()


def _keys(purpose: bytes) -> list[bytes]:
    """Of every enabled version, newest first."""
    return [_derived(secret.value, purpose) for secret in reversed(versions_of(SIGN_IN_KEY))]


def _derived(value: str, purpose: bytes) -> bytes:
    try:
        master = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as err:
        raise BadSecret(f"The secret '{SIGN_IN_KEY}' is not base64.") from err
    if len(master) != 32:
        raise BadSecret(f"The secret '{SIGN_IN_KEY}' must hold 32 bytes in base64.")
    return HKDF(SHA256(), 32, None, purpose).derive(master)
