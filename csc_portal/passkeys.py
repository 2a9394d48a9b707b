"""Passkeys (WebAuthn): what the browser is asked, and whether its answer is genuine.

The person is always verified by the device (a PIN, a finger): a passkey is two factors in one.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tenants.models import Passkey, User

MOST_PASSKEYS = 10
_CHALLENGE_BYTES = 32
_MOST_ANSWER = 20_000
_NO_PROOF = (WebAuthnException, ValueError, LookupError, TypeError, AttributeError)
"""What `webauthn` raises: it does not look at the shape of all that an answer may hold."""


class BadPasskey(Exception):
    """The answer proves nothing; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a passkey is bound to."""

    host: str
    origin: str


def place_of(request: HttpRequest) -> Place:
    """PORTAL_URL where it is served over TLS, else the (checked) host of the request."""
    base = settings.PORTAL_URL
    if not base.startswith("https://"):
        base = f"{request.scheme}://{request.get_host()}"
    parts = urlsplit(base)
    return Place(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


def new_challenge() -> bytes:
    return secrets.token_bytes(_CHALLENGE_BYTES)


def options_to_add(user: User, place: Place, challenge: bytes) -> dict[str, Any]:
    options = generate_registration_options(
        rp_id=place.host,
        rp_name="CSC Portal",
        user_id=f"csc-{user.pk}".encode(),
        user_name=user.get_username(),
        user_display_name=user.get_full_name() or user.get_username(),
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(user),
    )
    return _plain(options)


def options_to_ask(user: User | None, place: Place, challenge: bytes) -> dict[str, Any]:
    """Without a user the device offers what it has for this place."""
    options = generate_authentication_options(
        rp_id=place.host,
        challenge=challenge,
        allow_credentials=_descriptors(user) if user else None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(options)


def add(user: User, place: Place, answer: str, challenge: bytes, name: str) -> Passkey:
    """Keep the public key that the browser made. Raises BadPasskey."""
    if Passkey.objects.filter(user=user).count() >= MOST_PASSKEYS:
        raise BadPasskey(f"You have {MOST_PASSKEYS} passkeys. Remove one first.")
    try:
        found = verify_registration_response(
            credential=_parsed(answer),
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except _NO_PROOF as err:
        raise BadPasskey("The passkey was not accepted. Try again.") from err
    try:
        with transaction.atomic():
            return Passkey.objects.create(
                user=user,
                name=name[:60] or "Passkey",
                credential_id=found.credential_id,
                public_key=found.credential_public_key,
                sign_count=found.sign_count,
            )
    except IntegrityError as err:
        raise BadPasskey("This passkey is known already.") from err


def check(place: Place, answer: str, challenge: bytes, user: User | None = None) -> Passkey:
    """The passkey that answered, of this user if one is named. Raises BadPasskey."""
    try:
        credential = _parsed(answer)
        key = Passkey.objects.select_related("user").get(
            credential_id=base64url_to_bytes(str(credential.get("rawId")))
        )
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=bytes(key.public_key),
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except (*_NO_PROOF, Passkey.DoesNotExist) as err:
        raise BadPasskey("The passkey was not accepted. Try again, or sign in otherwise.") from err
    if user is not None and key.user_id != user.pk:
        raise BadPasskey("This passkey belongs to another account.")
    # Compare and set: of two answers with the same counter one is a copy.
    rows = Passkey.objects.filter(pk=key.pk, sign_count=key.sign_count)
    if not rows.update(sign_count=found.new_sign_count, used_at=timezone.now()):
        raise BadPasskey("The passkey was used elsewhere at the same time. Try again.")
    return key


def _descriptors(user: User) -> list[PublicKeyCredentialDescriptor]:
    keys = Passkey.objects.filter(user=user).values_list("credential_id", flat=True)
    return [PublicKeyCredentialDescriptor(id=bytes(key)) for key in keys]


def _parsed(answer: str) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object."""
    if len(answer) > _MOST_ANSWER:
        raise ValueError("too long")
    found = orjson.loads(answer)  # refuses endless depth, which json breaks at
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _plain(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found
