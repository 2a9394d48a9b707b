"""Asset classes: lists and groups become pseudonyms, and cases are marked by them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from alerts import assets
from alerts.assets import Refused, follow_group, make_class, refresh_groups, take_list
from alerts.marks import marks_of
from alerts.models import Alert, AssetClass, AssetMember, Case
from tenants.models import Tenant
from tenants.pseudonyms import Pseudonymiser, derive_key
from tenants.scope import scope
from tenants.sealing import Unsealable, seal, unseal
from tests.alerts.documents import device
from tests.alerts.enrich_lab import NOW, Lab, odd, oid

GROUP, INNER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@pytest.fixture
def lab(qa: Tenant, simulator: Any, pseudonymiser: Pseudonymiser) -> Lab:
    return Lab(qa, simulator, pseudonymiser)


def made(lab: Lab, name: str = "Board", kind: str = "vip", holds: str = "people") -> uuid.UUID:
    with scope(lab.tenant):
        return make_class(name, kind, holds).public_id


def fill(lab: Lab, public_id: uuid.UUID, data: bytes) -> assets.Uploaded:
    with scope(lab.tenant):
        return take_list(public_id, data, lab.pseudonymiser, NOW)


def marked(lab: Lab, key: str) -> list[tuple[str, str]]:
    with scope(lab.tenant):
        case = Alert.objects.get(provider_id=key).case_id
        return [(one.kind, one.asset_class) for one in marks_of([case]).get(case, ())]


def test_a_list_marks_cases_and_is_not_kept(lab: Lab) -> None:
    lab.take(odd("a", "anna"), odd("b", "ben", at=NOW - timedelta(days=9)))
    board = made(lab)
    with scope(lab.tenant):
        Case.objects.update(judge_at=None)
    done = fill(lab, board, b"Name;UPN\nAnna;ANNA@contoso.com\nnobody\nAnna;anna@contoso.com\n")
    assert (done.members, done.repeated, done.problem_count) == (1, 1, 1)
    assert done.problems[0].startswith("Line 3: ")
    assert marked(lab, "a") == [("vip", "Board")]
    assert marked(lab, "b") == []
    with scope(lab.tenant):
        stored = repr([list(AssetMember.objects.values()), list(AssetClass.objects.values())])
        due = Case.objects.exclude(judge_at=None).values_list("alerts__provider_id", flat=True)
        assert list(due) == ["a"], "it is judged again"
    assert "anna" not in stored.casefold()


def test_a_new_list_replaces_the_old_one(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    board = made(lab)
    fill(lab, board, b"anna@contoso.com\n")
    with scope(lab.tenant):
        Case.objects.update(judge_at=None)
    fill(lab, board, b"ben@contoso.com\n")
    assert marked(lab, "a") == []
    with scope(lab.tenant):
        assert Case.objects.exclude(judge_at=None).exists(), "who was in it counts, too"
        assets.remove_class(board)
        assert not AssetMember.objects.exists()


def test_a_list_of_nothing_leaves_what_there_is(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    board = made(lab)
    fill(lab, board, b"anna@contoso.com\n")
    for data in (b"", b"nobody\n", b"PK\x03\x04"):
        with pytest.raises(Refused):
            fill(lab, board, data)
    assert marked(lab, "a") == [("vip", "Board")]


def test_devices_are_crown_jewels_by_any_name(lab: Lab) -> None:
    pc = {**device("pc"), "azureAdDeviceId": oid("pc")}
    lab.take(odd("a", "anna", pc))
    for name, line in (("By id", oid("pc")), ("By DNS", "PC.corp.contoso.com"), ("By host", "PC")):
        fill(lab, made(lab, name, "crown_jewel", "devices"), line.encode())
    assert [name for _, name in marked(lab, "a")] == ["By DNS", "By host", "By id"]


@pytest.mark.parametrize(
    ("name", "kind", "holds"),
    [
        ("", "vip", "people"),
        ("<b>", "vip", "people"),
        ("x" * 61, "vip", "people"),
        ("Board", "vip", "devices"),
        ("Board", "king", "people"),
        ("Board", "own", "boats"),
    ],
)
def test_a_class_needs_a_name_and_a_kind(lab: Lab, name: str, kind: str, holds: str) -> None:
    with pytest.raises(Refused):
        made(lab, name, kind, holds)


def test_two_classes_have_two_names(lab: Lab) -> None:
    made(lab)
    with pytest.raises(Refused, match="already"):
        made(lab, kind="own")


def test_after_a_rotation_members_are_known_on_sight(lab: Lab, qa: Tenant) -> None:
    fill(lab, made(lab), b"anna@contoso.com\n")
    old = ("1", derive_key(b"m" * 32, qa.public_id))
    new = ("2", derive_key(b"n" * 32, qa.public_id))
    lab.pseudonymiser = Pseudonymiser([new, old])
    lab.enrich(lab.take(odd("a", "anna")))
    assert marked(lab, "a") == [("vip", "Board")]
    lab.pseudonymiser = Pseudonymiser([new])
    lab.enrich(lab.take(odd("b", "anna", at=NOW - timedelta(days=20))))
    assert marked(lab, "b") == [("vip", "Board")], "also when the old key is gone"


# --- groups ---------------------------------------------------------------------------------------


def people(lab: Lab, *names: str) -> list[str]:
    users = [{"id": oid(name), "userPrincipalName": f"{name}@contoso.com"} for name in names]
    lab.control.add_rows(lab.directory, "users", users)
    return [oid(name) for name in names]


def group(lab: Lab, key: str, members: list[Any]) -> None:
    row = {"id": key, "displayName": "VIPs of Contoso", "members": members}
    lab.control.add_rows(lab.directory, "groups", row)


def follow(lab: Lab, holds: str = "people", kind: str = "vip") -> AssetClass:
    public_id = made(lab, f"Group of {holds}", kind, holds)
    with scope(lab.tenant):
        follow_group(public_id, GROUP.upper(), lab.pseudonymiser, NOW)
        return AssetClass.objects.get(public_id=public_id)


def refresh(lab: Lab, now: Any = NOW, **more: Any) -> int:
    graph = more.pop("graph", lab.graph)
    return refresh_groups(lab.tenant, graph, lab.pseudonymiser, now)


def problem(lab: Lab, found: AssetClass) -> str:
    with scope(lab.tenant):
        found.refresh_from_db()
    return found.problem


def test_members_of_groups_in_the_group_count_and_follow_it_daily(lab: Lab) -> None:
    lab.take(odd("a", "anna"), odd("b", "ben", at=NOW - timedelta(days=9)))
    group(lab, INNER, people(lab, "anna"))
    group(lab, GROUP, [*people(lab, "carl"), INNER, GROUP])
    found = follow(lab)
    assert refresh(lab) == 1
    assert marked(lab, "a") == [("vip", "Group of people")]
    assert refresh(lab, NOW + timedelta(hours=23)) == 0
    group(lab, INNER, people(lab, "ben"))
    assert refresh(lab, NOW + timedelta(hours=25)) == 1
    assert (marked(lab, "a"), marked(lab, "b")) == ([], [("vip", "Group of people")])
    assert problem(lab, found) == ""
    with scope(lab.tenant):
        assert GROUP not in repr(list(AssetClass.objects.values()))


def test_a_large_group_is_read_page_by_page(lab: Lab) -> None:
    names = [f"u{n}" for n in range(1100)]
    group(lab, GROUP, people(lab, *names))
    follow(lab)
    refresh(lab)
    with scope(lab.tenant):
        assert AssetMember.objects.values("member").distinct().count() == 1100


def test_devices_of_a_group(lab: Lab) -> None:
    lab.take(odd("a", "anna", {**device("pc"), "azureAdDeviceId": oid("pc")}))
    kind = "#microsoft.graph.device"
    group(lab, GROUP, [{"@odata.type": kind, "id": oid("object"), "deviceId": oid("pc")}])
    follow(lab, "devices", "crown_jewel")
    refresh(lab)
    assert marked(lab, "a") == [("crown_jewel", "Group of devices")]


def test_what_is_missing_is_said_and_the_members_stay(lab: Lab) -> None:
    lab.take(odd("a", "anna"))
    group(lab, GROUP, people(lab, "anna"))
    found = follow(lab)
    refresh(lab)
    later = NOW + timedelta(days=2)
    assert refresh(lab, later, graph=lab.graph_with(["User.Read.All"])) == 0
    assert problem(lab, found) == assets.NO_PERMISSION
    lab.control.delete_rows(lab.directory, "groups", GROUP)
    assert refresh(lab, later + timedelta(days=2)) == 0
    assert problem(lab, found) == assets.GONE
    lab.control.fault("status", directory=lab.directory, path="groups", status=400, count=1)
    assert refresh(lab, later + timedelta(days=4)) == 0
    assert "answered 400" in problem(lab, found)
    assert marked(lab, "a") == [("vip", "Group of people")]


@pytest.mark.parametrize(("given", "holds"), [("VIPs of Contoso", "people"), (GROUP, "data")])
def test_a_group_is_given_by_its_id(lab: Lab, given: str, holds: str) -> None:
    public_id = made(lab, "Own", "own", holds)
    with scope(lab.tenant), pytest.raises(Refused):
        follow_group(public_id, given, lab.pseudonymiser, NOW)


def test_what_is_sealed_opens_under_each_key_of_the_tenant_only(qa: Tenant, qatest: Tenant) -> None:
    def key(master: bytes, tenant: Tenant) -> tuple[str, bytes]:
        return master.decode()[:1], derive_key(master * 32, tenant.public_id)

    old = Pseudonymiser([key(b"m", qa)])
    sealed = seal(GROUP, old)
    assert unseal(sealed, Pseudonymiser([key(b"n", qa), key(b"m", qa)])) == GROUP
    for other in (Pseudonymiser([key(b"n", qa)]), Pseudonymiser([key(b"m", qatest)])):
        with pytest.raises(Unsealable):
            unseal(sealed, other)
