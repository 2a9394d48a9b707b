"""What a program could send to the API: names wherever a text fits, rightly and wrongly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import requests
from django.utils import timezone

from csc_portal.api.keys import NewKey, create_key
from csc_portal.api.scopes import Scope
from tenants.models import User
from tests.privacy.canaries import Marks


def call_api(url: str, owner: User, marks: Marks, case: str, person: str) -> list[str]:
    """The answers that hold names: of the audited look-up and of the name itself."""
    new = NewKey("A program", [scope.value for scope in Scope])
    _, secret = create_key(owner, new, actor=owner.username, now=timezone.now())
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {secret}"
    like, api = marks.like, f"{url}/api/v1"
    found = session.post(f"{api}/entities/lookup", json={"text": person}, timeout=30)
    assert found.status_code == 200, found.status_code
    [entity, *_] = found.json()["items"]
    name = session.post(f"{api}/entities/{entity['id']}/name", timeout=30)
    once = {"Idempotency-Key": like("x")}
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    snooze = {"do": "snooze", "until": later, "reason": f"Ask {like('a@b.example')}"}
    for path, body in (
        (f"cases/{case}/actions", snooze),
        (f"cases/{case}/actions", {"do": like("x"), like("x"): like("a@b")}),
        (f"cases/{case}/comments", {"text": f"{like('x')} is {like('a@b')}"}),
        ("cases/bulk", {**snooze, "cases": [case]}),
        ("cases/bulk", {"do": "unassign", "cases": [case]}),
        ("entities/lookup", {"text": like("x"), "tenants": [like("x")]}),
    ):
        session.post(f"{api}/{path}", json=body, headers=once, timeout=30)
        once = {"Idempotency-Key": like("x")}
    for query in (f"q={like('x')}", f"{like('x')}=1", f"cursor={like('x')}", f"tenant={like('x')}"):
        session.get(f"{api}/cases?{query}", timeout=30)
    session.get(f"{api}/alerts?source_ref={like('x')}", timeout=30)
    session.get(f"{api}/alerts/search?severity={like('x')}", timeout=30)
    session.get(f"{api}/{like('x')}", timeout=30)
    for path in (f"findings?kind={like('x')}", f"tenants/{like('x')}/resources?type={like('x')}"):
        session.get(f"{api}/{path}", timeout=30)
    session.get(f"{api}/events", headers={"Last-Event-ID": like("x")}, timeout=30)
    token = {"Authorization": f"Bearer {like('x')}.{like('x')}.{like('x')}"}
    session.get(f"{api}/cases", headers=token, timeout=30)
    session.get(f"{api}/cases/{case}/file", timeout=30)
    session.post(f"{api}/cases/{case}/stix", timeout=30)
    call_tools(session, url, marks, case)
    return [found.text, name.text]


def call_tools(session: requests.Session, url: str, marks: Marks, case: str) -> None:
    """As an assistant would: no answer holds a name, whatever it asks for."""
    for tool, arguments in (
        ("get_case", {"id": case}),
        ("search_cases", {"q": marks.like("x"), "status": ["any"]}),
        ("get_case", {"id": marks.like("a@b.example")}),
        ("search_cases", {marks.like("x"): 1}),
        (marks.like("x"), {}),
    ):
        asked = {"name": tool, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
        answer = session.post(f"{url}/mcp", json=body, timeout=30)
        assert answer.status_code == 200, answer.status_code
