"""The rules that the portal comes with: two that hold, two to start from."""

import json
import uuid

from django.db import migrations

NAMESPACE = uuid.UUID("6a1f2c52-6f0e-4c53-9a0e-3c1f6f7f1b11")
STOLEN = [
    "Anomalous Token", "Anomalous token", "Attacker in the Middle", "Adversary in the Middle",
    "Leaked credentials", "Password spray", "Token issuer anomaly",
    "Possible attempt to access Primary Refresh Token (PRT)", "Verified threat actor IP",
    "Microsoft Entra threat intelligence", "User reported suspicious activity",
]
ODD_SIGN_INS = [
    "Unfamiliar sign-in properties", "Atypical travel", "New country",
    "Impossible travel activity", "Activity from infrequent country",
]


def _is(field, operator, value):
    return {"field": field, "operator": operator, "value": value}


RULES = (
    (
        "Signs of a stolen account go to people",
        "MFA proves nothing against a stolen token or password",
        {"all": [_is("detections", "has", STOLEN)]},
        {"action": "ticket"},
        True,
    ),
    (
        "VIPs and crown jewels go to people",
        "What matters most is not closed by rules",
        {"any": [_is("vip", "is", True), _is("crown_jewel", "is", True)]},
        {"action": "ticket"},
        True,
    ),
    (
        "Odd sign-ins with a passkey from a managed device",
        "To start from: neither can be passed on to an attacker's page",
        {
            "all": [
                _is("detections", "only", ODD_SIGN_INS),
                _is("severity", "at_most", "medium"),
                _is("signed_in", "is", True),
                _is("phishing_resistant", "is", True),
                _is("managed_device", "is", True),
                _is("prompts", "equals", 0),
                _is("seen_elsewhere", "is", False),
                _is("watch_hits", "equals", 0),
            ]
        },
        {"action": "close", "verdict": "informationalExpectedActivity"},
        False,
    ),
    (
        "Informational alerts rest for a day",
        "To start from: they matter if something joins them",
        {"all": [_is("severity", "equals", "informational"), _is("alerts", "at_most", 1)]},
        {"action": "snooze", "hours": 24},
        False,
    ),
)
RULE = """
INSERT INTO tenants_rule (public_id, name, version, definition, reason, is_enabled)
VALUES (%s, %s, 1, %s, %s, %s) RETURNING id
"""
VERSION = """
INSERT INTO tenants_ruleversion (rule_id, version, name, definition, reason, is_enabled)
VALUES (%s, 1, %s, %s, %s, %s)
"""


def _as_owner(schema_editor, forced):
    """Row-level security is forced on the owner, too; for these rows it stands aside."""
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks to come is fixed
    for table in ("tenants_rule", "tenants_ruleversion"):
        schema_editor.execute(f"ALTER TABLE {table} {forced} ROW LEVEL SECURITY")


def add(apps, schema_editor):
    _as_owner(schema_editor, "NO FORCE")
    with schema_editor.connection.cursor() as cursor:
        for name, reason, when, then, is_enabled in RULES:
            definition = json.dumps({"when": when, "then": then})
            key = uuid.uuid5(NAMESPACE, name)
            cursor.execute(RULE, [key, name, definition, reason, is_enabled])
            rule = cursor.fetchone()[0]
            cursor.execute(VERSION, [rule, name, definition, reason, is_enabled])
    _as_owner(schema_editor, "FORCE")


def remove(apps, schema_editor):
    _as_owner(schema_editor, "NO FORCE")
    keys = [uuid.uuid5(NAMESPACE, name) for name, *_ in RULES]
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM tenants_ruleversion WHERE rule_id IN "
            "(SELECT id FROM tenants_rule WHERE public_id = ANY(%s))",
            [keys],
        )
        cursor.execute("DELETE FROM tenants_rule WHERE public_id = ANY(%s)", [keys])
    _as_owner(schema_editor, "FORCE")


class Migration(migrations.Migration):
    dependencies = [("tenants", "0017_audit_chain")]

    operations = [migrations.RunPython(add, remove)]
