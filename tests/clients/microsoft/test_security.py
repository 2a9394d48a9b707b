import json
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote

import pytest
import responses

from clients.errors import Forbidden, NotFound, RateLimited, Rejected
from clients.microsoft import audit_logs, security
from clients.microsoft.graph import Graph
from clients.microsoft.odata import text_literal, time_literal
from tests.clients.microsoft.conftest import GRAPH
from tests.payloads import load

ALERTS = f"{GRAPH}/v1.0/security/alerts_v2"
SINCE = datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_literals() -> None:
    east = timezone(timedelta(hours=2))
    assert time_literal(datetime(2026, 11, 20, 10, tzinfo=east)) == "2026-11-20T08:00:00Z"
    assert time_literal(SINCE.replace(microsecond=5)) == "2026-11-20T08:00:00.000005Z"
    assert text_literal("O'Neil") == "'O''Neil'"
    with pytest.raises(ValueError, match="zone"):
        time_literal(datetime(2026, 11, 20))  # noqa: DTZ001


def query(mock: responses.RequestsMock, call: int = 0) -> dict[str, str]:
    return mock.calls[call].request.params


def test_alerts_by_time_of_update(graph: Graph, mock: responses.RequestsMock) -> None:
    document = load("microsoft/alerts_v2-list-mde")
    mock.get(ALERTS, json=document)
    pages = security.alert_pages(
        graph, since=SINCE, until=SINCE + timedelta(hours=1), page_size=500
    )
    assert list(pages) == [document["value"]]
    assert query(mock) == {
        "$filter": "lastUpdateDateTime ge 2026-11-20T08:00:00Z"
        " and lastUpdateDateTime lt 2026-11-20T09:00:00Z",
        "$top": "100",
    }


def test_a_page_size_that_is_refused_is_left_out(
    graph: Graph, mock: responses.RequestsMock
) -> None:
    mock.get(ALERTS, status=400, json={"error": {"code": "BadRequest"}})
    mock.get(ALERTS, json={"value": [1]})
    assert list(security.alert_pages(graph, since=SINCE)) == [[1]]
    assert "$top" not in query(mock, 1)
    mock.get(f"{GRAPH}/v1.0/security/incidents", status=400)
    with pytest.raises(Rejected):
        security.incident_pages(graph, since=SINCE)


def test_alerts_by_id(graph: Graph, mock: responses.RequestsMock) -> None:
    def callback(request: object) -> tuple[int, dict[str, str], str]:
        items = json.loads(request.body)["requests"]
        urls.extend(item["url"] for item in items)
        found = [{"id": i["id"], "status": 200, "body": {"url": i["url"]}} for i in items]
        found[1]["status"] = 404
        return 200, {}, json.dumps({"responses": found})

    urls: list[str] = []
    mock.add_callback("POST", f"{GRAPH}/v1.0/$batch", callback=callback)
    results = security.alerts_by_id(graph, ["da1_-2", "a/b?c", "da1_-2"])
    assert urls == ["/security/alerts_v2/da1_-2", "/security/alerts_v2/a%2Fb%3Fc"]
    assert results["da1_-2"] == {"url": urls[0]}
    assert isinstance(results["a/b?c"], NotFound)


def test_updates_fall_back_to_the_other_spelling(
    graph: Graph, mock: responses.RequestsMock
) -> None:
    def callback(request: object) -> tuple[int, dict[str, str], str]:
        items = json.loads(request.body)["requests"]
        sent.extend((item["url"][-2:], item["body"].get("determination")) for item in items)
        status = 400 if len(sent) == 2 else 200
        found = [{"id": item["id"], "status": status, "body": {"id": "a1"}} for item in items]
        return 200, {}, json.dumps({"responses": found})

    sent: list[tuple[str, str | None]] = []
    mock.add_callback("POST", f"{GRAPH}/v1.0/$batch", callback=callback)
    fields = {"classification": "falsePositive", "determination": "notMalicious"}
    results = security.update_alerts(graph, {"a1": fields, "a2": {"status": "resolved"}})
    assert sent == [("a1", "notMalicious"), ("a2", None), ("a1", "clean")]
    assert results["a1"] == {"id": "a1"}
    assert isinstance(results["a2"], Rejected)


