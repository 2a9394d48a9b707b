import base64
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import responses

from clients.errors import (
    ApiError,
    BadPayload,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from clients.throttle import Governor
from tests.payloads import load
from ticketing.adapters import registry
from ticketing.adapters.base import TicketDraft, TicketRef, TicketSystem
from ticketing.adapters.freshservice import base_url

BASE = "https://acme.freshservice.com"
API = f"{BASE}/api/v2"
TICKETS = f"{API}/tickets"
REF = "CSC-7KQ2"
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DRAFT = TicketDraft(REF, "Suspicious\nsign-in", "<p>Detail</p>", 3, ("identity",))


@pytest.fixture
def mock() -> responses.RequestsMock:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def make(
    url: str = BASE, key: str = "key-1", governor: Governor | None = None, **options: object
) -> TicketSystem:
    return registry["freshservice"](url, lambda: key, options, governor)


def ticket(number: int, hours: float = 0, **fields: object) -> dict[str, object]:
    at = (NOW + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    return {"id": number, "status": 2, "subject": "x", "tags": [], "created_at": at, **fields}


@pytest.mark.parametrize(
    "typed",
    [
        BASE,
        f"{BASE}/",
        f"{BASE}/api/v2",
        f"{BASE}/api/v2/",
        f" {BASE}/api ",
        "acme.freshservice.com",
    ],
)
def test_addresses_as_people_type_them(typed: str) -> None:
    assert base_url(typed) == BASE


@pytest.mark.parametrize(
    "typed", ["http://acme.freshservice.com", f"{BASE}/?a=b", "https://k:X@acme.freshservice.com"]
)
def test_addresses_that_cannot_be_used(typed: str) -> None:
    with pytest.raises(Rejected):
        make(typed)


def test_an_option_does_not_open_private_addresses() -> None:
    with pytest.raises(Rejected, match="private"):
        make("https://127.0.0.1:9", private_networks_allowed=["127.0.0.0/8"]).check()


@pytest.mark.parametrize(
    ("priority", "urgency", "impact"), [(1, 1, 1), (2, 2, 2), (3, 3, 2), (4, 3, 3)]
)
def test_create(mock: responses.RequestsMock, priority: int, urgency: int, impact: int) -> None:
    mock.post(TICKETS, json=load("freshservice/ticket-create-response"), status=201)
    draft = TicketDraft(REF, "Suspicious\nsign-in", "<p>Detail</p>", priority, ("identity",))
    system = make(workspace_id="2", group_id=7, custom_fields={"source_system": "CSC"})
    assert system.create(draft) == TicketRef("57", f"{BASE}/a/tickets/57", "open")
    assert json.loads(mock.calls[0].request.body) == {
        "email": "csc-portal@acme.freshservice.com",
        "subject": f"Suspicious sign-in [{REF}]",
        "description": "<p>Detail</p>",
        "status": 2,
        "priority": priority,
        "urgency": urgency,
        "impact": impact,
        "type": "Incident",
        "tags": ["identity", REF],
        "workspace_id": 2,
        "group_id": 7,
        "custom_fields": {"source_system": "CSC"},
    }
    expected = base64.b64encode(b"key-1:X").decode()
    assert mock.calls[0].request.headers["Authorization"] == f"Basic {expected}"


def test_refused_fields_are_named_without_values(mock: responses.RequestsMock) -> None:
    body = load("freshservice/validation-error-constructed")
    mock.post(TICKETS, json=body, status=400)
    with pytest.raises(Rejected) as caught:
        make().create(DRAFT)
    text = str(caught.value)
    assert "email (invalid_value), status (invalid_value), subject (missing_field)" in text
    assert "one of these values" not in text
    assert len(mock.calls) == 1


def test_dispensable_fields_are_left_out_once(mock: responses.RequestsMock) -> None:
    errors = [{"field": "type", "code": "invalid_value", "message": "m"}]
    mock.post(TICKETS, json={"description": "Validation failed", "errors": errors}, status=400)
    mock.post(TICKETS, json={"ticket": ticket(9)}, status=201)
    assert make().create(DRAFT).id == "9"
    assert "type" not in json.loads(mock.calls[1].request.body)


def test_create_is_not_repeated(mock: responses.RequestsMock) -> None:
    mock.post(TICKETS, status=502)
    with pytest.raises(Unavailable):
        make().create(DRAFT)
    assert len(mock.calls) == 1


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Unauthorized, "API key"),
        (403, Forbidden, "role"),
        (404, NotFound, "address"),
        (429, RateLimited, "used up"),
        (302, Rejected, "redirect"),
    ],
)
def test_errors_say_what_to_do(
    mock: responses.RequestsMock, status: int, kind: type[ApiError], words: str
) -> None:
    samples = load("freshservice/errors-auth-and-throttle-constructed")
    body = samples.get(str(status), {})
    mock.get(TICKETS, json=body, status=status, headers={"Retry-After": "45"})
    with pytest.raises(kind, match=words) as caught:
        make().check()
    assert body.get("message", "none") not in str(caught.value)


