"""Sign-ins and directory audits over Microsoft Graph. Permission AuditLog.Read.All.

Records arrive minutes late, sometimes hours: "nothing found" has to be asked again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote, urlencode

from clients.microsoft.batch import BatchRequest, Results
from clients.microsoft.graph import Graph
from clients.microsoft.odata import text_literal, time_literal

_FAMILY = "audit_logs"
_MAX_PAGES = 100
_LARGEST_PAGE = 999
_MORE_PAGES = 5


def directory_audit_pages(
    graph: Graph, *, since: datetime, until: datetime, page_size: int
) -> Iterator[list[object]]:
    """Changes in the directory in [since, until].

    https://learn.microsoft.com/graph/api/directoryaudit-list
    """
    conditions = _between("activityDateTime", since, until)
    params = {"$filter": " and ".join(conditions), "$top": str(page_size)}
    return graph.pages("/auditLogs/directoryAudits", params, family=_FAMILY, max_pages=_MAX_PAGES)


def sign_ins_of_user(
    key: str, *, user_id: str, upn: str, since: datetime, until: datetime
) -> BatchRequest:
    """The read of a user's interactive sign-ins, for `read_many`; by object id, else by name."""
    who = f"userId eq {text_literal(user_id)}"
    if not user_id:
        who = f"userPrincipalName eq {text_literal(upn.lower())}"
    return _read(key, "/auditLogs/signIns", [who, *_between("createdDateTime", since, until)])


def sign_in_by_id(key: str, sign_in_id: str) -> BatchRequest:
    """The read of one sign-in of any kind, for `read_many`."""
    return BatchRequest(key, f"/auditLogs/signIns/{quote(sign_in_id, safe='')}")


def audits_by_user(
    key: str, *, user_id: str, upn: str, since: datetime, until: datetime
) -> BatchRequest:
    """The read of what a user changed in the directory, for `read_many`."""
    field, value = ("id", user_id) if user_id else ("userPrincipalName", upn)
    who = f"initiatedBy/user/{field} eq {text_literal(value)}"
    return _read(
        key, "/auditLogs/directoryAudits", [*_between("activityDateTime", since, until), who]
    )


def audits_of_target(key: str, *, target_id: str, since: datetime, until: datetime) -> BatchRequest:
    """The read of what was changed about a user or another object, for `read_many`."""
    what = f"targetResources/any(t: t/id eq {text_literal(target_id)})"
    return _read(
        key, "/auditLogs/directoryAudits", [*_between("activityDateTime", since, until), what]
    )


def read_many(graph: Graph, requests: Iterable[BatchRequest]) -> Results:
    """The page or the error of each read. Each counts against the limit of 5 in 10 s.

    All from /beta, because a batch has one version, and sign-ins need it. With `@odata.nextLink` it
    is not all that there is.
    """
    return graph.batch_of_lists(
        requests, version="beta", family=_FAMILY, most_rows=_LARGEST_PAGE, most_pages=_MORE_PAGES
    )


def _between(field: str, since: datetime, until: datetime) -> list[str]:
    return [f"{field} ge {time_literal(since)}", f"{field} le {time_literal(until)}"]


def _read(key: str, path: str, conditions: Sequence[str]) -> BatchRequest:
    query: Mapping[str, str] = {"$filter": " and ".join(conditions), "$top": str(_LARGEST_PAGE)}
    return BatchRequest(key, f"{path}?{urlencode(query, quote_via=quote, safe='$')}")
