"""App Service's managed-identity endpoint (api-version 2019-08-01)."""

import hmac
import time

from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import Answered, answer
from simulator.tokens import AUDIENCES
from simulator.world import World


async def token(request: Request) -> Response:
    """GET /msi/token?resource=…&api-version=2019-08-01 with X-IDENTITY-HEADER."""
    world: World = request.app.state.world
    if not hmac.compare_digest(request.headers.get("x-identity-header", ""), world.identity_header):
        raise _refused(401, "Unauthorized: the X-IDENTITY-HEADER value is missing or wrong.")
    if "api-version" not in request.query_params:
        raise _refused(400, "Missing query parameter: api-version")
    resource = request.query_params.get("resource", "").rstrip("/")
    if resource not in AUDIENCES:
        raise _refused(400, f"The resource principal named {resource} was not found.")
    wanted = request.query_params.get("client_id")
    if wanted and wanted.lower() != world.msi_client_id:
        raise _refused(
            400, "No User Assigned or Delegated Managed Identity found for specified ClientId"
        )
    audience = AUDIENCES[resource]
    lifetime = int(world.settings["token_lifetime_s"])
    issued = world.signer.issue(audience, world.provider, world.msi_client_id, lifetime)
    return answer(
        {
            "access_token": issued,
            "expires_on": str(int(time.time()) + lifetime),
            "resource": request.query_params["resource"],
            "token_type": "Bearer",
            "client_id": world.msi_client_id,
        }
    )


def _refused(status: int, message: str) -> Answered:
    return Answered(answer({"statusCode": status, "message": message}, status))
