"""What the portal would close by itself, of the simulator's stories, whose truth is known.

Documents go the portal's own way (tests/storytelling.py), with seeds that no test uses. A case
is judged twice: as soon as its facts have settled, and three days later, when the watch has seen
all that it sees. The baseline closes every case whose sign-ins passed MFA, as a script would.
"""

from __future__ import annotations

from collections import Counter

from benchmarks.lab.report import options, progress, show
from tests.storytelling import Judged, Teller, telling

FIRST_SEED = 700_000
SEEDS_A_CUSTOMER = 5
NOTES = (
    "attacks, harmless: cases of the stories. closed: at the end, after 72 hours of watching.\n"
    "reopened: attacks that looked proven at first, until the watch saw what followed.\n"
    "any MFA: closes whatever had MFA satisfied, also by a claim in the token."
)


def main() -> None:
    arguments = options(__doc__ or "")
    count = 25 if arguments.quick else 250
    judged: list[Judged] = []
    teller = Teller(FIRST_SEED)
    for number in range(count):
        if number % SEEDS_A_CUSTOMER == 0:
            teller = Teller(FIRST_SEED + number)
            progress(f"{number} of {count} seeds")
        for name in telling():
            judged += teller.tell(name, FIRST_SEED + number)
    result = _counted(judged, [one for one in judged if one.closed])
    soon = sum(one.is_attack and one.closed_soon and not one.closed for one in judged)
    baseline = _counted(judged, [one for one in judged if one.had_mfa])
    by_way = [
        {"way": "proof", **result, "reopened": soon},
        {"way": "any MFA", **baseline, "reopened": 0},
    ]
    show(
        [result | {"attacks_reopened": soon}],
        [by_way, _by_story(judged)],
        NOTES,
        as_json=arguments.json,
    )


def _counted(judged: list[Judged], closed: list[Judged]) -> dict[str, float]:
    harmless = sum(one.is_harmless for one in judged)
    right = sum(one.is_harmless for one in closed)
    return {
        "attacks": sum(one.is_attack for one in judged),
        "attacks_closed": sum(one.is_attack for one in closed),
        "harmless": harmless,
        "harmless_closed": right,
        "precision": round(right / len(closed), 4) if closed else 1.0,
        "recall": round(right / harmless, 4) if harmless else 0.0,
    }


def _by_story(judged: list[Judged]) -> list[dict[str, object]]:
    """Stories of which something was closed, or could have been."""
    told = Counter(one.story for one in judged)
    closed = Counter(one.story for one in judged if one.closed)
    soon = Counter(one.story for one in judged if one.closed_soon)
    harmless = {one.story for one in judged if one.is_harmless}
    return [
        {"story": name, "cases": told[name], "closed": closed[name], "closed at first": soon[name]}
        for name in sorted(harmless | set(soon))
    ]


if __name__ == "__main__":
    main()
