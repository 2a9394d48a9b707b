"""Alerts from a folder of Graph documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from simulator import moments
from simulator.directory import Directory
from simulator.store import Document

ALERT_TYPE = "microsoft.graph.security.alert"
_SIGNS = {"serviceSource", "detectionSource", "providerAlertId", "evidence", "alertWebUrl"}
_LEGACY_SIGNS = {"vendorInformation", "azureTenantId"}


def load(folder: Path, directories: list[Directory]) -> list[str]:
    """Give the folder's alerts to every directory; returns one line for each thing left out.

    A file holds one document or a list under `value`. The alert's `tenantId` becomes the
    directory's own, everything else stays as written. Of several versions of one alert the
    newest counts. Legacy alerts go to the legacy list.
    """
    problems: list[str] = []
    current: dict[str, Document] = {}
    legacy: dict[str, Document] = {}
    for path in sorted(folder.glob("**/*.json")):
        name = path.relative_to(folder)
        try:
            content = orjson.loads(path.read_bytes())
        except orjson.JSONDecodeError as err:
            problems.append(f"{name}: left out, no JSON ({err.msg} at {err.pos})")
            continue
        taken = 0
        for place, row in _rows(content):
            kind = _kind(row)
            if kind == "other":
                problems.append(f"{name}: left out, {place} is not an alert")
                continue
            taken += 1
            rows = current if kind == "alert" else legacy
            if _is_newer(row, rows.get(row["id"])):
                rows[row["id"]] = row
            else:
                problems.append(f"{name}: left out, {place} is another version of a taken alert")
        if not taken and not any(line.startswith(f"{name}:") for line in problems):
            problems.append(f"{name}: left out, it holds no document")
    for directory in directories:
        # What was changed here since an earlier start stays.
        directory.put_alerts(
            _owned(row, "tenantId", directory)
            for key, row in current.items()
            if _is_newer(row, directory.alerts.get(key))
        )
        directory.legacy_alerts.put_many(
            (key, _owned(row, "azureTenantId", directory)) for key, row in legacy.items()
        )
    problems.append(
        f"{len(current)} alerts and {len(legacy)} legacy alerts given to {len(directories)} "
        "directories"
    )
    return problems


def _is_newer(row: Document, known: Document | None) -> bool:
    if known is None:
        return True
    field = "lastUpdateDateTime"
    return moments.ticks_or_zero(row.get(field)) > moments.ticks_or_zero(known.get(field))


def _rows(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and isinstance(content.get("value"), list):
        for place, row in enumerate(content["value"]):
            yield f"value[{place}]", row
    elif isinstance(content, list):
        for place, row in enumerate(content):
            yield f"[{place}]", row
    else:
        yield "the document", content


def _kind(row: Any) -> str:
    """ "alert", "legacy" or "other"."""
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
        return "other"
    if str(row.get("@odata.type", "")).lstrip("#") == ALERT_TYPE:
        return "alert"
    has_date = "createdDateTime" in row or "lastUpdateDateTime" in row
    if "title" in row and has_date and _SIGNS & set(row):
        return "alert"
    if "title" in row and _LEGACY_SIGNS & set(row):
        return "legacy"
    return "other"


def _owned(row: Document, field: str, directory: Directory) -> Document:
    return {**row, field: directory.guid} if field in row else row
