"""What alerts say in full, read from Microsoft when it is needed and forgotten afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.feed import Content
from alerts.normalise import Unreadable, normalise
from clients.errors import ApiError
from clients.microsoft.graph import Graph
from clients.microsoft.security import alerts_by_id


def read_content(graph: Graph, ids: Sequence[str], known: Content) -> Content:
    """Records of these alerts: from `known`, else by `$batch`. Those that are gone are left out.

    Raises ApiError when one can't be read now but perhaps later.
    """
    content = {key: known[key] for key in ids if key in known}
    missing = [key for key in ids if key not in content]
    if not missing:
        return content
    for key, answer in alerts_by_id(graph, missing).items():
        if isinstance(answer, ApiError):
            if answer.retryable:
                raise answer
            continue
        try:
            content[key] = normalise(answer)
        except Unreadable:
            continue
    return content
