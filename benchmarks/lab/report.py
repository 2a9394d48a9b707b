"""What a benchmark prints: a table for people, or JSON objects for programs."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence


def options(purpose: str, *more: str) -> argparse.Namespace:
    """`--quick`, `--json` and `more` of the kind. `purpose` is the benchmark's docstring."""
    parser = argparse.ArgumentParser(
        description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, within a minute")
    parser.add_argument("--json", action="store_true", help="JSON only, a line for each size")
    for name in more:
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args()


def progress(text: str) -> None:
    """On standard error, so that standard output is the result alone."""
    print(f"  {text}", file=sys.stderr, flush=True)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Columns are the keys of the first row; numbers stand to the right."""
    names = list(rows[0])
    texts = [names, *([_text(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in texts) for column in range(len(names))]
    numeric = [isinstance(rows[0][name], int | float) for name in names]
    lines = []
    for line in texts:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def show(
    results: Sequence[Mapping[str, object]],
    details: Sequence[Sequence[Mapping[str, object]]],
    notes: str,
    *,
    as_json: bool,
) -> None:
    """The tables of `details` with notes; with `as_json` each of `results` as one line instead."""
    if as_json:
        for result in results:
            print(json.dumps(result))
        return
    for rows in details:
        print(table(rows), end="\n\n")
    print(f"{notes}\n{_machine()}")


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {memory:.0f} GiB; load at the end {load:.1f}."
