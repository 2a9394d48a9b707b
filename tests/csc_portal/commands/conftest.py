"""Commands as operators and other programs call them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.core.management import execute_from_command_line

from tests.lab import customer, forget, new_slug


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


Manage = Callable[..., Done]


@pytest.fixture
def manage(capsys, simulator) -> Manage:
    """As from the command line, in this process. No output ever holds a secret or a trace."""
    control = simulator.control
    values = [
        version["value"]
        for name in control.call("GET", "vault")["names"]
        for version in control.secret_versions(name)
    ]

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = 0
        try:
            execute_from_command_line(["manage.py", *map(str, words)])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        said = [line for line in err.splitlines() if not line.startswith("20")]  # not the log
        done = Done(code, out, "\n".join(said))
        assert not [value for value in values if value in out + err]
        assert "Traceback" not in out + err
        assert code in (0, 1)
        if code:
            assert len(said) == 1, err
            assert said[0].startswith("CommandError: ")
        return done

    return run


@pytest.fixture
def given(simulator) -> Iterator[dict]:
    """A directory that nobody onboarded yet."""
    slug = new_slug("order")
    yield simulator.control.add_directory(slug, populate=False)
    simulator.control.clear_faults()
    forget([slug])


@pytest.fixture(scope="module")
def unmade(simulator) -> dict:
    """Like `given`, for orders that are refused."""
    return simulator.control.add_directory(new_slug("refused"), populate=False)


@pytest.fixture(scope="module")
def old(simulator, django_db_setup, django_db_blocker) -> Iterator[str]:
    """A tenant for commands that change nothing of it."""
    name = new_slug("old")
    with django_db_blocker.unblock():
        customer(simulator, name)
        yield name
        forget([name])


@pytest.fixture
def slug(simulator) -> Iterator[str]:
    name = new_slug("told")
    customer(simulator, name)
    yield name
    simulator.control.clear_faults()
    forget([name])


def words_of(given: dict, *more: str, **changes: str) -> list[str]:
    """The words of a good onboarding, changed."""
    order = {**given, **changes}
    return [
        "onboard", order["slug"], "--name", order["name"], "--directory", order["directory"],
        "--client-id", order["client_id"], "--credential-secret", order["credential_secret"],
        "--ticketing", "freshservice", "--ticketing-url", order["ticketing_url"],
        "--ticketing-secret", order["ticketing_secret"], *more,
    ]  # fmt: skip
