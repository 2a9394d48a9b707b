"""Documents as the vendors send them, with their placeholder values."""

import json
from pathlib import Path
from typing import Any


def load(name: str) -> Any:
    """The parsed document `<name>.json` of this folder."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text())
