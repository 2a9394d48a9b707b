"""Entra ID: discovery, and tokens by client credentials. Errors as in the fact sheet, 1.1."""

import base64
import binascii
import hashlib
import re
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from starlette.requests import Request
from starlette.responses import Response

from simulator import moments, oidc
from simulator.answers import Answered, answer
from simulator.store import Document
from simulator.tokens import ARM, AUDIENCES, DEFENDER, GRAPH
from simulator.world import World

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+$", re.IGNORECASE)
DEFENDER_ROLE = "Vulnerability.Read.All"
SHARED = {"common", "organizations", "consumers"}


def problem(status: int, error: str, code: int, text: str, world: World) -> Answered:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    date = f"{moments.now():%Y-%m-%d %H:%M:%SZ}"
    body = {
        "error": error,
        "error_description": f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation}"
        f" Timestamp: {date}",
        "error_codes": [code],
        "timestamp": date,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{world.origin}/error?code={code}",
    }
    headers = {"Cache-Control": "no-store", "x-ms-request-id": trace}
    return Answered(answer(body, status, headers))


def tenant_guid(world: World, tenant: str) -> str:
    """The GUID of a directory by GUID or verified domain, or the error Entra has for it."""
    if tenant in SHARED:
        return tenant
    if tenant.lower() == world.provider:
        return world.provider
    try:
        directory = world.find_directory(tenant)
    except KeyError:
        directory = None
    if directory is not None and tenant != directory.slug:
        return directory.guid
    if not _GUID.match(tenant) and not _DOMAIN.match(tenant):
        text = (
            f"Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid "
            "external domain."
        )
        raise problem(400, "invalid_request", 900023, text, world)
    text = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
        "signing"
        " into the correct cloud. Check with your subscription administrator, this may happen "
        "if there"
        " are no active subscriptions for the tenant."
    )
    raise problem(400, "invalid_request", 90002, text, world)


async def openid_configuration(request: Request) -> Response:
    world: World = request.app.state.world
    guid = tenant_guid(world, request.path_params["tenant"])
    base = f"{world.origin}/{guid}"
    issuer = f"{world.origin}/{{tenantid}}/v2.0" if guid in SHARED else f"{base}/v2.0"
    return answer(
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issuer,
            "request_uri_parameter_supported": False,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "http_logout_supported": True,
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }
    )


async def keys(request: Request) -> Response:
    world: World = request.app.state.world
    return answer(world.signer.key_set(f"{world.origin}/{{tenantid}}/v2.0"))


async def instance_discovery(request: Request) -> Response:
    world: World = request.app.state.world
    host = world.origin.removeprefix("https://")
    endpoint = f"{world.origin}/common/.well-known/openid-configuration"
    entry = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    return answer(
        {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [entry]}
    )


async def token(request: Request) -> Response:
    """POST /{tenant}/oauth2/v2.0/token"""
    world: World = request.app.state.world
    form = {key: values[-1] for key, values in parse_qs((await request.body()).decode()).items()}
    _basic_credentials(request, form)
    if "grant_type" not in form:
        text = "The request body must contain the following parameter: 'grant_type'."
        raise problem(400, "invalid_request", 900144, text, world)
    guid = tenant_guid(world, request.path_params["tenant"])
    if form["grant_type"] == "authorization_code":
        return _for_code(request, world, form)
    if form["grant_type"] != "client_credentials":
        text = f"The app requested an unsupported grant type '{form['grant_type']}'."
        raise problem(400, "unsupported_grant_type", 70003, text, world)
    if guid in SHARED:
        text = (
            "No tenant-identifying information found in either the request or implied by "
            "credentials."
        )
        raise problem(400, "invalid_request", 50059, text, world)
    audience = _audience(world, guid, form.get("scope", ""))
    client_id = form.get("client_id", "").lower()
    app = _consented_app(world, guid, client_id)
    _check_credential(world, app, form, guid)
    if audience in world.apps:
        return _granted_own(world, app, world.apps[audience], bool(form.get("client_assertion")))
    return _granted(world, guid, client_id, audience)


