"""People's sign-in with Entra ID: OpenID Connect, authorization code with PKCE.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow. One directory, named
by its issuer; everything that comes back is checked in `id_tokens`.
"""

import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from urllib.parse import urlencode

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from clients.errors import BadPayload, Rejected, Unauthorized
from clients.failures import member
from clients.http import Http, Policy
from clients.microsoft import aadsts
from clients.microsoft.credentials import Credential, parse_credential
from clients.microsoft.id_tokens import Expected, Person, key_id_of, person_of
from clients.microsoft.issuer import Issuer

_POLICY = Policy(connect_s=3.0, read_s=10.0, deadline_s=20.0, attempts=2, max_bytes=1_048_576)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MOST_GROUPS_A_CALL = 20


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way. It stays with the browser's session and serves once."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str


def new_flow(redirect_uri: str) -> Flow:
    """Three random values of 256 bits."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Flow(state, nonce, verifier, redirect_uri)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`access_token` reads the person's own groups, nothing else."""

    person: Person
    access_token: str = field(repr=False)


class SignIn:
    """The sign-in of one app in one directory. Safe to share between threads.

    `credential` gives the secret or PEM text, `forget_credential` makes it read the vault again.
    """

    def __init__(
        self,
        issuer: Issuer,
        directory: uuid.UUID,
        client_id: str,
        graph_url: str,
        credential: Callable[[], str],
        forget_credential: Callable[[], None],
        *,
        policy: Policy = _POLICY,
    ) -> None:
        self._issuer = issuer
        self._directory = directory
        self._client_id = client_id
        self._scope = f"openid profile {graph_url}/User.Read"
        self._http = Http(issuer.url, name="Entra ID", policy=policy, read_error=aadsts.read_error)
        self._graph = Http(graph_url, name="Microsoft Graph", policy=policy)
        self._credential = credential
        self._forget_credential = forget_credential

    def address(self, flow: Flow, *, again: bool = False) -> str:
        """Where to send the browser. `again`: the person has to prove anew who they are."""
        digest = hashlib.sha256(flow.verifier.encode()).digest()
        asked = {
            "client_id": self._client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": flow.redirect_uri,
            "scope": self._scope,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": _b64(digest),
            "code_challenge_method": "S256",
        }
        if again:
            asked |= {"prompt": "login", "max_age": "0"}
        return f"{self._issuer.places.authorize}?{urlencode(asked)}"

    def redeem(self, flow: Flow, code: str) -> SignedIn:
        """Who signed in. Raises Rejected (a check failed, the code is used up), Unauthorized (the
        app's credential), Unavailable, RateLimited, BadPayload.
        """
        try:
            body = self._tokens(flow, code)
        except Unauthorized as err:
            # A refused credential has not used the code up.
            if err.code not in aadsts.STALE_CREDENTIAL:
                raise
            self._forget_credential()
            body = self._tokens(flow, code)
        token, access = member(body, "id_token"), member(body, "access_token")
        if not isinstance(token, str) or not isinstance(access, str):
            raise BadPayload("Entra ID: the field id_token or access_token is missing.")
        expected = Expected(self._issuer.url, self._client_id, self._directory, flow.nonce)
        return SignedIn(person_of(token, self._key(key_id_of(token)), expected), access)

    def groups(self, signed_in: SignedIn, asked: Collection[str]) -> frozenset[str]:
        """Which of the groups asked for the person is in, also through other groups.

        Needs the delegated permission User.Read, which every new app registration has.
        https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups
        """
        found: set[str] = set()
        headers = {"Authorization": f"Bearer {signed_in.access_token}"}
        every = sorted(asked)
        for start in range(0, len(every), _MOST_GROUPS_A_CALL):
            some = every[start : start + _MOST_GROUPS_A_CALL]
            body = self._graph.request(
                "POST",
                "/v1.0/me/checkMemberGroups",
                json={"groupIds": some},
                headers=headers,
                retry=True,
            ).body
            value = member(body, "value")
            if not isinstance(value, list):
                raise BadPayload("Microsoft Graph: the field value is missing.")
            told = {one.lower() for one in value if isinstance(one, str)}
            found |= {one for one in some if one.lower() in told}
        return frozenset(found)

    def sign_out_address(self, back: str) -> str:
        """Where the person ends their session with Microsoft."""
        query = urlencode({"post_logout_redirect_uri": back})
        return f"{self._issuer.places.sign_out}?{query}"

    def _tokens(self, flow: Flow, code: str) -> object:
        places = self._issuer.places
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
            "scope": self._scope,
            **self._proof(places.token),
        }
        # A code serves once: this is never repeated.
        return self._http.request("POST", places.token, form=form, retry=False).body

    def _proof(self, audience: str) -> dict[str, str]:
        credential = parse_credential(self._credential())
        if isinstance(credential.for_msal, str):
            return {"client_secret": credential.for_msal}
        assertion = _assertion(credential, self._client_id, audience)
        return {"client_assertion_type": _ASSERTION, "client_assertion": assertion}

    def _key(self, key_id: str) -> jwt.PyJWK:
        found = self._issuer.key(key_id)
        if found is None:
            text = "Microsoft's answer was not accepted: it is signed with an unknown key."
            raise Rejected(text, code="signature")
        return found


def _assertion(credential: Credential, client_id: str, audience: str) -> str:
    """A proof of the certificate's key, for some minutes."""
    pair = credential.for_msal
    if isinstance(pair, str):
        raise TypeError("a secret makes no assertion")
    certificate = x509.load_pem_x509_certificate(pair["public_certificate"].encode())
    thumbprint = _b64(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
    now = int(time.time())
    claims = {
        "aud": audience, "iss": client_id, "sub": client_id, "jti": str(uuid.uuid4()),
        "nbf": now, "iat": now, "exp": now + 300,
    }  # fmt: skip
    return jwt.encode(claims, pair["private_key"], "PS256", {"x5t#S256": thumbprint})


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
