"""Entra's admin consent: the page that a customer's administrator sees, and the way back.

Fact sheet 1.2. A directory's `consent` (control API: configure(consent={…})) says what becomes of
it: `roles` (what is granted; default: all that the app asks for), `lag_s` (so long the directory
does not know the app yet), `error` and `error_description` (what comes back instead).
"""

import time
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from simulator.answers import Answered
from simulator.directory import ALL_ROLES, Directory
from simulator.entra import SHARED, tenant_guid
from simulator.store import Document
from simulator.world import World

_STYLE = (
    "body{font-family:'Segoe UI',sans-serif;background:#f2f2f2;color:#1b1b1b}"
    "main{max-width:27rem;margin:3rem auto;background:#fff;padding:2.75rem;"
    "box-shadow:0 2px 6px #0003}"
    "h1{font-size:1.5rem}button{padding:.5rem 1.5rem;margin-right:.5rem}"
)


async def ask(request: Request) -> Response:
    """GET: what the administrator is asked."""
    app, directory, asked = _checked(request, dict(request.query_params))
    rows = "".join(f"<li>{escape(role)}</li>" for role in _permissions(app))
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in asked.items()
    )
    who = f"admin@{directory.domain}"
    return _page(
        "Permissions requested",
        f"<p>{escape(who)}</p><h1>Permissions requested</h1>"
        f"<p><b>{escape(app['name'])}</b> asks for, in {escape(directory.config['name'])}:</p>"
        f"<ul>{rows}</ul><p>If you accept, this app gets access to the resources for all users in "
        "your organization.</p>"
        f'<form method="post" action="{escape(request.url.path)}">{hidden}'
        '<button name="answer" value="no">Cancel</button>'
        '<button name="answer" value="yes">Accept</button></form>',
    )


async def answer(request: Request) -> Response:
    """POST: the administrator accepts or cancels, and the browser goes back to the app."""
    form = {key: found[-1] for key, found in parse_qs((await request.body()).decode()).items()}
    said = form.pop("answer", "")
    app, directory, asked = _checked(request, form)
    order = directory.config.get("consent") or {}
    if said != "yes":
        return _back(request, asked, {"error": "access_denied",
                                      "error_description": "AADSTS65004: User declined to consent "
                                      "to access the app."})  # fmt: skip
    if order.get("error"):
        text = order.get("error_description", "The administrator canceled.")
        return _back(request, asked, {"error": order["error"], "error_description": text})
    directory.config["consents"][app["client_id"]] = list(order.get("roles", _permissions(app)))
    directory.config["known_from"] = time.time() + float(order.get("lag_s", 0))
    directory.save()
    return _back(request, asked, {"admin_consent": "True", "tenant": directory.guid})


def _checked(request: Request, asked: dict[str, str]) -> tuple[Document, Directory, dict[str, str]]:
    """App, directory and what was asked; Entra's error page for anything else."""
    world: World = request.app.state.world
    named = request.path_params["tenant"]
    if _is_v2(request):
        if named == "common":
            raise _refused(900144, "The endpoint does not support the common tenant.")
        if not asked.get("scope"):
            raise _refused(900144, "The request must contain the following parameter: 'scope'.")
        if asked["scope"].split() != ["https://graph.microsoft.com/.default"]:
            raise _refused(
                70011, "The provided value for the input parameter 'scope' is not valid."
            )
    guid = tenant_guid(world, named)
    if guid in SHARED:
        guid = next(iter(world.directories))  # whoever is signed in decides; here it is the first
    app = world.apps.get(asked.get("client_id", "").lower())
    if app is None:
        raise _refused(700016, "Application was not found in the directory.")
    target = urlsplit(asked.get("redirect_uri", ""))
    known = app.get("redirect_uris")
    is_loopback = target.hostname in {"127.0.0.1", "localhost"}
    if known is None:
        is_known = target.scheme == "https" or (target.scheme == "http" and is_loopback)
    else:
        is_known = asked.get("redirect_uri") in known
    if not is_known:
        raise _refused(50011, "The redirect URI specified in the request does not match.")
    kept = {name: asked[name] for name in ("client_id", "redirect_uri", "state", "scope") if
            name in asked}  # fmt: skip
    return app, world.directories[guid], kept


def _permissions(app: Document) -> list[str]:
    return list(app.get("permissions") or ALL_ROLES)


def _is_v2(request: Request) -> bool:
    return "/v2.0/" in request.url.path


def _back(request: Request, asked: dict[str, str], told: dict[str, str]) -> Response:
    told = {**told, **({"state": asked["state"]} if "state" in asked else {})}
    if _is_v2(request):
        told = {"admin_consent": "True", **told}
        if "error" not in told:
            told["scope"] = asked["scope"]
    joint = "&" if "?" in asked["redirect_uri"] else "?"
    return RedirectResponse(f"{asked['redirect_uri']}{joint}{urlencode(told)}", 302)


def _refused(code: int, text: str) -> Answered:
    return Answered(_page("Sign in", f"<h1>Sorry</h1><p>AADSTS{code}: {escape(text)}</p>", 400))


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>{title}</title><style>{_STYLE}</style>'
        f"<main>{body}</main></html>",
        status,
    )
