"""Faults that a control call orders: which requests they hit, and what happens to them."""

import itertools
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from simulator.callers import Caller

KINDS = (
    "status",  # answer `status` with `body` (or the service's own error shape) and `headers`
    "delay",  # answer properly after `seconds`
    "timeout",  # hold the connection for `seconds` (default 120), then drop it
    "drop",  # close the connection without an answer
    "truncate",  # send the head and half of the body, then close
    "garbage",  # 200 with HTML instead of JSON
    "duplicate",  # every document of the page comes twice
    "malformed",  # the first documents of the page lose or twist required fields
    "stale",  # alerts come as they were before their last change
    "empty_page",  # a page without documents, but with its next link
)


@dataclass(slots=True)
class Fault:
    """`count` requests are hit (-1: all) after `skip` were let through.

    `when`: "before" the request is handled, or "after" (it took effect, the answer is lost).
    `retry_after`: seconds for the Retry-After header; None = no such header.
    """

    kind: str
    service: str = ""
    directory: str = ""
    path: str = ""
    method: str = ""
    count: int = 1
    skip: int = 0
    status: int = 503
    retry_after: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    when: str = "before"
    probability: float = 1.0
    id: int = 0
    hits: int = 0


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)
        self._dice = itertools.count()

    def add(self, order: dict[str, Any]) -> Fault:
        """Raises ValueError (unknown kind, field, or bad pattern)."""
        if order.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        known = {name for name in Fault.__dataclass_fields__ if name not in {"id", "hits"}}
        unknown = set(order) - known
        if unknown:
            raise ValueError(f"unknown field: {', '.join(sorted(unknown))}")
        re.compile(order.get("path", ""))
        fault = Fault(**order, id=next(self._ids))
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> None:
        self._faults = [one for one in self._faults if fault_id is not None and one.id != fault_id]

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]

    def pick(self, caller: Caller, method: str, target: str) -> Fault | None:
        """The first fault that wants this request; `target` is path with query."""
        for fault in self._faults:
            if not self._matches(fault, caller, method, target) or fault.count == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            # Evenly spread instead of random, so that a run can be repeated.
            if (
                fault.probability < 1
                and (next(self._dice) * fault.probability) % 1 >= fault.probability
            ):
                continue
            fault.count -= fault.count > 0
            fault.hits += 1
            return fault
        return None

    @staticmethod
    def _matches(fault: Fault, caller: Caller, method: str, target: str) -> bool:
        return (
            fault.service in {"", caller.service}
            and fault.directory in {"", caller.directory}
            and fault.method.upper() in {"", method}
            and (not fault.path or re.search(fault.path, target) is not None)
        )
