"""Which certificates HTTP clients trust: those of REQUESTS_CA_BUNDLE and of SSL_CERT_FILE.

`requests` reads the first only. Where both are set and differ (a machine's own bundle and an
operator's), both count.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

REQUESTS, OPENSSL = "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"


def trust_both(environment: MutableMapping[str, str]) -> None:
    """Make `requests` trust what either variable names. A file that is missing is left to fail."""
    first, second = environment.get(REQUESTS), environment.get(OPENSSL)
    if not second or first == second:
        return
    if not first:
        environment[REQUESTS] = second
        return
    if not (Path(first).is_file() and Path(second).is_file()):
        return
    handle, merged = tempfile.mkstemp(prefix="csc-trust-", suffix=".pem")
    with os.fdopen(handle, "wb") as file:
        file.write(Path(first).read_bytes() + b"\n" + Path(second).read_bytes())
    atexit.register(_remove, merged, os.getpid())
    environment[REQUESTS] = merged


def _remove(merged: str, made_by: int) -> None:
    if os.getpid() == made_by:  # not in a worker that was forked off
        Path(merged).unlink(missing_ok=True)
