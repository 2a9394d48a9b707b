"""What Entra ID's error codes mean for an operator.

Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes. The code is read
from `error_codes`, never from the text, which also holds names.
"""

import re
from dataclasses import dataclass

from clients.errors import ApiError, RateLimited, Rejected, Unauthorized, Unavailable
from clients.failures import Failure, build_error, member


@dataclass(frozen=True, slots=True)
class Meaning:
    """The class of error for a code, and what to do about it."""

    kind: type[ApiError]
    advice: str


MEANINGS: dict[str, Meaning] = {
    "7000215": Meaning(
        Unauthorized,
        "The client secret is wrong: store the secret's value in the vault, not its id.",
    ),
    "7000222": Meaning(
        Unauthorized, "The client secret has expired: make a new one and store it in the vault."
    ),
    "7000112": Meaning(
        Unauthorized, "The app is disabled in its home directory: enable it in Entra ID."
    ),
    "7000218": Meaning(
        Rejected, "No credential was sent: check that the vault's secret is not empty."
    ),
    "700016": Meaning(
        Unauthorized,
        "The app is not consented in this directory: open the consent link as its administrator.",
    ),
    "700027": Meaning(
        Unauthorized,
        "The certificate is not registered for the app or has expired: upload the current one.",
    ),
    "700024": Meaning(
        Unauthorized, "The certificate assertion is out of date: check this machine's clock."
    ),
    "700021": Meaning(Rejected, "The assertion names another app: check the client id."),
    "700023": Meaning(Rejected, "The assertion is for another cloud: check AZURE_CLOUD."),
    "90002": Meaning(
        Rejected, "There is no such directory: check the directory id and AZURE_CLOUD."
    ),
    "900023": Meaning(
        Rejected, "The directory is neither a GUID nor a domain name: check what was typed."
    ),
    "70011": Meaning(Rejected, "The scope is not valid: check AZURE_CLOUD."),
    "500011": Meaning(
        Rejected,
        "This directory does not have the product that the token is for: nothing to read there.",
    ),
    "53003": Meaning(
        Unauthorized,
        "A Conditional Access policy of the directory blocks the app: ask its administrator.",
    ),
    "65001": Meaning(
        Unauthorized, "Consent is missing: open the consent link as the directory's administrator."
    ),
    # Of a person's sign-in.
    "54005": Meaning(Rejected, "This sign-in was used already: sign in again."),
    "70000": Meaning(Rejected, "This sign-in is not valid: sign in again."),
    "70008": Meaning(Rejected, "The sign-in took too long: sign in again."),
    "50148": Meaning(Rejected, "This sign-in was begun elsewhere: sign in again."),
    "50105": Meaning(
        Unauthorized, "You are not assigned to the portal's app: ask your administrator."
    ),
    "90033": Meaning(Unavailable, "Entra ID has a passing fault; it will be tried again."),
    "90025": Meaning(Unavailable, "Entra ID has a passing fault; it will be tried again."),
    "50196": Meaning(
        Unavailable, "Entra ID sees too many equal requests; it will be tried again later."
    ),
}

# For these the vault may hold a newer credential than we do.
STALE_CREDENTIAL = frozenset({"AADSTS7000215", "AADSTS7000222", "AADSTS700027"})


def read_error(failure: Failure) -> ApiError:
    """The error reader for answers of Entra ID."""
    number = _number(failure.body)
    code = f"AADSTS{number}" if number else ""
    if failure.status == 429:
        return build_error(failure, code=code, kind=RateLimited)
    if meaning := MEANINGS.get(number):
        return build_error(failure, code=code, kind=meaning.kind, advice=meaning.advice)
    kind: type[ApiError] | None = None
    error = member(failure.body, "error")
    if error in ("invalid_client", "unauthorized_client"):
        kind = Unauthorized
    elif error in ("temporarily_unavailable", "server_error"):
        kind = Unavailable
    return build_error(failure, code=code or _word(error), kind=kind)


def _number(body: object) -> str:
    codes = member(body, "error_codes")
    if isinstance(codes, list) and codes and re.fullmatch(r"\d{1,10}", str(codes[0])):
        return str(codes[0])
    # Some answers have no list; the code then stands at the very beginning of the description.
    found = re.match(r"AADSTS(\d{1,10})\b", str(member(body, "error_description") or ""))
    return found.group(1) if found else ""


def _word(error: object) -> str:
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error) else ""
