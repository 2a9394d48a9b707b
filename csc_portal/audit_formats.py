"""Entries of the audit log as CEF, JSON lines and CSV, one at a time. Pure.

Texts may be hostile (a user name begins with '=' or holds '|'): in CEF nothing can start a new
field or line, and nothing begins like a formula in what a spreadsheet may open.
CEF: https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.4/cef-implementation-standard/
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from csc_portal.spreadsheet import no_formula

KINDS = ("cef", "jsonl", "csv")
CONTENT_TYPES = {
    "cef": "text/plain; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
}
COLUMNS = ("id", "at", "actor", "action", "tenant", "subject", "facts", "seq")
WARNED = frozenset({"sign_in_locked", "push_keys_shown", "tenant_erased", "audit_archived"})
"""Actions that a SIEM should show before others."""
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as one reader may see it. `seq` is its place in the chain, None while unsealed."""

    id: int
    at: datetime
    actor: str
    action: str
    tenant: str = ""
    subject: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    seq: int | None = None


def as_json(line: Line) -> str:
    told = {name: getattr(line, name) for name in COLUMNS}
    return json.dumps(told | {"at": _time(line.at), "facts": dict(line.facts)}) + "\n"


def as_csv(line: Line) -> str:
    told = {name: getattr(line, name) for name in COLUMNS}
    told |= {"at": _time(line.at), "facts": _facts(line)}
    return _row([no_formula("" if told[name] is None else told[name]) for name in COLUMNS])


def as_cef(line: Line) -> str:
    header = "|".join(
        _header(text)
        for text in (
            "Cloud Security Center", "CSC Portal", "1", line.action,
            line.action.replace("_", " ").capitalize(), "6" if line.action in WARNED else "3",
        )
    )  # fmt: skip
    told: dict[str, object] = {
        "rt": int(line.at.timestamp() * 1000),
        "externalId": line.id,
        "suser": line.actor,
        "act": line.action,
        "cs1Label": "tenant" if line.tenant else "",
        "cs1": line.tenant,
        "cs2Label": "subject" if line.subject else "",
        "cs2": line.subject,
        "cs3Label": "facts" if line.facts else "",
        "cs3": _facts(line) if line.facts else "",
        "cn1Label": "seq" if line.seq else "",
        "cn1": line.seq or "",
    }
    pairs = [f"{key}={_value(value)}" for key, value in told.items() if value != ""]
    return f"CEF:0|{header}|{' '.join(pairs)}\n"


WRITERS: dict[str, Callable[[Line], str]] = {"cef": as_cef, "jsonl": as_json, "csv": as_csv}


def heading(kind: str) -> str:
    """What stands before the first entry."""
    return _row(list(COLUMNS)) if kind == "csv" else ""


def _header(text: str) -> str:
    return _BREAKS.sub(" ", text).replace("\\", "\\\\").replace("|", "\\|")


def _value(value: object) -> str:
    text = str(no_formula(_BREAKS.sub(" ", value) if isinstance(value, str) else value))
    return text.replace("\\", "\\\\").replace("=", "\\=").replace("|", "\\|")


def _facts(line: Line) -> str:
    return json.dumps(dict(line.facts), sort_keys=True)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _row(cells: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
