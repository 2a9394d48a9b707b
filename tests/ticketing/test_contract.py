"""What every adapter promises (`ticketing.adapters.base`), each over its own wire format."""

from datetime import UTC, datetime, timedelta

import pytest

from clients.errors import (
    ApiError,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from tests.ticketing.desks import ENTRIES, Entry, connect
from tests.ticketing.wire.server import Desk
from ticketing.adapters.base import TicketDraft, TicketSystem

REF = "CSC-7KQ2M4X9P1AB"
HOSTILE = (
    'x"],"}\\ ${secret} %s {{7*7}} \u2028 <script>alert(1)</script> </pre> !http://e.test/a.png!'
)
HTML = (
    "<table><tr><td>Case</td><td>7</td></tr></table><h3>Alerts</h3>"
    '<p><b>Sign-in</b> <a href="https://portal.test/c/1/">Open</a></p>'
    "<p>x&quot;],&quot;}\\ ${secret} &lt;script&gt;alert(1)&lt;/script&gt; &lt;/pre&gt;</p>"
)


@pytest.fixture(params=sorted(ENTRIES))
def entry(request: pytest.FixtureRequest) -> Entry:
    return ENTRIES[request.param]


@pytest.fixture
def desk(entry: Entry, desks_url: str) -> Desk:
    return entry.desk


@pytest.fixture
def url(entry: Entry, desks_url: str) -> str:
    name = next(name for name, one in ENTRIES.items() if one is entry)
    return f"{desks_url}/{name}"


@pytest.fixture
def system(entry: Entry, desk: Desk, url: str) -> TicketSystem:
    return connect(entry, url)


def since() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def draft(
    reference: str = REF, subject: str = "Suspicious\nsign-in", html: str = HTML
) -> TicketDraft:
    return TicketDraft(reference, subject, html, 3, ("csc-portal", "severity-high"))


def creations(desk: Desk) -> int:
    return len(desk.tickets)


def test_create_then_find(system: TicketSystem, desk: Desk, url: str) -> None:
    system.check()
    assert system.find(REF, since()) is None
    made = system.create(draft())
    assert made.status == "open"
    assert made.url.startswith(url)
    assert system.find(REF, since()) == made
    assert system.read(made.id) == made
    assert creations(desk) == 1


def test_another_reference_is_never_taken_for_ours(system: TicketSystem) -> None:
    other = system.create(draft(f"{REF}2"))
    assert system.find(REF, since()) is None
    assert system.find(REF[:-1], since()) is None
    ours = system.create(draft())
    assert ours.id != other.id
    assert system.find(REF, since()) == ours
    assert system.find(f"{REF}2", since()) == other


def test_find_among_many(system: TicketSystem) -> None:
    ours = system.create(draft(html="<p>x</p>"))
    for number in range(105):
        system.create(draft(f"{REF}{number}", html="<p>x</p>"))
    assert system.find(REF, since()) == ours


def test_a_note_is_written_once(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft())
    notes = desk.tickets[min(desk.tickets)].notes
    system.note(made.id, "<p>More</p>", f"{REF}/22")
    system.note(made.id, "<p>More</p>", f"{REF}/2", retry=True)
    assert len(notes) == 2
    system.note(made.id, "<p>More</p>", f"{REF}/2", retry=True)
    system.note(made.id, "<p>More</p>", f"{REF}/22", retry=True)
    assert len(notes) == 2
    assert f"[{REF}/2]" in notes[1]


def test_states(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft())
    for theirs, ours in zip(desk.statuses, desk.ours, strict=True):
        desk.tickets[min(desk.tickets)].state = theirs
        assert system.read(made.id).status == ours


def test_closed_tickets_are_found(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft())
    ended = list(desk.ours).index("closed")
    desk.tickets[min(desk.tickets)].state = desk.statuses[ended]
    found = system.find(REF, since())
    assert found is not None
    assert (found.id, found.status) == (made.id, "closed")


def test_hostile_text_stays_text(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft(subject=HOSTILE))
    system.note(made.id, HTML, f"{REF}/1")
    assert system.find(REF, since()) == made
    assert creations(desk) == 1


def test_sizes_are_limited(system: TicketSystem) -> None:
    made = system.create(draft(subject="x" * 900, html=f"<p>{'y' * 200_000}</p>"))
    assert system.find(REF, since()) == made
    system.note(made.id, f"<p>{'y' * 200_000}</p>", f"{REF}/1")
    system.note(made.id, f"<p>{'y' * 200_000}</p>", f"{REF}/1", retry=True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (404, NotFound),
        (422, Rejected),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_errors(system: TicketSystem, desk: Desk, status: int, kind: type[ApiError]) -> None:
    desk.fail(status, times=9, Retry_After="120")
    with pytest.raises(kind) as caught:
        system.create(draft())
    assert caught.value.status == status
    assert len([one for one in desk.requests if one[0] == "POST"]) == 1, "a create was repeated"
    assert REF not in str(caught.value)
    with pytest.raises(kind):
        system.read("1")
    if status == 429:
        assert caught.value.retry_after_s == 120


def test_a_short_wait_is_waited(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft())
    desk.fail(429, Retry_After="0")
    assert system.read(made.id) == made


def test_a_wrong_secret(entry: Entry, desk: Desk, url: str) -> None:
    stranger = connect(entry, url, "wrong")
    with pytest.raises(Unauthorized):
        stranger.check()
    with pytest.raises(Unauthorized):
        stranger.find(REF, since())
    with pytest.raises(Unauthorized):
        list(stranger.changes(since()) or ())


def test_a_ticket_is_resolved_and_opened_again(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft())
    for wanted in ("resolved", "resolved", "open", "open"):
        done = system.update(made.id, wanted)
        assert (done.id, done.status) == (made.id, wanted)
        assert system.read(made.id) == done
    assert creations(desk) == 1


def test_changes_are_told(system: TicketSystem, desk: Desk) -> None:
    made, other = system.create(draft()), system.create(draft(f"{REF}2"))
    ticket = desk.tickets[min(desk.tickets)]
    desk.change(ticket, state=desk.statuses[desk.ours.index("closed")])
    ticket.agent = "7"
    changes = system.changes(since())
    assert changes is not None
    told = {ref.id: ref for ref in changes}
    assert {made.id, other.id} <= set(told)
    assert (told[made.id].status, told[made.id].assignee) == ("closed", "7")
    assert told[other.id].assignee == ""
    assert told[made.id].changed
    assert system.read(made.id).changed == told[made.id].changed
    ticket.updated -= timedelta(days=30)
    again = system.changes(since())
    assert made.id not in {ref.id for ref in again or ()}


def test_many_changes_are_told(system: TicketSystem) -> None:
    made = {system.create(draft(f"{REF}{n}", html="<p>x</p>")).id for n in range(103)}
    told = system.changes(since())
    assert made == {ref.id for ref in told or ()}


def test_notes_are_read(system: TicketSystem, desk: Desk) -> None:
    made = system.create(draft())
    assert system.notes(made.id) == []
    system.note(made.id, "<p>More</p>", f"{REF}/2")
    system.note(made.id, "<p>Even more</p>", f"{REF}/3")
    notes = system.notes(made.id)
    assert len(notes) == 2
    assert f"[{REF}/2]" in notes[0]


def test_what_is_not_there(system: TicketSystem) -> None:
    missing = system.create(draft()).id.replace("1", "7")
    with pytest.raises(NotFound):
        system.read(missing)
    with pytest.raises(NotFound):
        system.update(missing, "resolved")
    with pytest.raises(NotFound):
        system.note(missing, "<p>x</p>", f"{REF}/1")
    for bad in ("", "../users", "1?x=1", "a b", "x" * 80):
        with pytest.raises(Rejected):
            system.read(bad)
