import json
from datetime import UTC, datetime

import pytest
import responses

from clients.errors import BadPayload, NotFound, Rejected, Unauthorized
from tests.ticketing.desks import from_the_guide
from ticketing.adapters import TicketSystem, oauth, registry
from ticketing.adapters.base import TicketDraft
from ticketing.adapters.description import describe_system, load_options
from ticketing.adapters.templates import at, fill, fill_path, fill_text

URL = "https://desk.example.com"
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DRAFT = TicketDraft("CSC-1", "Sign-in", '<p>He said "x"</p>', 4, ("a",))


def described(**changes: object) -> dict[str, object]:
    """A small description, with some parts replaced."""
    return {
        "auth": {"kind": "token"},
        "check": {"path": "/me"},
        "create": {"method": "POST", "path": "/t", "body": {"s": "${subject}", "p": "${priority}"}},
        "find": {"path": "/t", "query": {"q": "${reference}"}, "items": "", "reference": ["s"]},
        "note": {"method": "POST", "path": "/t/${id}/n", "body": {"b": "${text}"}},
        "notes": {"path": "/t/${id}/n", "reference": "b"},
        "read": {"path": "/t/${id}"},
        "ticket": {"id": "id", "state": "st"},
        "page": "${url}/show/${id}",
        "states": {"Done": "closed", "1": "pending", "true": "resolved"},
        **changes,
    }


def make(**changes: object) -> TicketSystem:
    return registry["generic"](URL, lambda: "key-1", described(**changes), None)


@pytest.fixture
def mock() -> responses.RequestsMock:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auth": {"kind": "magic"}}, "auth.kind has to be one of basic, header, oauth2, token"),
        ({"auth": {"kind": "oauth2"}}, "auth.token_url is missing"),
        ({"auth": {"kind": "header", "header": "Host"}}, "auth.header is no header"),
        ({"auth": {"kind": "token", "secret": "x"}}, "auth holds secret; it may hold"),
        ({"check": {"path": "/a/../b"}}, "check.path has to begin with /"),
        ({"check": {"path": "https://other.example/"}}, "check.path has to begin with /"),
        ({"check": {"path": "/a", "method": "DELETE"}}, "check.method has to be one of"),
        ({"check": {"path": "/a", "body": {}}}, "check.body does not go with GET"),
        ({"read": {"path": "/t/${secret}"}}, r"read.path holds \$\{secret\}; it may hold \$\{id\}"),
        ({"read": {"path": "/t/$id"}}, r"a \$ without a name"),
        ({"read": {"path": "/t/${id.__class__}"}}, r"a \$ without a name"),
        ({"find": {"path": "/t"}}, "find.reference has to say"),
        ({"ticket": {"id": "id"}}, "ticket.state is missing"),
        ({"states": {"New": "fresh"}}, "states.New has to be one of"),
        ({"priorities": {"1": 1}}, "priorities has to name"),
        ({"page": ""}, "page is missing"),
        ({"page": "${url}/${reference}"}, r"page holds \$\{reference\}"),
        ({"calls_per_minute": 0}, "calls_per_minute has to be a number"),
        ({"creat": {}}, "holds creat; it may hold"),
        ({"note": None}, "note.path is missing"),
        ({"note": []}, "note has to hold names"),
        ({"create": {"path": "/t", "headers": {"Content-Length": "1"}}}, "create.headers"),
    ],
)
def test_mistakes_are_named_with_their_place(changes: dict[str, object], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        describe_system(described(**changes))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "in line 1"),
        ("- a", "names with values"),
        ("a: &x [1]\nb: *x", "no YAML alias"),
        ("a: {on: open}", "put it in quotes"),
        ("a: {b: 2026-11-20}", "a.b is read as a date"),
        ("a: !!python/object:os.system {}", "no YAML"),
        ("a: " + "[" * 5000, "nesting"),
        ("x" * 200_000, "longer than"),
    ],
)
def test_files_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        load_options(text)


def test_json_is_read_as_well() -> None:
    assert load_options('{"states": {"1": "open"}, "n": 2}') == {"states": {"1": "open"}, "n": 2}


