"""Entra ID Protection over Microsoft Graph: risk detections and risky users.

The limit is one call a second for all apps of the directory together, without Retry-After.
"""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from clients.microsoft.batch import BatchRequest, Results
from clients.microsoft.graph import Graph
from clients.microsoft.odata import text_literal

_FAMILY = "identity_protection"
_MOST_DETECTIONS = 100
_MORE_PAGES = 3


def detections_of_user(key: str, user_id: str) -> BatchRequest:
    """The read of a user's risk detections, newest first, for `read_many`.

    Permission IdentityRiskEvent.Read.All; with Entra ID P1 reduced, in full with P2.
    https://learn.microsoft.com/graph/api/riskdetection-list
    """
    query = {"$filter": f"userId eq {text_literal(user_id)}", "$top": str(_MOST_DETECTIONS)}
    path = "/identityProtection/riskDetections"
    return BatchRequest(key, f"{path}?{urlencode(query, quote_via=quote, safe='$')}")


def risky_user(key: str, user_id: str) -> BatchRequest:
    """The read of a user's risk, for `read_many`; NotFound for one who was never at risk.

    Permission IdentityRiskyUser.Read.All and Entra ID P2.
    https://learn.microsoft.com/graph/api/riskyuser-get
    """
    return BatchRequest(key, f"/identityProtection/riskyUsers/{quote(user_id, safe='')}")


def read_many(graph: Graph, requests: Iterable[BatchRequest]) -> Results:
    """The answer or the error of each read. With `@odata.nextLink` it is not all that there is."""
    return graph.batch_of_lists(
        requests, family=_FAMILY, most_rows=_MOST_DETECTIONS, most_pages=_MORE_PAGES
    )
