"""The control API under /_control/: state, data, faults, and what was received (README.md)."""

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator import feeds, moments, oidc
from simulator.answers import Answered, answer, json_body
from simulator.control_data import data_routes
from simulator.directory import Directory
from simulator.freshservice import account, conversations, tickets
from simulator.world import APP_SECRET, World

Handler = Callable[[Request, World, Any], Coroutine[Any, Any, Any]]


def route(path: str, handler: Handler, *methods: str) -> BaseRoute:
    """A route whose handler gets the world and the parsed body, and returns plain data."""

    async def endpoint(request: Request) -> Response:
        world: World = request.app.state.world
        try:
            body = await json_body(request)
            found = await handler(request, world, body)
        except KeyError as err:
            return answer({"error": f"not found: {err.args[0]}"}, 404)
        except (ValueError, TypeError) as err:
            return answer({"error": str(err)}, 400)
        return answer(found)

    return Route(f"/_control/{path}", endpoint, methods=list(methods) or ["GET"])


def directory_of(request: Request, world: World) -> Directory:
    return world.find_directory(request.path_params["directory"])


async def _health(_request: Request, world: World, _body: Any) -> Any:
    return {
        "ready": True,
        "directories": len(world.directories),
        "time": moments.stamp(moments.now()),
    }


async def _state(_request: Request, world: World, _body: Any) -> Any:
    return {
        "origin": world.origin,
        "provider": {"directory": world.provider, "client_id": world.client_id},
        "settings": world.settings,
        "directories": [
            {
                **directory.config,
                "alerts": len(directory.alerts),
                "incidents": len(directory.incidents),
            }
            for directory in world.directories.values()
        ],
    }


async def _settings(request: Request, world: World, body: Any) -> Any:
    if request.method == "PATCH":
        world.change_settings(body)
    return world.settings


async def _faults(request: Request, world: World, body: Any) -> Any:
    if request.method == "POST":
        order = dict(body)
        if order.get("directory"):
            order["directory"] = world.find_directory(order["directory"]).guid
        return {"id": world.faults.add(order).id}
    if request.method == "DELETE":
        number = request.query_params.get("id")
        world.faults.clear(int(number) if number else None)
    return {"faults": world.faults.listed()}


async def _requests(request: Request, world: World, _body: Any) -> Any:
    """Filters: service, family, directory, method, path (part of the target)."""
    if request.method == "DELETE":
        world.traffic.clear()
    asked = dict(request.query_params)
    part = asked.pop("path", "")
    if asked.get("directory"):
        asked["directory"] = world.find_directory(asked["directory"]).guid
    rows = [
        row
        for row in world.traffic.requests
        if part in row["target"] and all(str(row[key]) == value for key, value in asked.items())
    ]
    return {"requests": rows}


async def _counts(_request: Request, world: World, _body: Any) -> Any:
    slugs = {directory.guid: directory.slug for directory in world.directories.values()}
    rows = world.traffic.counts()
    return {"counts": [{**row, "slug": slugs.get(row["directory"], "")} for row in rows]}


async def _truth(request: Request, world: World, _body: Any) -> Any:
    return request.app.state.engine.truth()


async def _directory(request: Request, world: World, body: Any) -> Any:
    """PATCH: roles (list, or null = consent removed), licences, azure_reader, entra_error."""
    directory = directory_of(request, world)
    if request.method == "PATCH":
        changes = dict(body)
        if "roles" in changes:
            roles = changes.pop("roles")
            directory.config["consents"].pop(world.client_id, None)
            if roles is not None:
                directory.config["consents"][world.client_id] = list(roles)
        directory.config["licences"].update(changes.pop("licences", {}))
        unknown = set(changes) - {"azure_reader", "entra_error", "consents", "name", "consent"}
        if unknown:
            raise ValueError(f"unknown field: {', '.join(sorted(unknown))}")
        directory.config.update(changes)
        directory.save()
    return directory.config


async def _vault(request: Request, world: World, body: Any) -> Any:
    """PUT {value, enabled?, nbf?, exp?} makes a version; PATCH changes the newest; DELETE."""
    name = request.path_params["name"]
    if request.method == "PUT":
        return {"version": world.set_secret(name, **body)}
    secret = world.vault[name]
    if request.method == "PATCH":
        secret["versions"][-1].update(body)
        world.vault.put(name, secret)
    if request.method == "DELETE":
        world.vault.drop(name)
    return {"name": name, "versions": secret["versions"]}


async def _secret_names(_request: Request, world: World, _body: Any) -> Any:
    return {"names": sorted(world.vault)}


async def _application(request: Request, world: World, body: Any) -> Any:
    """POST {rotate: true, keep_old?, expire_old?} or {client_id?, enabled?, secrets? ...}."""
    order = dict(body or {})
    client_id = str(order.pop("client_id", world.client_id)).lower()
    if order.pop("rotate", False):
        options = {"keep_old": False, "expire_old": False, **order}
        world.rotate_app_secret(client_id, APP_SECRET, **options)
        return {"client_id": client_id}
    empty = {
        "client_id": client_id,
        "name": client_id,
        "enabled": True,
        "secrets": [],
        "certificates": [],
    }
    world.apps.put(client_id, {**world.apps.get(client_id, empty), **order})
    return {"client_id": client_id}