def test_a_rotated_key_is_read_once_more(mock: responses.RequestsMock) -> None:
    mock.get(TICKETS, status=401)
    mock.get(TICKETS, json={"tickets": []})
    keys = ["old"]
    system = registry["freshservice"](
        BASE, lambda: keys[0], {}, None, forget_secret=lambda: keys.insert(0, "new")
    )
    system.check()
    sent = [call.request.headers["Authorization"] for call in mock.calls]
    assert sent[1] == "Basic " + base64.b64encode(b"new:X").decode()
    assert len(sent) == 2


def listing(mock: responses.RequestsMock, *pages: list[dict[str, object]]) -> None:
    """A list of tickets by page number; the filter finds nothing yet."""

    def callback(request: object) -> tuple[int, dict[str, str], str]:
        page = int(request.params["page"])
        found = pages[page - 1] if page <= len(pages) else []
        return 200, {}, json.dumps({"tickets": found})

    mock.get(f"{TICKETS}/filter", json={"tickets": []})
    mock.add_callback("GET", TICKETS, callback=callback)


def lists(mock: responses.RequestsMock) -> int:
    return sum(1 for call in mock.calls if call.request.url.startswith(f"{TICKETS}?"))


def test_find_by_the_filter(mock: responses.RequestsMock) -> None:
    other = ticket(1, tags=[f"{REF}X"], subject=f"y [{REF}X]")
    mock.get(f"{TICKETS}/filter", json={"tickets": [other, ticket(5, tags=[REF.lower()])]})
    assert make(workspace_id=3).find(REF, NOW) == TicketRef("5", f"{BASE}/a/tickets/5", "open")
    assert mock.calls[0].request.params == {"query": f"\"tag:'{REF}'\"", "workspace_id": "3"}


@pytest.mark.parametrize("status", [400, 403, 404])
def test_find_without_a_filter(mock: responses.RequestsMock, status: int) -> None:
    mock.get(f"{TICKETS}/filter", status=status, json={"description": "no"})
    mock.get(TICKETS, json={"tickets": [ticket(6, tags=None, subject=f"x [{REF}]", status=5)]})
    if status == 403:
        with pytest.raises(Forbidden):
            make().find(REF, NOW)
    else:
        assert make().find(REF, NOW) == TicketRef("6", f"{BASE}/a/tickets/6", "closed")


def test_find_before_the_index_knows_it(mock: responses.RequestsMock) -> None:
    newest = [ticket(n, 3, tags=["other"]) for n in range(100)]
    listing(mock, newest, [ticket(200, 2, tags=["a", REF]), ticket(201, -9)])
    found = make().find(REF, NOW)
    assert found is not None
    assert found.id == "200"
    sent = mock.calls[1].request.params
    assert sent["updated_since"] == "2026-11-20T07:50:00Z"
    assert sent["per_page"] == "100"


def test_find_never_takes_a_reference_that_contains_ours(mock: responses.RequestsMock) -> None:
    listing(
        mock,
        [
            ticket(1, tags=[f"{REF}-2", f"X{REF}", f"my {REF}"]),
            ticket(2, subject=f"x [{REF}9]"),
            ticket(3, subject=f"x [A-{REF}]"),
            ticket(4, subject=f"about {REF}"),
            ticket(5, subject=f"[{REF}] quoted in front"),
        ],
    )
    assert make().find(REF, NOW) is None


def test_find_prefers_the_tag_then_the_oldest_subject(mock: responses.RequestsMock) -> None:
    reply = ticket(9, 5, subject=f"RE: x [{REF}]")
    original = ticket(3, 1, subject=f"x [{REF}]")
    listing(mock, [reply, original])
    assert make().find(REF, NOW).id == "3"
    mock.reset()
    listing(mock, [reply, original, ticket(2, 0.5, subject="renamed", tags=[REF])])
    assert make().find(REF, NOW).id == "2"


def test_find_stops_where_only_older_ones_follow(mock: responses.RequestsMock) -> None:
    pages = [[ticket(p * 100 + n, 5 - 3 * p - n / 99) for n in range(100)] for p in range(9)]
    listing(mock, *pages)
    assert make().find(REF, NOW) is None
    assert lists(mock) == 3


