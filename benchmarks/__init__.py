"""Benchmarks: one file a question, run by `scripts/bench NAME [--quick] [--json]`.

Importing this package gives the portal's settings embedded servers in a data folder of their own,
which is erased when the process ends. Nothing is started before the first connection.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

# A server that a benchmark starts is told where the benchmark's data are, and leaves them there.
_SHARED = os.environ.get("CSC_BENCH_HOME", "")
HOME = Path(_SHARED or tempfile.mkdtemp(prefix="csc-bench-"))
_OWNER = 0 if _SHARED else os.getpid()

for _name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
    os.environ.pop(_name, None)
os.environ.update(
    DJANGO_SETTINGS_MODULE="csc_portal.settings",
    CSC_DATA_DIR=str(HOME / "data"),
    LOG_LEVEL="WARNING",
)


def _erase() -> None:
    from csc_portal import services

    if os.getpid() == _OWNER:
        services.erase(HOME / "data")
        shutil.rmtree(HOME, ignore_errors=True)


atexit.register(_erase)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

import django  # noqa: E402 - reads the environment above

django.setup()
