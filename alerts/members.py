"""Members of asset classes: stored as pseudonyms, found again after the key was rotated."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from alerts.records import AlertRecord
from alerts.rejudge import judge_again
from alerts.rows import as_json, run
from alerts.subjects import pseudonym_versions
from enrichment.lists import Key
from tenants.pseudonyms import Pseudonymiser

INSERT = """
INSERT INTO alerts_assetmember (asset_class_id, pseudonym, member)
SELECT %s, pseudonym, member FROM json_to_recordset(%s::json) AS x(pseudonym uuid, member uuid)
ON CONFLICT DO NOTHING
"""
REMOVE = "DELETE FROM alerts_assetmember WHERE asset_class_id = %s"
OPEN_CASES = """
SELECT DISTINCT a.case_id FROM alerts_assetmember m
JOIN alerts_entitykey k ON k.pseudonym = m.pseudonym
JOIN alerts_alertentity l ON l.entity_id = k.entity_id
JOIN alerts_alert a ON a.id = l.alert_id
JOIN alerts_case c ON c.id = a.case_id AND c.status < 2
WHERE m.asset_class_id = %s
"""
# A list holds the pseudonyms of its day. What is seen again is known under the new key from now on.
LEARN = """
INSERT INTO alerts_assetmember (asset_class_id, pseudonym, member)
SELECT DISTINCT m.asset_class_id, g.newest, m.member
FROM json_to_recordset(%s::json) AS g(newest uuid, older uuid)
JOIN alerts_assetmember m ON m.pseudonym = g.older
ON CONFLICT DO NOTHING
"""


def replace_members(
    class_id: int, entries: Iterable[Sequence[Key]], pseudonymiser: Pseudonymiser
) -> int:
    """What the class holds from now on; how many. Inside the scope and a transaction.

    Open cases that name what is or was in it are judged again.
    """
    named = open_cases(class_id)
    rows: list[dict[str, uuid.UUID]] = []
    count = 0
    for keys in entries:
        pseudonyms = [pseudonymiser.pseudonym(*key) for key in keys]
        rows += [{"pseudonym": one, "member": pseudonyms[0]} for one in pseudonyms]
        count += 1
    run(REMOVE, [class_id])
    if rows:
        run(INSERT, [class_id, as_json(rows)])
    judge_again(named | open_cases(class_id))
    return count


def open_cases(class_id: int) -> set[int]:
    """Those that name something in the class. Inside the scope."""
    return {case_id for (case_id,) in run(OPEN_CASES, [class_id])}


def learn_members(records: Iterable[AlertRecord], pseudonymiser: Pseudonymiser) -> None:
    """After a rotation: what these alerts name is a member under the new key, too, if it was under
    an older one. Nothing happens while there is one key.
    """
    if len(pseudonymiser.all_versions("user", "name:any")) < 2:
        return
    rows = [
        {"newest": versions[0], "older": older}
        for record in records
        for versions in pseudonym_versions(record, pseudonymiser)
        for older in versions[1:]
    ]
    if rows:
        run(LEARN, [as_json(rows)])