@pytest.mark.parametrize("name", ["request_tracker", "redmine", "django_helpdesk"])
def test_the_guides_descriptions_can_be_used(name: str) -> None:
    described = describe_system(from_the_guide(name))
    assert set(described.priorities) == {1, 2, 3, 4}


def test_values_are_filled_once_and_quoted() -> None:
    values = {"id": 'a/b?"', "tags": ["x", "y"], "n": 3, "text": "${id} $$"}
    assert fill({"a": "${n}", "b": ["${tags}", "$$ ${n}"], "c": True}, values) == {
        "a": 3,
        "b": [["x", "y"], "$ 3"],
        "c": True,
    }
    assert fill_text("<${text}> ${tags}", values) == "<${id} $$> x,y"
    assert fill_path("/t/${id}", values) == "/t/a%2Fb%3F%22"


def test_paths_into_an_answer() -> None:
    document = {"a": [{"b": 1}], "c": None}
    assert at(document, "a.0.b") == 1
    assert at(document, "") is document
    for nothing in ("a.1.b", "a.b", "c.d", "x", "a.-1"):
        assert at(document, nothing) is None


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "token"}, "Authorization", "Bearer key-1"),
        ({"kind": "token", "scheme": "token"}, "Authorization", "token key-1"),
        ({"kind": "header", "header": "X-Key"}, "X-Key", "key-1"),
        ({"kind": "basic", "user": "u"}, "Authorization", "Basic dTprZXktMQ=="),
    ],
)
def test_ways_to_log_in(
    mock: responses.RequestsMock, auth: dict[str, str], header: str, value: str
) -> None:
    mock.get(f"{URL}/me", json={})
    make(auth=auth).check()
    assert mock.calls[0].request.headers[header] == value


def test_basic_needs_a_user() -> None:
    with pytest.raises(Rejected, match="user name is missing"):
        make(auth={"kind": "basic"}).check()


def oauth_system(mock: responses.RequestsMock, **token: object) -> TicketSystem:
    oauth._tokens.clear()
    mock.post("https://login.example.com/token", json={"access_token": "t1", **token})
    given = {"token_url": "https://login.example.com/token", "client_id": "us", "scope": "a b"}
    return make(auth={"kind": "oauth2", **given})


def test_a_token_is_got_once(mock: responses.RequestsMock) -> None:
    mock.get(f"{URL}/me", json={})
    oauth_system(mock, expires_in=3600).check()
    system = make(
        auth={
            "kind": "oauth2",
            "token_url": "https://login.example.com/token",
            "client_id": "us",
            "scope": "a b",
        }
    )
    system.check()
    sent = [call.request for call in mock.calls]
    assert [request.method for request in sent] == ["POST", "GET", "GET"]
    assert sent[0].headers["Authorization"] == "Basic dXM6a2V5LTE="
    assert sent[0].body == "grant_type=client_credentials&scope=a+b"
    assert sent[2].headers["Authorization"] == "Bearer t1"


def test_a_token_that_ended_is_renewed(mock: responses.RequestsMock) -> None:
    mock.get(f"{URL}/me", json={})
    system = oauth_system(mock, expires_in=10)
    system.check()
    system.check()
    assert [call.request.method for call in mock.calls] == ["POST", "GET", "POST", "GET"]


def test_a_token_that_was_revoked_is_renewed_once(mock: responses.RequestsMock) -> None:
    system = oauth_system(mock, expires_in=3600)
    mock.get(f"{URL}/me", json={})
    system.check()
    mock.upsert("GET", f"{URL}/me", status=401)
    with pytest.raises(Unauthorized):
        system.check()
    assert [c.request.method for c in mock.calls] == ["POST", "GET", "GET", "POST", "GET"]


def test_a_refused_client_is_a_wrong_secret(mock: responses.RequestsMock) -> None:
    system = oauth_system(mock)
    error = {"error": "invalid_client", "error_description": "who are you"}
    mock.upsert("POST", "https://login.example.com/token", json=error, status=400)
    with pytest.raises(Unauthorized, match="invalid_client") as caught:
        system.check()
    assert "who are you" not in str(caught.value)


