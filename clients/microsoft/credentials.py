"""The app's credential as MSAL wants it: a client secret, or a PEM text of certificate and key."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from clients.errors import Rejected

_KEY = re.compile(
    r"-----BEGIN ((?:RSA )?PRIVATE KEY)-----.+?-----END \1-----",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes to `msal.ConfidentialClientApplication(client_credential=...)`; never printed.

    `expires_at`: the end of a certificate. A client secret does not tell its own.
    """

    for_msal: str | dict[str, str] = field(repr=False)
    expires_at: datetime | None = None


def parse_credential(text: str) -> Credential:
    """A client secret, or a PEM text with one RSA private key and its certificate, in any order.

    MSAL computes the SHA-256 thumbprint from the certificate and signs with PS256. Raises Rejected
    with code "credential"; the message never holds a part of the text.
    """
    text = text.strip()
    if not text:
        raise _unusable("The credential in the vault is empty.")
    if "-----BEGIN" not in text:
        return Credential(text)
    found = _KEY.search(text)
    if found is None:
        raise _unusable("The PEM text in the vault has no unencrypted RSA private key.")
    try:
        key = load_pem_private_key(found.group().encode(), password=None)
        certificates = x509.load_pem_x509_certificates(text.encode())
    except (ValueError, TypeError):
        raise _unusable("The PEM text in the vault cannot be read.") from None
    if not isinstance(key, RSAPrivateKey):
        raise _unusable("The private key in the vault is no RSA key.")
    for certificate in certificates:
        if certificate.public_key() == key.public_key():
            pem = certificate.public_bytes(Encoding.PEM).decode()
            return Credential(
                {"private_key": found.group(), "public_certificate": pem},
                certificate.not_valid_after_utc,
            )
    raise _unusable("The PEM text in the vault has no certificate that belongs to its key.")


def _unusable(message: str) -> Rejected:
    return Rejected(
        f"{message} Store the client secret, or a PEM text with the certificate and its key.",
        code="credential",
    )
