"""Waiting for what a process does after its start."""

import http.client
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from scripts.progress import Failed

LIMIT_S = 60


def wait_until(is_true: Callable[[], bool], what: str, check: Callable[[], None]) -> None:
    """Look ten times a second; check raises if waiting is in vain. Raises Failed after LIMIT_S."""
    deadline = time.monotonic() + LIMIT_S
    while not is_true():
        check()
        if time.monotonic() > deadline:
            raise Failed(f"{what} does not answer after {LIMIT_S} seconds")
        time.sleep(0.1)


def wait_for_port(port: int, what: str, check: Callable[[], None]) -> None:
    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, what, check)


def wait_for_http(url: str, what: str, check: Callable[[], None]) -> None:
    """Until a GET on a loopback address is answered with no server error."""
    address = urlsplit(url)

    def answers() -> bool:
        connection = http.client.HTTPConnection(address.netloc, timeout=5)
        try:
            connection.request("GET", address.path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    wait_until(answers, what, check)
