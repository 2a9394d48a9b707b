"""What is wrong with a connection's options, field by field, as a form shows it. No network.

The adapters themselves say it when they are made; here they are made again without what was wrong,
until nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from clients.errors import ApiError
from ticketing.adapters import registry
from ticketing.endings import read_endings

_ADDRESS = "https://tickets.example.com"
_OPTION = re.compile(r"option (?P<name>[a-z_]+)|can't be used: (?P<place>[a-z_]+)")
_STAND_IN = "X"
MOST = 20


def problems_of(system: str, options: Mapping[str, object]) -> dict[str, str]:
    """Option -> sentence; "" for what belongs to none. Empty if all can be used."""
    if system not in registry:
        return {"": f"Choose a ticket system of: {', '.join(sorted(registry))}."}
    found: dict[str, str] = {}
    left = dict(options)
    for _ in range(MOST):
        try:
            registry[system](_ADDRESS, lambda: "", left, None)
            read_endings(left)
        except ApiError as err:
            match = _OPTION.search(str(err))
            name = (match["name"] or match["place"] or "") if match else ""
            first_time = name not in found
            found.setdefault(name, str(err))
            if first_time and name in left:
                del left[name]
            elif name and left.get(name) != _STAND_IN:
                left[name] = _STAND_IN  # it can't be done without
            else:
                break
        else:
            break
    return found
