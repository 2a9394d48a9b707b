"""What was received, how often, and the limits of the services (by directory and family)."""

import re
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from simulator.callers import Caller

KEPT = 20_000
BODY_KEPT = 100_000
_SECRET = re.compile(r"(client_secret|client_assertion|password|refresh_token|code)=[^&]*")


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` requests in `window_s`, refused with Retry-After unless `silent`."""

    count: int
    window_s: float
    silent: bool = False


# Fact sheet 6.1: per app per directory. Incidents are assumed to share the alerts' bucket.
GRAPH_LIMITS = {
    "alerts": Limit(150, 60),
    "incidents": Limit(150, 60),
    "secureScore": Limit(150, 60),
    "auditLogs": Limit(5, 10),
    "identityProtection": Limit(1, 1, silent=True),
    "subscriptions": Limit(500, 20),
}
# Per app over all directories together.
APP_LIMITS = {"auditLogs": Limit(122, 10)}
ARM_LIMITS = {"resourceGraph": Limit(15, 5), "read": Limit(250, 10)}
DEFENDER_LIMITS = {"vulnerabilities": Limit(50, 60)}
SHARED_BUCKET = {"incidents": "alerts", "secureScore": "alerts"}


class Traffic:
    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str, str, int]] = Counter()
        self._windows: dict[tuple[str, str, str], deque[float]] = {}

    def record(self, entry: dict[str, Any]) -> None:
        self.requests.append(entry)
        key = (entry["service"], entry["family"], entry["directory"], entry["status"])
        self._counts[key] += 1

    def counts(self) -> list[dict[str, Any]]:
        """[{service, family, directory, status, count}]; status 0 = connection dropped."""
        return [
            {
                "service": service,
                "family": family,
                "directory": directory,
                "status": status,
                "count": n,
            }
            for (service, family, directory, status), n in sorted(self._counts.items())
        ]

    def clear(self) -> None:
        self.requests.clear()
        self._counts.clear()

    def over_limit(
        self, caller: Caller, limits: dict[str, Limit], *, everywhere: bool = False
    ) -> tuple[Limit, int] | None:
        """Count this request; (limit, seconds to wait) when it is one too many.

        `everywhere`: count over all directories together.
        """
        limit = limits.get(caller.family)
        if limit is None:
            return None
        bucket = SHARED_BUCKET.get(caller.family, caller.family)
        who = "" if limit.silent else caller.client_id
        place = "" if everywhere else caller.directory
        window = self._windows.setdefault((place, who, bucket), deque())
        now = time.monotonic()
        while window and window[0] <= now - limit.window_s:
            window.popleft()
        if len(window) >= limit.count:
            return limit, max(1, int(window[0] + limit.window_s - now) + 1)
        window.append(now)
        return None

    def left(self, caller: Caller, limits: dict[str, Limit]) -> int:
        """How many requests the present window still allows."""
        bucket = SHARED_BUCKET.get(caller.family, caller.family)
        window = self._windows.get((caller.directory, caller.client_id, bucket), ())
        return max(0, limits[caller.family].count - len(window))


def without_secrets(text: str) -> str:
    return _SECRET.sub(r"\1=***", text)