def test_find_goes_on_when_the_order_is_another(mock: responses.RequestsMock) -> None:
    ours = [ticket(900, 0, tags=[REF])]
    rising = [[ticket(p * 100 + n, p - 9 + n / 99) for n in range(100)] for p in range(5)]
    listing(mock, *rising, ours)
    assert make().find(REF, NOW).id == "900"
    mock.reset()
    listing(mock, [ticket(1, -5), ticket(2, -6)], ours)  # too few to tell an order
    assert make().find(REF, NOW).id == "900"


def test_find_with_small_pages_and_no_link_header(mock: responses.RequestsMock) -> None:
    pages = [[ticket(p * 30 + n, 1) for n in range(30)] for p in range(3)]
    listing(mock, *pages, [ticket(900, 1, tags=[REF])])
    assert make().find(REF, NOW).id == "900"


def test_find_where_every_page_is_the_same(mock: responses.RequestsMock) -> None:
    mock.get(f"{TICKETS}/filter", json={"tickets": []})
    mock.get(TICKETS, json={"tickets": [ticket(1, 1)]})
    assert make().find(REF, NOW) is None


@pytest.mark.parametrize("body", [{}, {"tickets": None}, [], {"tickets": {"id": 1}}])
def test_find_needs_a_list_it_can_read(mock: responses.RequestsMock, body: object) -> None:
    mock.get(f"{TICKETS}/filter", json=body)
    mock.get(TICKETS, json=body)
    with pytest.raises(BadPayload, match="tickets"):
        make().find(REF, NOW)


def test_read(mock: responses.RequestsMock) -> None:
    for status, word in [
        (2, "open"),
        (3, "pending"),
        (4, "resolved"),
        (5, "closed"),
        (17, "other"),
    ]:
        mock.get(f"{TICKETS}/{status}", json={"ticket": ticket(status, status=status)})
        assert make().read(str(status)).status == word
    mock.get(f"{TICKETS}/8", json={"ticket": ticket(8, deleted=True)})
    assert make().read("8").status == "deleted"
    mock.get(f"{TICKETS}/9", status=404)
    with pytest.raises(NotFound):
        make().read("9")
    for odd in ({}, {"ticket": {}}, {"ticket": {"id": "x"}}):
        mock.upsert("GET", f"{TICKETS}/10", json=odd)
        with pytest.raises(BadPayload, match=re.escape("ticket.id")):
            make().read("10")
    for bad in ("", "../agents", "1?x=1", "a"):
        with pytest.raises(Rejected):
            make().read(bad)


def test_notes_carry_their_reference(mock: responses.RequestsMock) -> None:
    mock.post(f"{TICKETS}/5/notes", json={"conversation": {"id": 1}}, status=201)
    make().note("5", "<p>More</p>", "CSC-7KQ2-N1")
    sent = json.loads(mock.calls[0].request.body)
    assert sent == {"body": "<p>More</p><p>[CSC-7KQ2-N1]</p>", "private": True}


def test_a_note_is_written_once(mock: responses.RequestsMock) -> None:
    url = f"{TICKETS}/5/conversations"
    there = {"id": 1, "body": "<div>More</div><p>[CSC-7KQ2-N1]</p>", "body_text": None}
    mock.get(url, json={"conversations": [{"id": 2, "body": "[CSC-7KQ2-N11]"}, there]})
    mock.post(f"{TICKETS}/5/notes", json={"conversation": {"id": 3}}, status=201)
    make().note("5", "<p>More</p>", "CSC-7KQ2-N1", retry=True)
    assert len(mock.calls) == 1
    make().note("5", "<p>More</p>", "CSC-7KQ2-N", retry=True)
    assert mock.calls[-1].request.method == "POST"


def test_the_account_tells_its_limit(mock: responses.RequestsMock) -> None:
    governor = Governor(None)
    mock.get(TICKETS, json={"tickets": []}, headers={"X-RateLimit-Total": "5"})
    system = make(governor=governor)
    for _ in range(4):
        system.check()
    with pytest.raises(RateLimited):
        governor.acquire("acme.freshservice.com", "tickets", wait_s=0)


def test_throttling_pauses_the_account(mock: responses.RequestsMock) -> None:
    governor = Governor(None)
    mock.post(TICKETS, status=429, headers={"Retry-After": "50"})
    with pytest.raises(RateLimited) as caught:
        make(governor=governor).create(DRAFT)
    assert caught.value.retry_after_s == 50
    with pytest.raises(RateLimited):
        governor.acquire("acme.freshservice.com", "tickets", wait_s=5)
