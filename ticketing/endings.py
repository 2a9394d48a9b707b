"""What the end of a ticket means for its case, as the connection's options say. Pure.

    verdicts: {"Solution provided": truePositive, "User error": falsePositive}
    unknown_verdict: ask

`verdicts`: their words for how a ticket ended -> our verdict. `unknown_verdict` is for what is not
named there: a verdict; `none` closes the case without one; `ask` leaves it to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alerts.verdicts import VERDICTS
from clients.errors import Rejected
from ticketing.adapters.base import DELETED, ENDED

NONE, ASK = "none", "ask"
OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True, slots=True)
class Endings:
    """`verdicts` by their word in lower case; `unknown`: a verdict, NONE or ASK."""

    verdicts: Mapping[str, str]
    unknown: str

    def verdict_of(self, resolution: str) -> str | None:
        """The verdict, "" for a case that is closed without one, None if people have to say."""
        found = self.verdicts.get(resolution.casefold(), self.unknown)
        if found == ASK:
            return None
        return "" if found == NONE else found


def read_endings(options: Mapping[str, object]) -> Endings:
    """Raises Rejected that names the option."""
    given = options.get("verdicts") or {}
    if not isinstance(given, Mapping):
        raise Rejected("The option verdicts has to hold names with values.", code="options")
    allowed = ", ".join(VERDICTS)
    for word, verdict in given.items():
        if verdict not in (*VERDICTS, NONE, ASK):
            raise Rejected(
                f"The option verdicts.{str(word)[:60]} has to be one of {allowed}, none, ask.",
                code="options",
            )
    unknown = options.get("unknown_verdict") or NONE
    if unknown not in (*VERDICTS, NONE, ASK):
        raise Rejected(
            f"The option unknown_verdict has to be one of {allowed}, none, ask.", code="options"
        )
    verdicts = {str(word).casefold(): str(verdict) for word, verdict in given.items()}
    return Endings(verdicts, str(unknown))


def side(status: str) -> str:
    """Whether a ticket in this state is open or closed for us."""
    return CLOSED if status in ENDED else OPEN


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from a look at a ticket. `told`: what the ticket is known to say then, or ""."""

    close: bool = False
    reopen: bool = False
    gone: bool = False
    told: str = ""


def follow(case_is_open: bool, seen: str, there: str) -> Step:
    """`seen`: their state when it was looked at last, `there`: now.

    Only what moved there since is news; what differs without that is ours to tell.
    """
    if there == DELETED:
        return Step(gone=True)
    case_side, there_side = OPEN if case_is_open else CLOSED, side(there)
    if case_side == there_side:
        return Step(told=case_side)
    if there_side == side(seen):
        return Step()
    return Step(close=there_side == CLOSED, reopen=there_side == OPEN)
