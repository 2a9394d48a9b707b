"""Graph Secure Score: one document a day, and the control profiles behind it."""

from starlette.requests import Request
from starlette.responses import Response

from simulator import moments
from simulator.graph import gate
from simulator.graph.query import Listing, listed

READ = ("SecurityEvents.Read.All", "SecurityEvents.ReadWrite.All")
_STATES = ("Default", "Ignored", "ThirdParty", "Reviewed")

SCORES = Listing(
    name="security/secureScores",
    type_name="microsoft.graph.secureScore",
    table=lambda directory: directory.scores,
    order="createdDateTime",
    schema={"id": "string", "createdDateTime": "date", "azureTenantId": "string"},
    options=frozenset(("$filter", "$top", "$skip", "$count", "$select", "$orderby")),
)
PROFILES = Listing(
    name="security/secureScoreControlProfiles",
    type_name="microsoft.graph.secureScoreControlProfile",
    table=lambda directory: directory.profiles,
    order="lastModifiedDateTime",
    schema={
        "id": "string", "controlCategory": "string", "service": "string", "title": "string",
        "tier": "string", "deprecated": "bool", "actionType": "string",
    },
    options=frozenset(("$filter", "$top", "$skip", "$count", "$select", "$orderby")),
    page=50,
)  # fmt: skip


async def list_scores(request: Request) -> Response:
    return listed(request, gate.enter(request, *READ), SCORES)


async def list_profiles(request: Request) -> Response:
    return listed(request, gate.enter(request, *READ), PROFILES)


async def profile(request: Request) -> Response:
    """GET one, or PATCH its state."""
    roles = READ if request.method == "GET" else READ[1:]
    directory = gate.enter(request, *roles)
    found = directory.profiles.get(request.path_params["id"])
    if found is None:
        raise gate.not_found(request)
    if request.method == "GET":
        return gate.reply(request, found)
    body = await gate.body_of(request)
    if body.get("vendorInformation") is None:
        raise gate.bad(request, "Property 'vendorInformation' is required.")
    if body.get("state") not in _STATES:
        raise gate.bad(request, f"Property 'state' must be one of {', '.join(_STATES)}.")
    update = {
        "assignedTo": body.get("assignedTo", ""),
        "comment": body.get("comment", ""),
        "state": body["state"],
        "updatedBy": request.scope["state"]["caller"].client_id,
        "updatedDateTime": moments.stamp(moments.now()),
    }
    found = {**found, "controlStateUpdates": [*found["controlStateUpdates"], update]}
    directory.profiles.put(found["id"], found)
    return gate.reply(request, found)
