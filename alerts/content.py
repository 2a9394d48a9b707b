"""What alerts say in full, read from Microsoft when it is needed and forgotten afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.feed import Content
from alerts.normalise import Unreadable, normalise
from clients.errors import ApiError, Forbidden, Rejected, Unauthorized, Unavailable
from clients.microsoft.graph import Graph
from clients.microsoft.security import alerts_by_id


def read_content(graph: Graph, ids: Sequence[str], known: Content) -> Content:
    """Records of these alerts: from `known`, else by `$batch`. Those that are gone are left out.

    Raises ApiError when one can't be read now but perhaps later, never Rejected: what the directory
    refuses today says nothing about the ticket.
    """
    content = {key: known[key] for key in ids if key in known}
    missing = [key for key in ids if key not in content]
    if not missing:
        return content
    try:
        answers = alerts_by_id(graph, missing)
    except Rejected as err:
        raise Unavailable(str(err), code=err.code) from err
    for key, answer in answers.items():
        if isinstance(answer, ApiError):
            if answer.retryable or isinstance(answer, Unauthorized | Forbidden):
                raise answer
            continue
        try:
            content[key] = normalise(answer)
        except Unreadable:
            continue
    return content
