"""Whatever the OpenAPI document allows, and what it forbids, is answered as it says.

Calls are made up by schemathesis from the served document: no 5xx, no status, header, content type
or shape that is not documented; what is forbidden is refused; without a key nothing is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.db import transaction
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from csc_portal.api.schema import document
from csc_portal.wsgi import application
from tests.csc_portal.api.conftest import Caller
from tests.csc_portal.web.conftest import World

SCHEMA = schemathesis.openapi.from_dict(document())
SCHEMA.app = application
OPERATIONS = {
    f"{found.ok().method.upper()} {found.ok().path}": found.ok()
    for found in SCHEMA.get_all_operations()
}
SCHEMA.config.checks.positive_data_acceptance.expected_statuses += ["410", "412", "422"]
"""It is well formed, but the case is another one now, or can't be changed so."""
UNTOLD: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    "a cursor comes from an answer": lambda case, query: (
        "cursor" in query or "Last-Event-ID" in (case.headers or {})
    ),
    "a key with several tenants names one": lambda case, query: (
        "tenant" in {one.name for one in case.operation.query} and "tenant" not in query
    ),
    "one of two parameters": lambda case, query: (
        case.operation.path.endswith("/alerts") and ("case" in query) == ("source_ref" in query)
    ),
    "at most 31 days": lambda case, query: case.operation.path.endswith("/auto-closed"),
    "a month, or days that are over": lambda case, query: (
        case.operation.label == "POST /api/v1/reports"
    ),
    "within 30 days from now, in words that name nobody": lambda case, query: (
        isinstance(case.body, dict) and case.body.get("do") == "snooze"
    ),
}
"""Where valid data may be refused all the same: what OpenAPI has no words for."""
ROLES: dict[str, tuple[Callable[[Callable[..., Caller], World], Caller], int, int]] = {
    "admin": (lambda key_of, w: key_of(), 3, 2),
    "viewer of A": (lambda key_of, w: key_of("viewer", [w.tenants["qa"]]), 1, 1),
    "CISO of A": (lambda key_of, w: key_of("customer_ciso", [w.tenants["qa"]]), 1, 1),
}


def real(case: Any, world: World) -> None:
    """Ids that are there instead of made-up ones."""
    entity = "/entities/" in case.operation.path
    found = world.entities["qa"] if entity else world.cases["qa"].public_id
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = str(found)
    if "slug" in (case.path_parameters or {}):
        case.path_parameters["slug"] = "qa"
    declared = {parameter.name for parameter in case.operation.query}
    if "tenant" in declared and case.query is not None:
        case.query["tenant"] = "qa"


def left_out(case: Any) -> list[Any]:
    is_untold = any(holds(case, case.query or {}) for holds in UNTOLD.values())
    found = [positive_data_acceptance] if is_untold else []
    # This process serves no streams, and says so by 503; test_events.py listens.
    return [*found, not_a_server_error] if case.operation.path == "/api/v1/events" else found


def walk(caller: Caller, world: World, mode: GenerationMode, examples: int, is_real: bool) -> None:
    headers = {"Authorization": f"Bearer {caller.secret}"}
    for operation in OPERATIONS.values():

        @bounded(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: Any) -> None:
            if is_real:
                real(case, world)
            with transaction.atomic():
                case.call_and_validate(headers=headers, excluded_checks=left_out(case))
                transaction.set_rollback(True)

        call()


@pytest.mark.usefixtures("in_one_transaction")
@pytest.mark.parametrize("role", ROLES)
def test_the_document_holds(role: str, key_of, world: World, settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 100_000
    make, positive, negative = ROLES[role]
    caller = make(key_of, world)
    walk(caller, world, GenerationMode.POSITIVE, positive, is_real=False)
    walk(caller, world, GenerationMode.POSITIVE, positive, is_real=True)
    walk(caller, world, GenerationMode.NEGATIVE, negative, is_real=False)


def test_the_checks_are_all_there() -> None:
    assert len(OPERATIONS) == sum(map(len, document()["paths"].values())) >= 23
