"""Admin consent of a customer's directory to the provider's app: the link, and what comes back.

What comes back is only a hint: anybody can call that address with any words. Consent is proven by
a token. https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
"""

from collections.abc import Mapping
from urllib.parse import urlencode

ACCEPTED = ""

_REFUSALS = {
    "access_denied": "The administrator said no, or may not consent for the whole directory. It "
    "takes a Privileged Role Administrator or a Global Administrator.",
    "permission_denied": "The administrator cancelled. Nothing was changed.",
    "consent_required": "The administrator did not accept. Nothing was changed.",
    "unauthorized_client": "Microsoft does not let this app ask for consent: check that the app "
    "registration is multi-tenant.",
    "invalid_client": "Microsoft does not know this app: check the application id.",
    "invalid_resource": "The directory does not have what the app asks for: check the permissions "
    "of the app registration.",
    "temporarily_unavailable": "Microsoft has a passing fault. Open the link again in a minute.",
    "server_error": "Microsoft has a passing fault. Open the link again in a minute.",
}
_OTHER_REFUSAL = "Microsoft did not record a consent. Open the link again, and read what it says."


def consent_url(
    login_url: str, directory: str, client_id: str, redirect_uri: str, state: str, scope: str
) -> str:
    """Where the administrator of a directory consents to all permissions of the registration."""
    query = urlencode(
        {"client_id": client_id, "scope": scope, "redirect_uri": redirect_uri, "state": state}
    )
    return f"{login_url.rstrip('/')}/{directory}/v2.0/adminconsent?{query}"


def refusal(told: Mapping[str, str]) -> str:
    """Why a redirect is no consent, in our own words; ACCEPTED if it claims one."""
    if error := told.get("error", ""):
        return _REFUSALS.get(error, _OTHER_REFUSAL)
    return ACCEPTED if told.get("admin_consent", "").lower() == "true" else _OTHER_REFUSAL
