"""Sets the environment that the portal's settings read, before Django is set up.

Loaded as a pytest plugin (pyproject.toml). Nothing is started here: the embedded servers start at
the first connection, the simulator with the fixture `simulator`, on the port chosen here.
"""

import os
import socket
import tempfile
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="csc-test-"))
SIMULATOR = HOME / "simulator"


# Held, so that nobody else is given the port before the simulator listens on it: sockets that let
# their port be used again may share it while only one of them listens.
_HELD = socket.socket()
_HELD.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
_HELD.bind(("127.0.0.1", 0))
PORT = int(_HELD.getsockname()[1])
URL = f"https://127.0.0.1:{PORT}"

for _name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
    os.environ.pop(_name, None)
os.environ.update(
    DJANGO_SETTINGS_MODULE="csc_portal.settings",
    CSC_DATA_DIR=str(HOME / "data"),
    AZURE_KEY_VAULT_URL=URL,
    MICROSOFT_LOGIN_URL=URL,
    MICROSOFT_GRAPH_URL=URL,
    AZURE_RESOURCE_MANAGER_URL=URL,
    MICROSOFT_DEFENDER_URL=URL,
    KEV_URL=f"{URL}/feeds/known_exploited_vulnerabilities.json",
    EPSS_URL=f"{URL}/feeds/epss.csv.gz",
    NEWS_FEEDS="",
    IDENTITY_ENDPOINT=f"{URL}/msi/token",
    IDENTITY_HEADER="set-by-the-fixture",
    REQUESTS_CA_BUNDLE=str(SIMULATOR / "ca.pem"),
    LOCAL_SECOND_FACTOR="optional",
    POLL_INTERVAL_S="2",
    POLL_INTERVAL_MAX_S="2",
)
