"""Incidents, sign-ins, audits, scores, people, $batch, limits."""

from datetime import UTC, datetime, timedelta

from simulator import Simulator
from tests.simulator.conftest import Caller, plain_alert

INCIDENTS = "/v1.0/security/incidents"


def test_incidents_group_alerts_and_expand(graph: Caller) -> None:
    rows = graph.values(INCIDENTS, **{"$expand": "alerts", "$top": "20"})
    assert any(len(row["alerts"]) > 2 for row in rows)
    for row in rows:
        assert {alert["incidentId"] for alert in row["alerts"]} == {row["id"]}
    some = rows[0]
    assert graph.get(f"{INCIDENTS}/{some['id']}/alerts").json()["value"] == some["alerts"]
    assert "alerts" not in graph.get(f"{INCIDENTS}/{some['id']}").json()


def test_too_many_incidents_are_refused(graph: Caller) -> None:
    found = graph.get(INCIDENTS, **{"$top": "51"})
    assert found.status_code == 400
    assert "limit of '50' for Top query" in found.json()["error"]["message"]


def test_resolving_an_incident_resolves_its_alerts(sim: Simulator, empty: Caller) -> None:
    sim.control.add_alert(empty.directory, plain_alert("da1"))
    sim.control.tell(empty.directory, "phishing_wave")
    incident = empty.values(INCIDENTS)[0]
    body = {"status": "Resolved", "classification": "TruePositive", "customTags": ["Demo"]}
    found = empty.request("PATCH", f"{INCIDENTS}/{incident['id']}", json=body).json()
    assert (found["status"], found["lastModifiedBy"]) == ("resolved", "API-App:CSC Portal")
    alerts = empty.get(f"{INCIDENTS}/{incident['id']}/alerts").json()["value"]
    assert {row["status"] for row in alerts} == {"resolved"}
    wrong = {"status": "redirected"}
    assert empty.request("PATCH", f"{INCIDENTS}/{incident['id']}", json=wrong).status_code == 400


def test_sign_ins_have_the_fields_of_their_version(graph: Caller) -> None:
    beta = graph.values("/beta/auditLogs/signIns")
    assert all("authenticationDetails" in row for row in beta)
    steps = {
        step["authenticationStepResultDetail"]
        for row in beta
        for step in row["authenticationDetails"]
    }
    assert "MFA requirement satisfied by claim in the token" in steps
    assert "MFA completed in Azure AD" in steps
    old = graph.values("/v1.0/auditLogs/signIns")
    assert not any("authenticationDetails" in row for row in old)
    assert {row["id"] for row in old} == {row["id"] for row in beta}
    silent = {"$filter": "signInEventTypes/any(t: t eq 'nonInteractiveUser')"}
    assert graph.values("/beta/auditLogs/signIns", **silent)


def test_sign_ins_of_one_user_around_one_moment(graph: Caller) -> None:
    row = graph.values("/beta/auditLogs/signIns")[3]
    at = row["createdDateTime"]
    query = f"userId eq '{row['userId']}' and createdDateTime ge {at} and createdDateTime le {at}"
    found = graph.values("/beta/auditLogs/signIns", **{"$filter": query, "$top": "100"})
    assert row["id"] in {one["id"] for one in found}
    by_id = graph.get(f"/beta/auditLogs/signIns/{row['id']}")
    assert by_id.json()["correlationId"] == row["correlationId"]


def test_licences_and_lag(sim: Simulator, empty: Caller) -> None:
    # A while ago, for a story's sign-in comes some seconds after its beginning.
    sim.control.tell(empty.directory, "new_phone", at=datetime.now(UTC) - timedelta(minutes=5))
    assert len(empty.values("/beta/auditLogs/signIns")) == 1
    sim.control.configure(empty.directory, licences={"entra_id_p2": False})
    row = empty.values("/beta/auditLogs/signIns")[0]
    assert row["riskLevelDuringSignIn"] == "hidden"
    sim.control.settings(sign_in_lag_s=600)
    assert empty.values("/beta/auditLogs/signIns") == []
    sim.control.settings(sign_in_lag_s=0)
    sim.control.configure(empty.directory, licences={"entra_id_p1": False})
    refused = empty.get("/beta/auditLogs/signIns")
    code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, code)