def test_an_id_or_state_that_is_not_there(mock: responses.RequestsMock) -> None:
    mock.post(f"{URL}/t", json={"number": 5}, status=201)
    with pytest.raises(BadPayload, match="id"):
        make().create(DRAFT)
    mock.get(f"{URL}/t/5", json={"id": 5})
    with pytest.raises(BadPayload, match="st"):
        make().read("5")
    mock.get(f"{URL}/me", json={})
    mock.get(f"{URL}/t", json={"items": []})
    with pytest.raises(BadPayload, match="no list"):
        make().find("CSC-1", NOW)


@pytest.mark.parametrize(
    ("state", "word"),
    [("done", "closed"), (1, "pending"), (True, "resolved"), ("else", "other")],
)
def test_states_of_all_types(mock: responses.RequestsMock, state: object, word: str) -> None:
    mock.get(f"{URL}/t/5", json={"id": 5, "st": state})
    assert make().read("5").status == word


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("https://desk.example.com/5", "https://desk.example.com/5"),
        ("javascript:alert(1)", f"{URL}/show/5"),
        ("http://desk.example.com/5", f"{URL}/show/5"),
        ('https://a/"onload=', f"{URL}/show/5"),
        (None, f"{URL}/show/5"),
    ],
)
def test_pages_for_people(mock: responses.RequestsMock, told: object, shown: str) -> None:
    mock.get(f"{URL}/t/5", json={"id": 5, "st": "x", "u": told})
    assert make(ticket={"id": "id", "state": "st", "url": "u"}).read("5").url == shown


def test_find_compares_the_whole_reference(mock: responses.RequestsMock) -> None:
    items = [
        {"id": 1, "st": "x", "s": "a [CSC-12]"},
        {"id": 2, "st": "x", "s": "a CSC-1 b"},
        {"id": 10, "st": "x", "s": "RE: a [csc-1]"},
        {"id": 9, "st": "x", "s": ["CSC-12", "CSC-1"]},
        "odd",
    ]
    mock.get(f"{URL}/me", json={})
    mock.get(f"{URL}/t", json=items)
    found = make().find("CSC-1", NOW)
    assert found is not None
    assert found.id == "9"
    with pytest.raises(Rejected):
        make().find("CSC' OR 1=1", NOW)


def test_no_markup_acts_on_a_preformatted_text(mock: responses.RequestsMock) -> None:
    """Some Markdown knows no <pre>: there each line, also an empty one, has to be code itself."""
    mock.post(f"{URL}/t/5/n", json={}, status=201)
    note = {"method": "POST", "path": "/t/${id}/n", "body": {"b": "${preformatted}"}}
    make(note=note).note("5", "<h3># a</h3><p>~~~<br>![x](//e)</p><h3>&lt;/pre&gt;</h3>", "CSC-1/1")
    first, second, *lines, last, end = json.loads(mock.calls[0].request.body)["b"].split("\n")
    assert (first, second, last, end) == ("<pre>", "", "", "</pre>")
    assert all(line.startswith("    ") and "<" not in line for line in lines)
    assert lines[-1] == "    [CSC-1/1]"


def test_a_change_without_a_text_is_no_note(mock: responses.RequestsMock) -> None:
    mock.get(f"{URL}/t/5/n", json=[{"b": "a"}, {"b": ""}, {"b": None}, {}])
    assert make().notes("5") == ["a"]


def test_the_page_after_the_last_may_be_missing(mock: responses.RequestsMock) -> None:
    find = {**described()["find"], "paging": {"parameter": "page"}}  # type: ignore[dict-item]
    mock.get(f"{URL}/me", json={})
    mock.get(f"{URL}/t?q=CSC-1&page=1", json=[{"id": 3, "st": "x", "s": "CSC-1"}])
    mock.get(f"{URL}/t?q=CSC-1&page=2", status=404)
    found = make(find=find).find("CSC-1", NOW)
    assert found is not None
    assert found.id == "3"
    mock.upsert("GET", f"{URL}/t?q=CSC-1&page=1", status=404)
    with pytest.raises(NotFound):
        make(find=find).find("CSC-1", NOW)


def test_private_addresses_stay_closed() -> None:
    with pytest.raises(Rejected, match="private"):
        registry["generic"]("https://127.0.0.1:9", lambda: "k", described(), None).check()
    auth = {"kind": "oauth2", "token_url": "https://127.0.0.1:9/t", "client_id": "c"}
    with pytest.raises(Rejected, match="private"):
        make(auth=auth).check()
