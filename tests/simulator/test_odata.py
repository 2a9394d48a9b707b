"""The $filter parser by itself."""

import pytest

from simulator import odata

USER = "microsoft.graph.security.userEvidence"
SCHEMA = {
    "severity": "enum:low,medium,high",
    "status": "enum:new,resolved",
    "title": "string",
    "score": "number",
    "fine": "bool",
    "at": "date",
    "place/city": "string",
    "evidence": "collection",
}
ROW = {
    "severity": "high",
    "status": "new",
    "title": "It's odd",
    "score": 7,
    "fine": True,
    "at": "2026-11-20T08:00:00.1234567Z",
    "place": {"city": "Zürich"},
    "evidence": [
        {
            "@odata.type": "#microsoft.graph.security.userEvidence",
            "userAccount": {"userPrincipalName": "a@b.example"},
        }
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("severity eq 'high'", True),
        ("severity eq 'HIGH'", True),
        ("severity ne 'high'", False),
        ("severity eq 'low' or status eq 'new' and fine eq true", True),
        ("(severity eq 'low' or status eq 'new') and fine eq false", False),
        ("not (severity eq 'low')", True),
        ("severity in ('low', 'high')", True),
        ("title eq 'It''s odd'", True),
        ("title eq null", False),
        ("startswith(title,'it')", True),
        ("contains(title,'ODD')", True),
        ("place/city eq 'zürich'", True),
        ("score ge 7 and score lt 8", True),
        ("at ge 2026-11-20T08:00:00Z", True),
        ("at gt 2026-11-20T08:00:00.1234567Z", False),
        ("at ge 2026-11-20T08:00:00.1234567Z and at lt 2026-11-20T08:00:00.1234568Z", True),
        ("at eq 2026-11-20T10:00:00.1234567+02:00", True),
        (f"evidence/any(e: e/{USER}/userAccount/userPrincipalName eq 'A@B.example')", True),
        ("evidence/any(e:e/microsoft.graph.security.deviceEvidence/hostName eq 'x')", False),
    ],
)  # fmt: skip
def test_meaning(text: str, expected: bool) -> None:
    assert odata.parse(text, SCHEMA, "alert")(ROW) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "severity",
        "severity eq",
        "severity eq high",
        "severity eq 'purple'",
        "severity equals 'high'",
        "unknown eq 'x'",
        "at ge '2026-11-20T08:00:00Z'",
        "at ge yesterday",
        "title eq 'open",
        "(severity eq 'high'",
        "severity eq 'high')",
        "severity eq 'high' severity eq 'low'",
        "title eq 'a'; drop table",
        "(" * 100 + "severity eq 'high'" + ")" * 100,
        "score eq 'seven'",
    ],
)
def test_refusals(text: str) -> None:
    with pytest.raises(odata.BadFilter):
        odata.parse(text, SCHEMA, "alert")
