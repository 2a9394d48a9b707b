"""What each rule of correlation is worth: the simulator's fortnights again, with one rule left out.

In memory and within seconds, so that weights can be chosen with it. Its seeds are those for
choosing: what it prints says nothing about other customers. `scripts/bench correlate` does, by the
portal's whole path and on seeds that nobody chooses by.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from alerts.correlate import INSIDE_ADDRESS, RULES, WEIGHTS, Rules, Weight
from alerts.prepare import prepare_page
from benchmarks.correlate import Document, polls, score, tell, totals
from benchmarks.lab.in_memory import Pages, cases_of
from benchmarks.lab.report import options, progress, show
from tenants.pseudonyms import Pseudonymiser, derive_key

SEEDS = tuple(range(501, 561))
SHOWN = ("precision", "recall", "f1", "tickets_per_event", "tickets_per_story")


def with_weights(**changed: Weight) -> Rules:
    return replace(RULES, weights={**WEIGHTS, **changed})


VARIANTS: Mapping[str, Rules] = {
    "as they are": RULES,
    "alone fades like others": replace(RULES, alone=1.0),
    "no order of stages": replace(RULES, onward=0.0, backward=0.0),
    "other places don't matter": replace(RULES, elsewhere=0.0),
    "severity doesn't matter": replace(RULES, minor=0.0),
    "private addresses like others": with_weights(**{INSIDE_ADDRESS: WEIGHTS["ip"]}),
    "addresses of strangers in full": replace(RULES, strangers=1.0),
    "a person for half as long": with_weights(
        user=replace(WEIGHTS["user"], half_life_h=3),
        mailbox=replace(WEIGHTS["mailbox"], half_life_h=3),
    ),
    "a person for twice as long": with_weights(
        user=replace(WEIGHTS["user"], half_life_h=12),
        mailbox=replace(WEIGHTS["mailbox"], half_life_h=12),
    ),
}


def main() -> None:
    arguments = options(__doc__)
    told = [_prepared(seed) for seed in (SEEDS[:12] if arguments.quick else SEEDS)]
    rows = []
    for name, rules in VARIANTS.items():
        progress(name)
        found = totals([score(cases_of(pages, rules), truth) for pages, truth in told])
        rows.append({"rules": name, **{key: found[key] for key in SHOWN}})
    show([{key: rows[0][key] for key in SHOWN}], [rows], NOTES, as_json=arguments.json)


def _prepared(seed: int) -> tuple[Pages, dict[str, Document]]:
    fortnight = tell(seed)
    key = derive_key(b"benchmark" * 4, uuid.UUID(int=seed))
    pseudonymiser = Pseudonymiser([("1", key)])
    pages = [prepare_page(page, pseudonymiser).alerts for page in polls(fortnight)]
    return pages, fortnight.truth


NOTES = """\
Simulation, on the seeds by which the weights were chosen. Precision and recall are over pairs of
alerts, as in `correlate`."""


if __name__ == "__main__":
    main()
