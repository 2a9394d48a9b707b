"""The clients and the ticket adapter against the simulator, over TLS, with its faults."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from clients.errors import ApiError, BadPayload, Forbidden, RateLimited, Rejected, Unauthorized
from clients.http import Http, Policy
from clients.microsoft import audit_logs, security
from clients.microsoft.azure import Arm
from clients.microsoft.clouds import Endpoints, endpoints
from clients.microsoft.graph import Graph
from clients.microsoft.identity import DirectoryTokens, TokenCache
from clients.microsoft.vault import Vault
from clients.throttle import Governor
from simulator import Simulator
from ticketing.adapters import TicketDraft, TicketSystem, registry

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
QUICK = Policy(backoff_s=0.01, attempts=3)
DRAFT = TicketDraft("CSC-7KQ2", "Odd sign-in", "<p>Detail</p>", 3)


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("sim"), directories=1, seed=3, pace=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, str(value))
    yield
    sim.control.clear_faults()


@pytest.fixture
def tenant(sim: Simulator) -> dict[str, str]:
    return sim.tenants[0]


@pytest.fixture
def cloud(sim: Simulator) -> Endpoints:
    return endpoints("public", sim.environment)


@pytest.fixture
def vault(sim: Simulator) -> Vault:
    return Vault(sim.environment["AZURE_KEY_VAULT_URL"])


@pytest.fixture
def tokens(tenant: dict[str, str], cloud: Endpoints, vault: Vault) -> DirectoryTokens:
    name = tenant["credential_secret"]
    return DirectoryTokens(
        cloud.login,
        tenant["directory"],
        tenant["client_id"],
        lambda: vault.get(name).value,
        lambda: vault.forget(name),
        cache=TokenCache(),
        policy=QUICK,
    )


@pytest.fixture
def graph(tenant: dict[str, str], cloud: Endpoints, tokens: DirectoryTokens) -> Graph:
    http = Http(cloud.graph, name="Microsoft Graph", key=tenant["directory"], policy=QUICK)
    return Graph(http, tokens)


@pytest.fixture
def tickets(tenant: dict[str, str], vault: Vault) -> TicketSystem:
    name = tenant["ticketing_secret"]
    return registry["freshservice"](
        tenant["ticketing_url"],
        lambda: vault.get(name).value,
        {},
        None,
        private_networks_allowed=("127.0.0.0/8",),
        forget_secret=lambda: vault.forget(name),
    )


def all_ids(graph: Graph) -> list[str]:
    pages = security.alert_pages(graph, since=LONG_AGO, page_size=10)
    return [alert["id"] for page in pages for alert in page]


def test_all_alerts_by_page_and_by_id(sim: Simulator, tenant: dict[str, str], graph: Graph) -> None:
    ids = all_ids(graph)
    assert sorted(ids) == sorted(alert["id"] for alert in sim.control.alerts(tenant["slug"]))
    results = security.alerts_by_id(graph, [*ids[:25], "nope"])
    assert [key for key, value in results.items() if isinstance(value, ApiError)] == ["nope"]


@pytest.mark.parametrize("kind", ["drop", "truncate", "garbage", "status"])
def test_passing_faults_lose_nothing(
    sim: Simulator, graph: Graph, tenant: dict[str, str], kind: str
) -> None:
    sim.control.fault(kind, path="alerts_v2", skip=1, count=2)
    assert len(set(all_ids(graph))) == len(sim.control.alerts(tenant["slug"]))


def test_garbage_that_stays_is_a_bad_payload(sim: Simulator, graph: Graph) -> None:
    sim.control.fault("garbage", path="alerts_v2", count=-1)
    with pytest.raises(BadPayload):
        all_ids(graph)


def test_a_token_that_ends_in_the_middle(sim: Simulator, graph: Graph) -> None:
    sim.control.fault("status", path="alerts_v2", status=401, skip=1)
    before = sim.control.count(service="entra", status=200)
    assert all_ids(graph)
    assert sim.control.count(service="entra", status=200) - before == 4  # two discoveries


def test_throttling_is_obeyed_and_told_to_others(
    sim: Simulator, tenant: dict[str, str], cloud: Endpoints, tokens: DirectoryTokens
) -> None:
    governor = Governor(None)
    key = tenant["directory"]
    graph = Graph(Http(cloud.graph, key=key, governor=governor, policy=QUICK), tokens)
    sim.control.fault("status", path="alerts_v2", status=429, retry_after=300)
    with pytest.raises(RateLimited) as caught:
        all_ids(graph)
    assert caught.value.retry_after_s == 300
    with pytest.raises(RateLimited):
        governor.acquire(key, "alerts", wait_s=1)


def test_a_rotated_secret_needs_no_restart(
    sim: Simulator, tokens: DirectoryTokens, cloud: Endpoints, vault: Vault
) -> None:
    tokens.token(cloud.graph_scope)
    sim.control.rotate_app_secret(expire_old=True)
    tokens.forget(cloud.graph_scope)
    assert tokens.token(cloud.graph_scope)


def test_consent_that_is_missing(
    sim: Simulator, tenant: dict[str, str], tokens: DirectoryTokens, graph: Graph, cloud: Endpoints
) -> None:
    config = sim.control.state()["directories"][0]
    roles = config["consents"][tenant["client_id"]]
    try:
        sim.control.configure(tenant["slug"], roles=["AuditLog.Read.All"])
        missing = {a.source: a.error for a in security.probe(graph) if not a.is_there}
        assert isinstance(missing["alerts"], Forbidden)
        assert "audits" not in missing
        sim.control.configure(tenant["slug"], roles=None)
        tokens.forget(cloud.graph_scope)
        with pytest.raises(Unauthorized, match="consent link") as caught:
            security.probe(graph)
        assert caught.value.code == "AADSTS700016"
    finally:
        sim.control.configure(tenant["slug"], roles=roles)


def test_a_directory_that_does_not_exist(cloud: Endpoints, tenant: dict[str, str]) -> None:
    unknown = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
    tokens = DirectoryTokens(cloud.login, unknown, tenant["client_id"], lambda: "x", lambda: None)
    with pytest.raises(Rejected, match="no such directory"):
        tokens.token(cloud.graph_scope)


def test_write_back(sim: Simulator, tenant: dict[str, str], graph: Graph) -> None:
    alert_id = sim.control.alerts(tenant["slug"])[0]["id"]
    fields = {
        "status": "resolved",
        "classification": "falsePositive",
        "determination": "notMalicious",
    }
    security.update_alerts(graph, {alert_id: fields})
    security.comment_alert(graph, alert_id, "Closed by the portal")
    stored = sim.control.alert(tenant["slug"], alert_id)
    assert {name: stored[name] for name in fields} == fields
    assert stored["comments"][-1]["comment"] == "Closed by the portal"


def test_the_other_sources(cloud: Endpoints, tokens: DirectoryTokens, graph: Graph) -> None:
    now = datetime.now(UTC)
    assert [page for page in security.incident_pages(graph, since=LONG_AGO) if page]
    assert len(security.secure_scores(graph, 3)) == 3
    assert [page for page in security.control_profile_pages(graph) if page]
    week = now - timedelta(days=7)
    newest = {"$top": "1"}
    page = graph.get("/auditLogs/signIns", newest, version="beta", family="audit_logs")
    key = page["value"][0]["id"]
    assert audit_logs.read_many(graph, [audit_logs.sign_in_by_id("one", key)])["one"]["id"] == key
    audits = audit_logs.directory_audit_pages(graph, since=week, until=now, page_size=100)
    assert [page for page in audits if page]
    arm = Arm(Http(cloud.arm, policy=QUICK), tokens)
    subscriptions = [s["subscriptionId"] for page in arm.subscription_pages() for s in page]
    listed = [r["id"] for s in subscriptions for page in arm.resource_pages(s) for r in page]
    found = [r["id"] for page in arm.query("Resources | project id, name, tags") for r in page]
    assert listed
    assert sorted(map(str.lower, found)) == sorted(map(str.lower, listed))


def test_versions_of_a_secret(sim: Simulator, vault: Vault) -> None:
    for value in ("one", "two", "three"):
        sim.control.set_secret("csc-test", value)
    assert [secret.value for secret in vault.versions("csc-test")][-1] == "three"
    assert len(vault.versions("csc-test")) == 3


def test_a_ticket_and_its_notes(
    sim: Simulator, tenant: dict[str, str], tickets: TicketSystem
) -> None:
    tickets.check()
    since = datetime.now(UTC)
    opened = tickets.create(DRAFT)
    assert tickets.find("CSC-7KQ2", since) == opened
    assert tickets.find("CSC-7KQ", since) is None
    for _ in range(2):
        tickets.note(opened.id, "<p>More</p>", "CSC-7KQ2-1", retry=True)
    stored = next(t for t in sim.control.tickets(tenant["slug"]) if str(t["id"]) == opened.id)
    assert len(stored["conversations"]) == 1
    assert stored["priority"] == 3
    sim.control.change_ticket(tenant["slug"], int(opened.id), status=4)
    assert tickets.read(opened.id).status == "resolved"


def test_a_ticket_whose_answer_was_lost_is_found(sim: Simulator, tickets: TicketSystem) -> None:
    since = datetime.now(UTC)
    sim.control.fault("drop", service="freshservice", method="POST", when="after")
    draft = TicketDraft("CSC-L0ST", "Lost", "<p>x</p>", 1)
    with pytest.raises(ApiError):
        tickets.create(draft)
    found = tickets.find("CSC-L0ST", since)
    assert found is not None
    assert found.status == "open"
