"""Members of Entra groups over Microsoft Graph. Permission GroupMember.Read.All."""

from collections.abc import Iterator
from urllib.parse import quote

from clients.microsoft.graph import Graph

_FAMILY = "directory"
_MAX_PAGES = 200


def member_pages(graph: Graph, group_id: str) -> Iterator[list[object]]:
    """Users, devices, ... in the group or in a group in it, page by page. Raises NotFound.

    https://learn.microsoft.com/graph/api/group-list-transitivemembers
    """
    path = f"/groups/{quote(group_id, safe='')}/transitiveMembers"
    params = {"$select": "id,userPrincipalName,deviceId,appId", "$top": "999"}
    return graph.pages(path, params, family=_FAMILY, max_pages=_MAX_PAGES)