def test_comments_may_be_answered_with_a_list(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.post(f"{ALERTS}/a1/comments", json=[{"comment": "x"}])
    security.comment_alert(graph, "a1", "x")
    sent = json.loads(mock.calls[0].request.body)
    assert sent == {"@odata.type": "microsoft.graph.security.alertComment", "comment": "x"}


def test_probe_tells_what_is_missing(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.get(
        f"{GRAPH}/beta/auditLogs/signIns",
        status=403,
        json={"error": {"code": "Authentication_RequestFromNonPremiumTenantOrB2CTenant"}},
    )
    mock.get(f"{GRAPH}/v1.0/organization", json={"value": [{}]})
    for path in (
        "security/alerts_v2",
        "security/incidents",
        "security/secureScores",
        "auditLogs/directoryAudits",
        "users",
        "groups",
        "directoryRoles",
        "identityProtection/riskDetections",
    ):
        mock.get(f"{GRAPH}/v1.0/{path}", json={"value": []})
    found = {ability.source: ability for ability in security.probe(graph)}
    assert found["alerts"].is_there
    assert not found["sign-ins"].is_there
    assert isinstance(found["sign-ins"].error, Forbidden)
    assert "P1 or P2" in str(found["sign-ins"].error)


def test_secure_scores_stop_when_there_are_enough(
    graph: Graph, mock: responses.RequestsMock
) -> None:
    url = f"{GRAPH}/v1.0/security/secureScores"
    mock.get(url, json={"value": [1, 2], "@odata.nextLink": f"{url}?$skip=2"})
    assert security.secure_scores(graph, 2) == [1, 2]


def test_sign_ins_and_audits(graph: Graph, mock: responses.RequestsMock) -> None:
    mock.get(f"{GRAPH}/v1.0/auditLogs/directoryAudits", json={"value": [2]})
    until = SINCE + timedelta(hours=1)
    audits = audit_logs.directory_audit_pages(graph, since=SINCE, until=until, page_size=50)
    assert list(audits) == [[2]]
    assert query(mock) == {
        "$filter": "activityDateTime ge 2026-11-20T08:00:00Z"
        " and activityDateTime le 2026-11-20T09:00:00Z",
        "$top": "50",
    }
    one = audit_logs.sign_ins_of_user("k", user_id="u'1", upn="", since=SINCE, until=until)
    assert unquote(one.url).startswith("/auditLogs/signIns?$filter=userId eq 'u''1' and created")


class Full:
    """A governor that gives leave so many times."""

    def __init__(self, leaves: int) -> None:
        self.leaves = leaves

    def acquire(self, key: str, family: str, *, wait_s: float, cost: int = 1) -> str:
        if not self.leaves:
            raise RateLimited("full", code="throttled_here", retry_after_s=9)
        self.leaves -= 1
        return ""


@pytest.mark.parametrize(("leaves", "rows"), [(9, [1, 2, 3]), (2, [1]), (1, [1])])
def test_pages_of_logs_shorter_than_asked_for_are_read_on(
    graph: Graph, mock: responses.RequestsMock, leaves: int, rows: list[int]
) -> None:
    link = f"{GRAPH}/beta/auditLogs/signIns?$skiptoken="
    first = {"value": [1], "@odata.nextLink": f"{link}a"}
    mock.post(f"{GRAPH}/beta/$batch", json={"responses": [{"id": 0, "status": 200, "body": first}]})
    mock.get(f"{link}a", json={"value": [2], "@odata.nextLink": f"{link}b"})
    mock.get(f"{link}b", json={"value": [3]})
    graph.http.governor = Full(leaves)  # type: ignore[assignment]
    who = audit_logs.sign_ins_of_user("s", user_id="u", upn="", since=SINCE, until=SINCE)
    found = audit_logs.read_many(graph, [who])["s"]
    assert isinstance(found, dict)
    assert found["value"] == rows
    assert bool(found["@odata.nextLink"]) is (rows == [1]), "what is not all says so"
