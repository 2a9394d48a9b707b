"""Entra ID as people sign in there: /authorize with its page, codes, ID tokens, signing out.

The people are those of the provider's own directory (`World.staff`). Fact sheet, 1.3.
"""

import base64
import hashlib
import html
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from simulator import moments
from simulator.answers import answer
from simulator.graph import gate
from simulator.store import Document
from simulator.tokens import GRAPH
from simulator.world import STAFF_PASSWORD, World

MOST_GROUPS = 200  # more than these are not put into a token
CODE_LIFE_S = 600
COOKIE = "ESTSAUTH"
SPOILS = (
    "nonce", "expired", "directory", "audience", "issuer", "signature", "algorithm", "oid",
)  # fmt: skip

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="icon" href="data:,">
<style>body{{font:16px/1.5 sans-serif;background:#eef1f6;color:#222;display:grid;place-items:center;
min-height:95vh}}main{{background:#fff;padding:2rem;width:min(25rem,90vw);box-sizing:border-box}}
label{{display:block;margin:.8rem 0 .2rem}}input{{width:100%;padding:.5rem;box-sizing:border-box;
font:inherit}}button{{margin-top:1rem;padding:.5rem 2rem;font:inherit;background:#0b5cad;color:#fff;
border:0}}small{{color:#555}}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Code:
    """What an authorization code stands for."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    person: str
    auth_time: int
    expires: float


class SignIns:
    """Codes, browser sessions and ordered faults; gone with a restart, as nobody waits for them."""

    def __init__(self) -> None:
        self.codes: dict[str, Code] = {}
        self.used: set[str] = set()
        self.browsers: dict[str, tuple[str, int]] = {}
        self.spoils: list[str] = []


def page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(PAGE.format(title=html.escape(title), body=body), status)


def refused(code: int, text: str) -> Response:
    """Entra's own error page: the redirect address can't be trusted, so nobody is sent back."""
    return page("Sign in", f"<p>Sorry, but we're having trouble signing you in.</p>"
                           f"<p>AADSTS{code}: {html.escape(text)}</p>", 400)  # fmt: skip


async def authorize(request: Request) -> Response:
    """GET shows the page or goes back with a code; POST is the filled page."""
    world: World = request.app.state.world
    asked = dict(request.query_params)
    problem = _problem(world, request.path_params["tenant"], asked)
    if problem is not None:
        return problem
    if request.method == "POST":
        return await _filled(request, world, asked)
    if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
        text = "AADSTS900144: The request must contain response_type code and the scope openid."
        return _back(asked, error="invalid_request", error_description=text)
    signs = request.app.state.sign_ins
    known = signs.browsers.get(request.cookies.get(COOKIE, ""))
    if known and asked.get("prompt") not in {"login", "select_account"} and "max_age" not in asked:
        return _with_code(request, world, asked, *known)
    if asked.get("prompt") == "none":
        text = "AADSTS50058: A silent sign-in request was sent but no user is signed in."
        return _back(asked, error="login_required", error_description=text)
    return _form(request, world, asked.get("login_hint", ""), "")


def _problem(world: World, tenant: str, asked: dict[str, str]) -> Response | None:
    app = world.apps.get(asked.get("client_id", "").lower())
    if tenant.lower() != world.provider:
        return refused(90002, "Tenant not found: people sign in to the provider's directory.")
    if app is None or not app["enabled"]:
        return refused(700016, "Application was not found in the directory.")
    if not _registered(app, asked.get("redirect_uri", "")):
        text = "The redirect URI specified in the request does not match the redirect URIs"
        return refused(50011, f"{text} configured for the application.")
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) < 43:
        return refused(9002325, "Proof Key for Code Exchange is required for this redirect.")
    return None


def _registered(app: Document, address: str) -> bool:
    """Exactly a registered one; loopback may have any port, as Entra allows it."""
    parts = urlsplit(address)
    for known in app.get("redirect_uris", []):
        wanted = urlsplit(known)
        if address == known:
            return True
        loopback = parts.hostname in {"localhost", "127.0.0.1"} and parts.scheme == "http"
        if loopback and parts.hostname == wanted.hostname and parts.path == wanted.path:
            return True
    return False


async def _filled(request: Request, world: World, asked: dict[str, str]) -> Response:
    form = {key: values[-1] for key, values in parse_qs((await request.body()).decode()).items()}
    if "cancel" in form:
        text = "AADSTS65004: User declined to consent to access the app."
        return _back(asked, error="access_denied", error_description=text)
    name = form.get("loginfmt", "").strip().lower()
    person = next((one for one in world.staff.values() if one["username"].lower() == name), None)
    if person is None or form.get("passwd") != person["password"]:
        return _form(request, world, name, "Your account or password is incorrect.")
    if not person["enabled"]:
        return _form(request, world, name, "Your account has been locked. Contact your admin.")
    if not person["assigned"]:
        text = "AADSTS50105: The signed in user is not assigned to a role for the application."
        return _back(asked, error="access_denied", error_description=text)
    response = _with_code(request, world, asked, person["oid"], int(time.time()))
    browser = secrets.token_urlsafe(16)
    request.app.state.sign_ins.browsers[browser] = (person["oid"], int(time.time()))
    response.set_cookie(COOKIE, browser, secure=True, httponly=True, samesite="none")
    return response


def _form(request: Request, world: World, typed: str, error: str) -> Response:
    action = html.escape(f"{request.url.path}?{request.url.query}", quote=True)
    accounts = "".join(
        f"<li><code>{html.escape(name)}</code> {html.escape(', '.join(roles))}</li>"
        for name, roles in ((one["username"], one["roles"]) for one in world.staff.values())
    )
    body = f"""{f'<p role="alert"><strong>{html.escape(error)}</strong></p>' if error else ""}
<form method="post" action="{action}"><label for="who">Account</label>
<input id="who" name="loginfmt" value="{html.escape(typed, quote=True)}" autocomplete="username">
<label for="word">Password</label><input id="word" name="passwd" type="password">
<button>Sign in</button> <button name="cancel" value="1">Cancel</button></form>
<p><small>This is a stand-in for Microsoft. Everybody's password is
<code>{STAFF_PASSWORD}</code>.</small></p><ul>{accounts}</ul>"""
    return page("Sign in to your account", body)


def _with_code(
    request: Request, world: World, asked: dict[str, str], person: str, auth_time: int
) -> Response:
    code = f"1.{secrets.token_urlsafe(48)}"
    request.app.state.sign_ins.codes[code] = Code(
        asked["client_id"].lower(), asked["redirect_uri"], asked["code_challenge"],
        asked.get("nonce", ""), person, auth_time, time.time() + CODE_LIFE_S,
    )  # fmt: skip
    return _back(asked, code=code, session_state=str(uuid.uuid4()))


def _back(asked: dict[str, str], **more: str) -> Response:
    found = {**more, "state": asked.get("state", "")}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(found)}", 302)


def refusal(signs: SignIns, form: dict[str, str]) -> tuple[str, int, str] | None:
    """(error, code, text) of the token call with a code, None if the code may be redeemed."""
    found = signs.codes.get(form.get("code", ""))
    if form.get("code", "") in signs.used:
        return "invalid_grant", 54005, "OAuth2 Authorization code was already redeemed."
    if found is None:
        return "invalid_grant", 70000, "The provided value for the 'code' parameter is not valid."
    if found.expires < time.time():
        return "invalid_grant", 70008, "The provided authorization code has expired."
    if found.redirect_uri != form.get("redirect_uri"):
        return "invalid_grant", 50011, "The redirect URI does not match the one of the code."
    if found.client_id != form.get("client_id", "").lower():
        return "invalid_grant", 700005, "The authorization code was issued to another application."
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != found.challenge:
        text = "The Code_Verifier does not match the code_challenge supplied."
        return "invalid_grant", 50148, text
    return None


def redeemed(world: World, signs: SignIns, form: dict[str, str]) -> Response:
    """The tokens for a code that `refusal` had nothing against."""
    code = signs.codes.pop(form["code"])
    signs.used.add(form["code"])
    lifetime = int(world.settings["token_lifetime_s"])
    person = world.staff[code.person]
    app = world.apps[code.client_id]
    scope = " ".join(("openid", "profile", "email", f"{GRAPH}/User.Read"))
    access = world.signer.issue(
        GRAPH, world.provider, code.client_id, lifetime,
        scp="openid profile email User.Read", oid=person["oid"], idtyp="user",
    )  # fmt: skip
    body = {
        "token_type": "Bearer", "scope": scope, "expires_in": lifetime, "ext_expires_in": lifetime,
        "access_token": access, "id_token": _id_token(world, signs, person, app, code),
    }  # fmt: skip
    return answer(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _id_token(world: World, signs: SignIns, person: Document, app: Document, code: Code) -> str:
    now = int(time.time())
    pair = f"{code.client_id} {person['oid']}".encode()
    claims: dict[str, Any] = {
        "aud": code.client_id, "iss": f"{world.origin}/{world.provider}/v2.0",
        "iat": now, "nbf": now, "exp": now + 3900,
        "name": person["name"], "nonce": code.nonce, "oid": person["oid"],
        "preferred_username": person["username"],
        "sub": base64.urlsafe_b64encode(hashlib.sha256(pair).digest()).rstrip(b"=").decode(),
        "tid": world.provider, "uti": secrets.token_urlsafe(12), "ver": "2.0",
    }  # fmt: skip
    if "auth_time" in app.get("optional_claims", []):
        claims["auth_time"] = code.auth_time
    if person["roles"]:
        claims["roles"] = person["roles"]
    if len(person["groups"]) > MOST_GROUPS:
        source = f"https://graph.windows.net/{world.provider}/users/{person['oid']}"
        claims["_claim_names"] = {"groups": "src1"}
        claims["_claim_sources"] = {"src1": {"endpoint": f"{source}/getMemberObjects"}}
    elif person["groups"]:
        claims["groups"] = person["groups"]
    return _signed(world, claims, signs.spoils.pop(0) if signs.spoils else "")


def _signed(world: World, claims: dict[str, Any], spoil: str) -> str:
    """The token, or one that a client has to refuse."""
    now = int(time.time())
    other = str(uuid.UUID(int=7, version=4))
    changes: dict[str, dict[str, Any]] = {
        "nonce": {"nonce": secrets.token_urlsafe(16)},
        "expired": {"iat": now - 9000, "nbf": now - 9000, "exp": now - 3600},
        "directory": {"tid": other},
        "audience": {"aud": other},
        "issuer": {"iss": f"{world.origin}/{other}/v2.0"},
        "oid": {"oid": None},
    }
    claims = {**claims, **changes.get(spoil, {})}
    claims = {key: value for key, value in claims.items() if value is not None}
    if spoil == "algorithm":
        return world.signer.unsigned(claims)
    token = world.signer.sign(claims)
    if spoil == "signature":
        head, body, _ = token.split(".")
        return f"{head}.{body}.{base64.urlsafe_b64encode(secrets.token_bytes(256)).decode()[:342]}"
    return token


async def sign_out(request: Request) -> Response:
    """GET /{tenant}/oauth2/v2.0/logout: forget the browser, go back if an address was given."""
    world: World = request.app.state.world
    request.app.state.sign_ins.browsers.pop(request.cookies.get(COOKIE, ""), None)
    target = request.query_params.get("post_logout_redirect_uri", "")
    origin = urlsplit(target)
    hosts = {
        urlsplit(known).hostname
        for app in world.apps.values()
        for known in app.get("redirect_uris", [])
    }
    if target and origin.hostname in hosts:
        return RedirectResponse(target, 302)
    return page("You signed out of your account", "<p>It's a good idea to close all windows.</p>")


async def my_groups(request: Request) -> Response:
    """POST /v1.0/me/checkMemberGroups with the token of a sign-in."""
    claims, body = gate.enter_as_person(request, "User.Read"), await gate.body_of(request)
    asked = body.get("groupIds") or []
    if len(asked) > 20:
        raise gate.bad(request, "Too many items in the request: the limit of groupIds is 20.")
    world: World = request.app.state.world
    wanted = {str(one).lower() for one in asked}
    held = world.staff.get(claims["oid"], {}).get("groups", [])
    return gate.reply(request, {"value": [one for one in held if one.lower() in wanted]})


def new_person(order: Document) -> Document:
    """A member of the provider's staff, from what a control call gave. Raises ValueError."""
    oid = str(uuid.UUID(str(order.get("oid") or uuid.uuid4())))
    known = {
        "username": f"{oid[:8]}@provider.example", "name": "Somebody", "password": STAFF_PASSWORD,
        "roles": [], "groups": [], "enabled": True, "assigned": True,
    }  # fmt: skip
    unknown = set(order) - set(known) - {"oid"}
    if unknown:
        raise ValueError(f"unknown field: {', '.join(sorted(unknown))}")
    return {"since": moments.stamp(moments.now()), **known, **order, "oid": oid}
