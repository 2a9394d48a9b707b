"""Stops the embedded servers of CSC_DATA_DIR, with their data kept."""

import os
from pathlib import Path

from csc_portal import services

if __name__ == "__main__":
    services.stop(Path(os.environ["CSC_DATA_DIR"]))