def test_audits_name_what_was_done(graph: Caller) -> None:
    path = "/v1.0/auditLogs/directoryAudits"
    query = {"$filter": "activityDisplayName eq 'User registered security info'"}
    rows = graph.values(path, **query)
    assert rows
    person = rows[0]["initiatedBy"]["user"]["id"]
    mine = graph.values(path, **{"$filter": f"initiatedBy/user/id eq '{person}'"})
    assert rows[0]["id"] in {row["id"] for row in mine}
    target = graph.values(path, **{"$filter": f"targetResources/any(t: t/id eq '{person}')"})
    assert rows[0]["id"] in {row["id"] for row in target}


def test_scores_and_profiles(graph: Caller) -> None:
    newest = graph.get("/v1.0/security/secureScores", **{"$top": "1"}).json()["value"][0]
    names = {row["controlName"] for row in newest["controlScores"]}
    assert names == {row["id"] for row in graph.values("/v1.0/security/secureScoreControlProfiles")}
    assert newest["currentScore"] < newest["maxScore"]
    assert len(graph.values("/v1.0/security/secureScores")) == 90
    path = "/v1.0/security/secureScoreControlProfiles/DLPEnabled"
    vendor = {"provider": "SecureScore", "vendor": "Microsoft"}
    body = {"state": "Ignored", "comment": "later", "vendorInformation": vendor}
    assert graph.request("PATCH", path, json=body).json()["controlStateUpdates"][-1]["comment"]


def test_people_groups_and_roles(graph: Caller) -> None:
    fields = "id,displayName,jobTitle,department,userPrincipalName"
    users = graph.values("/v1.0/users", **{"$select": fields, "$top": "25"})
    assert len(users) == 60
    chief = next(row for row in users if row["jobTitle"] == "Chief Executive Officer")
    assert graph.get(f"/v1.0/users/{chief['userPrincipalName']}").json()["id"] == chief["id"]
    group = graph.values("/v1.0/groups", **{"$filter": "displayName eq 'VIP'"})[0]
    assert chief["id"] in {row["id"] for row in graph.values(f"/v1.0/groups/{group['id']}/members")}
    path = f"/v1.0/users/{chief['id']}/checkMemberGroups"
    body = {"groupIds": [group["id"], "x"]}
    assert graph.request("POST", path, json=body).json()["value"] == [group["id"]]
    held = graph.values(
        "/v1.0/roleManagement/directory/roleAssignments", **{"$expand": "principal"}
    )
    assert held[0]["principal"]["id"] == held[0]["principalId"]
    assert graph.get("/v1.0/organization").json()["value"][0]["displayName"] == "Contoso Bank AG"


def test_batch_answers_each_item(sim: Simulator, graph: Caller) -> None:
    some = graph.values("/v1.0/security/alerts_v2")[0]["id"]
    sim.control.fault("status", service="graph", path="secureScores", status=429, retry_after=9)
    items = [
        {"id": "1", "method": "GET", "url": f"/security/alerts_v2/{some}"},
        {"id": "2", "method": "GET", "url": "/security/alerts_v2/none"},
        {"id": "3", "method": "GET", "url": "security/secureScores?$top=1"},
        {"id": "4", "method": "GET", "url": "/users", "dependsOn": ["2"]},
        {
            "id": "5",
            "method": "PATCH",
            "url": f"/security/alerts_v2/{some}",
            "body": {"status": "new"},
        },
    ]
    found = graph.request("POST", "/v1.0/$batch", json={"requests": items}).json()["responses"]
    rows = {row["id"]: row for row in found}
    assert {key: row["status"] for key, row in rows.items()} == {
        "1": 200, "2": 404, "3": 429, "4": 424, "5": 400,
    }  # fmt: skip
    assert rows["3"]["headers"]["Retry-After"] == "9"
    assert rows["1"]["body"]["id"] == some
    many = [{"id": str(n), "method": "GET", "url": "/users"} for n in range(21)]
    assert graph.request("POST", "/v1.0/$batch", json={"requests": many}).status_code == 400


def test_published_limits_when_switched_on(sim: Simulator, empty: Caller, graph: Caller) -> None:
    sim.control.settings(graph_limits=True)
    try:
        path = "/beta/auditLogs/signIns"
        answers = [empty.get(path) for _ in range(6)]
        assert [found.status_code for found in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 11
        assert answers[-1].json()["error"]["code"] == "TooManyRequests"
        assert graph.get(path).status_code == 200
        risk = [empty.get("/v1.0/identityProtection/riskDetections") for _ in range(9)]
        refused = [found for found in risk if found.status_code == 429]
        assert refused
        assert "Retry-After" not in refused[0].headers
    finally:
        sim.control.settings(graph_limits=False)
    assert sim.control.count(slug=empty.directory, family="auditLogs", status=429) == 1
