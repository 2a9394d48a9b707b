"""manage.py replay: take documents in again. Always safe: nothing is doubled."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from alerts.feed import quarantined_ids
from alerts.models import Alert, Case, Poll
from alerts.normalise import alerts_in
from clients import jsons
from clients.errors import ApiError, NotFound
from clients.microsoft.security import alerts_by_id
from csc_portal.management.base import PortalCommand
from csc_portal.management.commands.sync import PATIENCE_S, moment, report
from csc_portal.pipeline import Run, run_documents, run_tenant, run_window
from tenants.directories import graph_for
from tenants.models import Tenant
from tenants.scope import scope

PAGE = 200


class Command(PortalCommand):
    help = "Read quarantined, chosen, recent or exported alerts again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--quarantined", action="store_true")
        what.add_argument("--case", help="number or public id")
        what.add_argument("--alert", help="Microsoft's alert id")
        what.add_argument("--window", type=int, help="number of a window of the ledger")
        what.add_argument("--since", type=moment, help="ISO 8601")
        what.add_argument("--file", nargs="+", type=Path, help="exports: a document or a list each")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant(options["slug"])
        if options["window"] is not None:
            return report(_window(tenant, options["window"]))
        if options["since"]:
            return report(run_tenant(tenant, since=options["since"], patience_s=PATIENCE_S))
        if options["file"]:
            documents = [doc for path in options["file"] for doc in _documents(path)]
        else:
            documents = _fetch(tenant, _ids(tenant, options))
        return report(run_documents(tenant, _pages(documents), patience_s=PATIENCE_S))


def _window(tenant: Tenant, number: int) -> Run:
    with scope(tenant):
        window = Poll.objects.filter(pk=number).first()
    if window is None:
        raise CommandError(f"There is no window {number}.")
    return run_window(tenant, window, patience_s=PATIENCE_S)


def _ids(tenant: Tenant, options: dict[str, Any]) -> list[str]:
    with scope(tenant):
        if options["quarantined"]:
            return quarantined_ids()
        if options["alert"]:
            return [options["alert"]]
        given = options["case"]
        is_number = given.isdecimal() and len(given) < 19
        cases = Case.objects.filter(pk=given) if is_number else _by_public_id(given)
        if not cases:
            raise CommandError(f"There is no case '{given[:40]}'.")
        alerts = Alert.objects.filter(case__in=cases)
        return list(alerts.values_list("provider_id", flat=True))


def _by_public_id(given: str) -> Any:
    try:
        return Case.objects.filter(public_id=uuid.UUID(given))
    except ValueError:
        return Case.objects.none()


def _fetch(tenant: Tenant, ids: list[str]) -> list[object]:
    documents: list[object] = []
    for answer in alerts_by_id(graph_for(tenant), ids).values():
        if isinstance(answer, NotFound):
            continue
        if isinstance(answer, ApiError):
            raise answer
        documents.append(answer)
    if ids and not documents:
        raise CommandError("Microsoft does not have these alerts any more.")
    return documents


def _documents(path: Path) -> list[object]:
    try:
        content = jsons.loads(path.read_bytes())
    except OSError as err:
        raise CommandError(f"{path} can't be read: {err.strerror}") from err
    except json.JSONDecodeError as err:
        raise CommandError(f"{path} is not JSON (line {err.lineno}, column {err.colno}).") from err
    except ValueError as err:
        raise CommandError(f"{path} is not JSON.") from err
    if isinstance(content, dict) and isinstance(content.get("value"), list):
        content = content["value"]
    documents = content if isinstance(content, list) else [content]
    return [alert for document in documents for alert in alerts_in(document)]


def _pages(documents: list[object]) -> Iterator[list[object]]:
    for start in range(0, len(documents), PAGE):
        yield documents[start : start + PAGE]