def _for_code(request: Request, world: World, form: dict[str, str]) -> Response:
    """Tokens for a person's code, if the app proves itself and the code is its own."""
    client_id = form.get("client_id", "").lower()
    app = _consented_app(world, world.provider, client_id)
    _check_credential(world, app, form, world.provider)
    signs: oidc.SignIns = request.app.state.sign_ins
    refusal = oidc.refusal(signs, form)
    if refusal is not None:
        error, code, text = refusal
        raise problem(400, error, code, text, world)
    return oidc.redeemed(world, signs, form)


def _basic_credentials(request: Request, form: dict[str, str]) -> None:
    kind, _, blob = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return
    try:
        user, _, password = base64.b64decode(blob).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return
    form.setdefault("client_id", unquote_plus(user))
    form.setdefault("client_secret", unquote_plus(password))


def _audience(world: World, guid: str, scope: str) -> str:
    resource, found, rest = scope.strip().partition("/.default")
    if not found or rest or " " in resource:
        text = (
            "The provided value for the input parameter 'scope' is not valid. Client credential "
            "flows must"
            " have a scope value with /.default suffixed to the resource identifier "
            "(application ID URI)."
        )
        raise problem(400, "invalid_scope", 70011, text, world)
    resource = resource.rstrip("/")
    if resource == world.origin:
        return resource
    own = resource.removeprefix("api://").lower()
    if guid == world.provider and "app_roles" in world.apps.get(own, {}):
        return own
    if resource not in AUDIENCES:
        text = (
            f"The resource principal named {resource} was not found in the tenant. This can "
            "happen if the"
            " application has not been installed by the administrator of the tenant."
        )
        raise problem(400, "invalid_resource", 500011, text, world)
    return AUDIENCES[resource]


def _consented_app(world: World, guid: str, client_id: str) -> Document:
    app = world.apps.get(client_id)
    consented = guid == world.provider
    if guid in world.directories:
        directory = world.directories[guid]
        # What was consented to a moment ago is not known everywhere at once.
        is_known = directory.config.get("known_from", 0) <= time.time()
        consented = directory.roles_of(client_id) is not None and is_known
        override = directory.config.get("entra_error")
        if override:
            text = override.get("text", "The sign-in was refused.")
            raise problem(
                override.get("status", 400), override["error"], override["code"], text, world
            )
    if app is None or not consented:
        text = (
            f"Application with identifier '{client_id}' was not found in the directory '{guid}'. "
            "This can"
            " happen if the application has not been installed by the administrator of the "
            "tenant or"
            " consented to by any user in the tenant. You may have sent your authentication "
            "request to"
            " the wrong tenant."
        )
        raise problem(400, "unauthorized_client", 700016, text, world)
    if not app["enabled"]:
        text = f"Application '{client_id}'({app['name']}) is disabled."
        raise problem(400, "unauthorized_client", 7000112, text, world)
    return app


def _check_credential(world: World, app: Document, form: dict[str, str], guid: str) -> None:
    client_id = app["client_id"]
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != ASSERTION:
            text = "The request body must contain the parameter: 'client_assertion_type'."
            raise problem(400, "invalid_request", 900144, text, world)
        _check_assertion(world, app, form["client_assertion"], guid)
        return
    if not form.get("client_secret"):
        text = (
            "The request body must contain the following parameter: 'client_assertion' or "
            "'client_secret'."
        )
        raise problem(401, "invalid_client", 7000218, text, world)
    for secret in app["secrets"]:
        if secret["value"] != form["client_secret"]:
            continue
        if secret["expires"] is not None and secret["expires"] <= time.time():
            text = (
                f"The provided client secret keys for app '{client_id}' are expired. Visit the "
                "Azure portal"
                " to create new keys for your app: https://aka.ms/NewClientSecret, or consider "
                "using"
                " certificate credentials for added security: https://aka.ms/certCreds."
            )
            raise problem(401, "invalid_client", 7000222, text, world)
        return
    text = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the "
        "client secret"
        f" value, not the client secret ID, for a secret added to app '{client_id}'."
    )
    raise problem(401, "invalid_client", 7000215, text, world)


