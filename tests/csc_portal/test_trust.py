"""Both variables count, also together."""

from __future__ import annotations

from pathlib import Path

import pytest

from csc_portal.trust import OPENSSL, REQUESTS, trust_both


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for name in ("machine", "operator"):
        (tmp_path / name).write_text(f"-- {name} --\n")
    return str(tmp_path / "machine"), str(tmp_path / "operator")


def test_one_of_them_is_enough(files):
    machine, operator = files
    for given in ({REQUESTS: machine}, {OPENSSL: operator}):
        environment = dict(given)
        trust_both(environment)
        assert environment[REQUESTS] == next(iter(given.values()))


def test_two_that_differ_are_both_trusted(files):
    machine, operator = files
    environment = {REQUESTS: machine, OPENSSL: operator}
    trust_both(environment)
    merged = Path(environment[REQUESTS]).read_text()
    assert "machine" in merged
    assert "operator" in merged


def test_a_missing_file_is_not_passed_over(files, tmp_path):
    machine, _ = files
    environment = {REQUESTS: machine, OPENSSL: str(tmp_path / "nowhere")}
    trust_both(environment)
    assert environment[REQUESTS] == machine