async def _token(_request: Request, world: World, body: Any) -> Any:
    """A token outside of any flow: {audience, directory, roles?, client_id?, lifetime_s?}."""
    more = {"roles": body["roles"]} if body.get("roles") is not None else {}
    guid = world.find_directory(body["directory"]).guid
    client_id = body.get("client_id", world.client_id)
    lifetime = int(body.get("lifetime_s", 3599))
    return {"access_token": world.signer.issue(body["audience"], guid, client_id, lifetime, **more)}


async def _staff(_request: Request, world: World, body: Any) -> Any:
    """Who signs in to the portal; POST adds or changes one by `oid` or `username`."""
    if body is not None:
        known = {one["username"]: one for one in world.staff.values()}
        before = world.staff.get(str(body.get("oid")), known.get(body.get("username"), {}))
        person = oidc.new_person({**{k: v for k, v in before.items() if k != "since"}, **body})
        world.staff.put(person["oid"], person)
        return person
    return {"staff": list(world.staff.values())}


async def _id_tokens(request: Request, _world: World, body: Any) -> Any:
    """POST {spoil}: the next ID token is wrong in that way (oidc.SPOILS); DELETE: no more are."""
    signs: oidc.SignIns = request.app.state.sign_ins
    if request.method == "DELETE":
        signs.spoils.clear()
    elif body["spoil"] not in oidc.SPOILS:
        raise ValueError(f"spoil must be one of {', '.join(oidc.SPOILS)}")
    else:
        signs.spoils.append(body["spoil"])
    return {"spoils": signs.spoils}


async def _tickets(request: Request, world: World, _body: Any) -> Any:
    desk = account.desk(world, request.path_params["account"])
    talks = list(desk.conversations.values())
    rows = [
        {
            **tickets.shown(row),
            "conversations": [one for one in talks if one["ticket_id"] == row["id"]],
        }
        for row in desk.tickets.values()
    ]
    return {"tickets": rows}


async def _ticket(request: Request, world: World, body: Any) -> Any:
    """PUT: changes as an agent makes them; DELETE: gone for good."""
    desk = account.desk(world, request.path_params["account"])
    key = str(request.path_params["id"])
    row = desk.tickets[key]
    if request.method == "DELETE":
        desk.tickets.drop(key)
        return {}
    return tickets.shown(tickets.save(desk, {**row, **body}))


async def _notes(request: Request, world: World, body: Any) -> Any:
    """POST {body}: a private note as an agent writes it."""
    desk = account.desk(world, request.path_params["account"])
    return conversations.add(desk, desk.tickets[str(request.path_params["id"])], str(body["body"]))


async def _webhook(request: Request, world: World, body: Any) -> Any:
    """PUT {url, headers}: the automator calls it when a ticket was changed; DELETE: no more."""
    desk = account.desk(world, request.path_params["account"])
    desk.webhook = dict(body) if request.method == "PUT" else None
    return {}


async def _notifications(request: Request, world: World, body: Any) -> Any:
    """What was delivered; POST {directory, subscription, event} sends a lifecycle notification."""
    delivery = request.app.state.delivery
    if request.method == "POST":
        directory = world.find_directory(body["directory"])
        subscription = directory.subscriptions[body["subscription"]]
        if body["event"] == "subscriptionRemoved":
            directory.subscriptions.drop(body["subscription"])
        delivery.lifecycle(directory, subscription, body["event"])
    return {"sent": delivery.sent}


async def _error(_request: Request, _world: World, _body: Any) -> Any:
    raise Answered(answer({"error": "no such control call"}, 404))


def routes() -> list[BaseRoute]:
    return [
        route("health", _health),
        route("state", _state),
        route("settings", _settings, "GET", "PATCH"),
        route("faults", _faults, "GET", "POST", "DELETE"),
        route("requests", _requests, "GET", "DELETE"),
        route("counts", _counts),
        route("truth", _truth),
        route("vault", _secret_names),
        route("vault/{name}", _vault, "GET", "PUT", "PATCH", "DELETE"),
        route("application", _application, "POST"),
        route("token", _token, "POST"),
        route("staff", _staff, "GET", "POST"),
        route("id-tokens", _id_tokens, "POST", "DELETE"),
        route("tickets/{account}", _tickets),
        route("tickets/{account}/{id:int}", _ticket, "PUT", "DELETE"),
        route("tickets/{account}/{id:int}/notes", _notes, "POST"),
        route("tickets/{account}/webhook", _webhook, "PUT", "DELETE"),
        route("feeds/{name}", feeds.control, "PUT", "DELETE"),
        route("notifications", _notifications, "GET", "POST"),
        *(route(*row) for row in data_routes()),
        route("directories/{directory}", _directory, "GET", "PATCH"),
        route("{rest:path}", _error, "GET", "POST", "PUT", "PATCH", "DELETE"),
    ]