def _check_assertion(world: World, app: Document, assertion: str, guid: str) -> None:
    client_id = app["client_id"]
    try:
        head = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise problem(
            401, "invalid_client", 50027, "JWT token is invalid or malformed.", world
        ) from None
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        text = (
            "Client assertion application identifier doesn't match 'client_id' parameter "
            f"'{client_id}'."
        )
        raise problem(400, "invalid_client", 700021, text, world)
    certificate = _certificate(app, head)
    if certificate is None or certificate.not_valid_after_utc < moments.now():
        text = (
            "The certificate with identifier used to sign the client assertion is not "
            "registered on application."
        )
        raise problem(401, "invalid_client", 700027, text, world)
    try:
        jwt.decode(
            assertion,
            certificate.public_key(),  # type: ignore[arg-type]
            ["RS256", "PS256"],
            options={
                "verify_aud": False,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidTokenError:
        text = (
            "Client assertion contains an invalid signature. The key was not found or does not "
            "match."
        )
        raise problem(401, "invalid_client", 700027, text, world) from None
    base = f"{world.origin}/{guid}"
    if claims.get("aud") not in {
        f"{base}/oauth2/v2.0/token",
        f"{base}/v2.0",
        f"{base}/oauth2/token",
    }:
        text = "Client assertion audience claim does not match Realm issuer."
        raise problem(400, "invalid_client", 700023, text, world)
    now = time.time()
    if not claims.get("nbf", 0) - 300 <= now <= claims.get("exp", 0) + 300:
        text = "Client assertion is not within its valid time range."
        raise problem(401, "invalid_client", 700024, text, world)


def _certificate(app: Document, head: dict[str, str]) -> x509.Certificate | None:
    """The registered certificate that the assertion's header names."""
    for pem in app["certificates"]:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        der = certificate.public_bytes(serialization.Encoding.DER)
        names = {
            ("x5t#S256", _b64(hashlib.sha256(der).digest())),
            ("x5t", _b64(hashlib.sha1(der, usedforsecurity=False).digest())),
        }
        if any(head.get(key, "").rstrip("=") == value for key, value in names):
            return certificate
    return None


def _granted(world: World, guid: str, client_id: str, audience: str) -> Response:
    lifetime = int(world.settings["token_lifetime_s"])
    more: dict[str, Any] = {}
    if audience in {GRAPH, world.origin} and guid in world.directories:
        # A directory that consented to nothing still gets a token: without the claim.
        roles = world.directories[guid].roles_of(client_id)
        more = {"roles": roles} if roles else {}
    if audience == DEFENDER and guid in world.directories:
        directory = world.directories[guid]
        if not directory.config["licences"].get("defender", True):
            text = f"The resource principal named {DEFENDER} was not found in the tenant."
            raise problem(400, "invalid_resource", 500011, text, world)
        roles = [one for one in directory.roles_of(client_id) or () if one == DEFENDER_ROLE]
        more = {"roles": roles} if roles else {}
    if audience == ARM:
        more = {"xms_tcdt": str(int(time.time()))}
    issued = world.signer.issue(audience, guid, client_id, lifetime, **more)
    body = {
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": issued,
    }
    return answer(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _granted_own(world: World, app: Document, api: Document, by_certificate: bool) -> Response:
    """A token to an app of the provider's directory, with the app roles assigned to the caller.

    Version 1 with the App ID URI, as an API gets it that never asked for another, or version 2.
    """
    lifetime = int(world.settings["token_lifetime_s"])
    audience, client_id = api["client_id"], app["client_id"]
    roles = [one for one in app.get("assigned", {}).get(audience, []) if one in api["app_roles"]]
    more: dict[str, Any] = {"roles": roles} if roles else {}
    if api.get("token_version") == 2:
        issuer = f"{world.origin}/{world.provider}/v2.0"
        issued = world.signer.issue_own(
            issuer, audience, world.provider, client_id, lifetime,
            by_certificate=by_certificate, **more,
        )  # fmt: skip
    else:
        more["appidacr"] = "2" if by_certificate else "1"
        issued = world.signer.issue(
            f"api://{audience}", world.provider, client_id, lifetime, **more
        )
    body = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime,
            "access_token": issued}  # fmt: skip
    return answer(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
