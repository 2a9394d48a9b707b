"""Who said what of an alert: our case, and Microsoft. Pure.

Both sides are compared with what each said last, so that a change is told from its echo: what only
one side has changed since goes to the other; where both have, Microsoft's wins. Nothing is written
because the two merely differ.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

FIELDS = ("status", "classification", "determination")
NEW, IN_PROGRESS, RESOLVED = "new", "inProgress", "resolved"
_STATUSES = (NEW, IN_PROGRESS, RESOLVED)

Said = Mapping[str, str]
UNTOUCHED: Said = {"status": NEW, "classification": "", "determination": ""}


def said(status: str, classification: str, determination: str) -> dict[str, str]:
    """What one side says; "unknown" says nothing. An alert that is gone needs nobody any more."""
    values = (RESOLVED if status == "deleted" else status, classification, determination)
    return {
        name: "" if value == "unknown" else value
        for name, value in zip(FIELDS, values, strict=True)
    }


def said_by_case(status: int, verdict: str, determination: str) -> dict[str, str]:
    """`status` is that of an unmerged case."""
    return said(_STATUSES[status], verdict, determination if verdict else "")


def owed(before: Said, now: Said, theirs: Said, waiting: Collection[str] = ()) -> dict[str, str]:
    """The fields that Microsoft has to be told.

    `before`: what our case said when it was compared last; `waiting`: the fields that were to be
    told then and were not yet. A case that never was closed reopens nothing; and what Microsoft has
    in progress is not made new again.
    """
    fields = {}
    for name in FIELDS:
        ours, theirs_now = now.get(name, ""), theirs.get(name, "")
        has_moved = ours != before.get(name, "") or name in waiting
        if not ours or not has_moved or ours == theirs_now:
            continue
        if name == "status":
            reopens = before.get(name) == RESOLVED or name in waiting
            if ours != RESOLVED and theirs_now == RESOLVED and not reopens:
                continue
            if ours == NEW and theirs_now != RESOLVED:
                continue
        fields[name] = ours
    return fields


@dataclass(frozen=True, slots=True)
class Move:
    """What Microsoft's side did since it was compared last.

    `is_echo`: it says what we wanted it to say. `reopened`, `resolved`: of the status. `verdict`,
    `determination`: what was chosen there, or "". `overrules`: somebody there was faster with what
    we were about to write.
    """

    changed: tuple[str, ...]
    is_echo: bool
    reopened: bool
    resolved: bool
    verdict: str
    determination: str
    overrules: bool


def moved(base: Said, theirs: Said, wanted: Said, waiting: Collection[str]) -> Move | None:
    """None if it is as it was."""
    changed = [name for name in FIELDS if theirs.get(name, "") != base.get(name, "")]
    if not changed:
        return None
    is_echo = all(theirs.get(name, "") == wanted.get(name, "") for name in changed)
    status, before = theirs.get("status", ""), base.get("status", "")
    overrules = not is_echo and any(
        name in waiting and theirs.get(name, "") != wanted.get(name, "") for name in changed
    )
    status_overrules = "status" in waiting and "status" in changed and status != RESOLVED
    judged = "classification" in changed or "determination" in changed
    return Move(
        changed=tuple(changed),
        is_echo=is_echo,
        reopened=status != RESOLVED
        and (before == RESOLVED or (status_overrules and wanted.get("status") == RESOLVED)),
        resolved=status == RESOLVED and before != RESOLVED,
        verdict=theirs.get("classification", "") if judged and not is_echo else "",
        determination=theirs.get("determination", "") if judged and not is_echo else "",
        overrules=overrules,
    )
