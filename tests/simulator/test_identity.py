"""Risky users, reduced detections below P2, and members of groups in groups."""

from simulator import Simulator
from tests.simulator.conftest import Caller


def test_a_risky_user_by_id(graph: Caller) -> None:
    one = graph.values("/v1.0/identityProtection/riskyUsers")[0]
    found = graph.get(f"/v1.0/identityProtection/riskyUsers/{one['id']}").json()
    assert found["riskState"] == "atRisk"
    unknown = graph.get("/v1.0/identityProtection/riskyUsers/nobody")
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "ResourceNotFound"


def test_p1_hides_what_a_detection_is(sim: Simulator, empty: Caller) -> None:
    sim.control.tell(empty.directory, "token_theft")
    sim.control.configure(empty.directory, licences={"entra_id_p2": False})
    for row in empty.values("/v1.0/identityProtection/riskDetections"):
        assert (row["riskEventType"], row["riskLevel"]) == ("generic", "hidden")
    path = "/v1.0/identityProtection/riskyUsers/x"
    code = empty.get(path).json()["error"]["code"]
    assert code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
    sim.control.configure(empty.directory, licences={"entra_id_p2": True})


def test_members_of_groups_in_groups_come_page_by_page(sim: Simulator, empty: Caller) -> None:
    users = [{"id": f"u{n}", "userPrincipalName": f"u{n}@contoso.com"} for n in range(5)]
    sim.control.add_rows(empty.directory, "users", users)
    device = {"@odata.type": "#microsoft.graph.device", "id": "d", "deviceId": "x"}
    for key, members in (("outer", ["u0", "inner", device]), ("inner", ["u0", "u1", "outer"])):
        row = {"id": key, "displayName": key, "members": members}
        sim.control.add_rows(empty.directory, "groups", row)
    path = "/v1.0/groups/outer/transitiveMembers"
    first = empty.get(path, **{"$top": "3", "$select": "id,deviceId"}).json()
    assert [row["id"] for row in first["value"]] == ["u0", "inner", "u1"]
    rest = empty.session.get(first["@odata.nextLink"], timeout=20).json()
    assert rest["value"] == [device]
    assert "@odata.nextLink" not in rest
    assert empty.get("/v1.0/groups/nothing/transitiveMembers").status_code == 404
    assert empty.get(path, **{"$top": "1000"}).status_code == 400
