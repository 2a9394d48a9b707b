"""All services under one origin, each at its published path."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from simulator import (
    arm,
    consent,
    control_api,
    defender,
    entra,
    feeds,
    managed_identity,
    oidc,
    resource_graph,
    vault,
)
from simulator.answers import Answered, answer, graph_error
from simulator.freshservice import conversations, tickets
from simulator.graph import (
    alerts,
    audit_logs,
    batch,
    incidents,
    members,
    people,
    scores,
    subscriptions,
)
from simulator.graph.delivery import Delivery
from simulator.middleware import Recorder
from simulator.stories.engine import Engine
from simulator.world import World


def _security_routes(base: str) -> list[BaseRoute]:
    security = f"{base}/security"
    return [
        Route(f"{security}/alerts_v2", alerts.list_alerts, methods=["GET"]),
        Route(f"{security}/alerts_v2/{{id}}", alerts.get_alert, methods=["GET"]),
        Route(f"{security}/alerts_v2/{{id}}", alerts.update_alert, methods=["PATCH"]),
        Route(f"{security}/alerts_v2/{{id}}/comments", alerts.comment_alert, methods=["POST"]),
        Route(f"{security}/alerts", alerts.list_legacy, methods=["GET"]),
        Route(f"{security}/alerts/{{id}}", alerts.get_legacy, methods=["GET"]),
        Route(f"{security}/incidents", incidents.list_incidents, methods=["GET"]),
        Route(f"{security}/incidents/{{id}}", incidents.get_incident, methods=["GET"]),
        Route(f"{security}/incidents/{{id}}", incidents.update_incident, methods=["PATCH"]),
        Route(f"{security}/incidents/{{id}}/alerts", incidents.incident_alerts, methods=["GET"]),
        Route(
            f"{security}/incidents/{{id}}/comments", incidents.comment_incident, methods=["POST"]
        ),
        Route(f"{security}/secureScores", scores.list_scores, methods=["GET"]),
        Route(f"{security}/secureScoreControlProfiles", scores.list_profiles, methods=["GET"]),
        Route(
            f"{security}/secureScoreControlProfiles/{{id}}",
            scores.profile,
            methods=["GET", "PATCH"],
        ),
    ]


def _directory_routes(base: str) -> list[BaseRoute]:
    logs = f"{base}/auditLogs"
    return [
        Route(f"{logs}/signIns", audit_logs.list_sign_ins, methods=["GET"]),
        Route(f"{logs}/signIns/{{id}}", audit_logs.get_sign_in, methods=["GET"]),
        Route(f"{logs}/directoryAudits", audit_logs.list_audits, methods=["GET"]),
        Route(
            f"{base}/reports/authenticationMethods/userRegistrationDetails",
            audit_logs.registration_details,
            methods=["GET"],
        ),
        Route(
            f"{base}/identityProtection/riskDetections",
            audit_logs.list_risk_detections,
            methods=["GET"],
        ),
        Route(
            f"{base}/identityProtection/riskyUsers", audit_logs.list_risky_users, methods=["GET"]
        ),
        Route(
            f"{base}/identityProtection/riskyUsers/{{id}}",
            audit_logs.get_risky_user,
            methods=["GET"],
        ),
        Route(f"{base}/users", people.list_users, methods=["GET"]),
        Route(f"{base}/users/{{id}}", people.get_user, methods=["GET"]),
        Route(f"{base}/users/{{id}}/checkMemberGroups", people.member_groups, methods=["POST"]),
        Route(
            f"{base}/users/{{id}}/transitiveMemberOf", people.transitive_member_of, methods=["GET"]
        ),
        Route(f"{base}/users/{{id}}/memberOf", people.transitive_member_of, methods=["GET"]),
        Route(f"{base}/me/checkMemberGroups", oidc.my_groups, methods=["POST"]),
        Route(f"{base}/groups", people.list_groups, methods=["GET"]),
        Route(f"{base}/groups/{{id}}/members", people.group_members, methods=["GET"]),
        Route(
            f"{base}/groups/{{id}}/transitiveMembers", members.transitive_members, methods=["GET"]
        ),
        Route(f"{base}/directoryRoles", people.directory_roles, methods=["GET"]),
        Route(f"{base}/directoryRoles/{{id}}/members", people.role_members, methods=["GET"]),
        Route(
            f"{base}/roleManagement/directory/roleAssignments",
            people.role_assignments,
            methods=["GET"],
        ),
        Route(f"{base}/organization", people.organization, methods=["GET"]),
        Route(f"{base}/subscriptions", subscriptions.collection, methods=["GET", "POST"]),
        Route(
            f"{base}/subscriptions/{{id}}", subscriptions.single, methods=["GET", "PATCH", "DELETE"]
        ),
        Route(
            f"{base}/subscriptions/{{id}}/reauthorize", subscriptions.reauthorize, methods=["POST"]
        ),
        Route(f"{base}/$batch", batch.batch, methods=["POST"]),
    ]


def _azure_routes() -> list[BaseRoute]:
    return [
        Route("/tenants", arm.tenants, methods=["GET"]),
        Route("/subscriptions", arm.subscriptions, methods=["GET"]),
        Route("/subscriptions/{subscription}", arm.subscription, methods=["GET"]),
        Route("/subscriptions/{subscription}/resources", arm.resources, methods=["GET"]),
        Route("/subscriptions/{subscription}/resourcegroups", arm.resource_groups, methods=["GET"]),
        Route("/subscriptions/{subscription}/resourceGroups", arm.resource_groups, methods=["GET"]),
        Route("/subscriptions/{subscription}/providers/Microsoft.Security/pricings", arm.pricings),
        Route(
            "/subscriptions/{subscription}/providers/Microsoft.Insights/diagnosticSettings",
            arm.diagnostic_settings,
        ),
        Route(
            "/subscriptions/{subscription}/{rest:path}/providers/Microsoft.Resources/tags/default",
            arm.tags,
        ),
        Route(
            "/providers/Microsoft.ResourceGraph/resources",
            resource_graph.resource_graph,
            methods=["POST"],
        ),
        Route("/msi/token", managed_identity.token, methods=["GET"]),
        Route("/msi/token/", managed_identity.token, methods=["GET"]),
        Route("/secrets", vault.list_secrets, methods=["GET"]),
        Route("/secrets/", vault.list_secrets, methods=["GET"]),
        Route("/secrets/{name}", vault.get_secret, methods=["GET"]),
        Route("/secrets/{name}/", vault.get_secret, methods=["GET"]),
        Route("/secrets/{name}/", vault.update_secret, methods=["PATCH"]),
        Route("/secrets/{name}", vault.set_secret, methods=["PUT"]),
        Route("/secrets/{name}", vault.delete_secret, methods=["DELETE"]),
        Route("/secrets/{name}/versions", vault.list_versions, methods=["GET"]),
        Route("/secrets/{name}/{version}", vault.get_secret, methods=["GET"]),
        Route("/secrets/{name}/{version}", vault.update_secret, methods=["PATCH"]),
        Route("/deletedsecrets/{name}", vault.deleted_secret, methods=["GET", "DELETE"]),
        Route("/deletedsecrets/{name}/recover", vault.deleted_secret, methods=["POST"]),
        Route("/common/discovery/instance", entra.instance_discovery, methods=["GET"]),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", entra.openid_configuration),
        Route("/{tenant}/.well-known/openid-configuration", entra.openid_configuration),
        Route("/{tenant}/discovery/v2.0/keys", entra.keys),
        Route("/{tenant}/discovery/keys", entra.keys),
        Route("/{tenant}/oauth2/v2.0/token", entra.token, methods=["POST"]),
        Route("/{tenant}/oauth2/v2.0/authorize", oidc.authorize, methods=["GET", "POST"]),
        Route("/{tenant}/oauth2/v2.0/logout", oidc.sign_out, methods=["GET"]),
        *(
            Route(f"/{{tenant}}/{path}", handler, methods=[method])
            for path in ("adminconsent", "v2.0/adminconsent")
            for method, handler in (("GET", consent.ask), ("POST", consent.answer))
        ),
    ]


def _public_routes() -> list[BaseRoute]:
    path = "/api/vulnerabilities"
    return [
        Route(path, defender.vulnerabilities, methods=["GET"]),
        Route(f"{path}/machinesVulnerabilities", defender.machines_vulnerabilities),
        Route("/feeds/{name}", feeds.feed, methods=["GET"]),
    ]


def _help_desk_routes(base: str) -> list[BaseRoute]:
    api = f"{base}/api/v2"
    return [
        Route(f"{api}/tickets", tickets.collection, methods=["GET", "POST"]),
        Route(f"{api}/tickets/filter", tickets.filtered, methods=["GET"]),
        Route(f"{api}/tickets/{{id:int}}", tickets.single, methods=["GET", "PUT", "DELETE"]),
        Route(f"{api}/tickets/{{id:int}}/restore", tickets.restore, methods=["PUT"]),
        Route(f"{api}/tickets/{{id:int}}/notes", conversations.note, methods=["POST"]),
        Route(f"{api}/tickets/{{id:int}}/reply", conversations.reply, methods=["POST"]),
        Route(
            f"{api}/tickets/{{id:int}}/conversations", conversations.conversations, methods=["GET"]
        ),
        Route(f"{api}/conversations/{{id:int}}", conversations.edit, methods=["PUT", "DELETE"]),
        Route(f"{api}/{{name}}", conversations.helper, methods=["GET"]),
        Route(f"{base}/a/tickets/{{id:int}}", conversations.ticket_page, methods=["GET"]),
    ]


async def _answered(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Answered)  # noqa: S101 - registered for this class only
    return error.response


async def _nothing_here(request: Request, _error: Exception) -> Response:
    """An unknown path or verb, in the words of the service it was meant for."""
    service = (
        request.scope["state"]["caller"].service
        if "caller" in request.scope.get("state", {})
        else ""
    )
    if service == "graph":
        text = f"Resource not found for the segment '{request.url.path.rsplit('/', 1)[-1]}'."
        return graph_error(request, 400, "BadRequest", text).response
    if service == "freshservice":
        return Response(status_code=404)
    return answer(
        {"error": {"code": "NotFound", "message": "There is nothing at this address."}}, 404
    )


def build(world: World) -> ASGIApp:
    """The application; `app.state` of the inner one holds world, engine and delivery."""
    engine = Engine(world)
    delivery = Delivery(world)
    feeds.fill(world)
    for directory in world.directories.values():
        delivery.listen(directory)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.get_running_loop().create_task(engine.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        engine.write_truth()
        world.store.close()

    routes = [
        *control_api.routes(),
        *_security_routes("/v1.0"),
        *_security_routes("/beta"),
        *_directory_routes("/v1.0"),
        *_directory_routes("/beta"),
        *_public_routes(),
        *_help_desk_routes(""),
        *_help_desk_routes("/freshservice/{account}"),
        *_azure_routes(),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={Answered: _answered, 404: _nothing_here, 405: _nothing_here},
    )
    app.state.world = world
    app.state.engine = engine
    app.state.delivery = delivery
    app.state.sign_ins = oidc.SignIns()
    outer = Recorder(app, world)
    app.state.outer = outer
    return outer
