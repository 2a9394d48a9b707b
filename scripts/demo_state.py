"""What a demo remembers in its data folder from one start to the next."""

import hashlib
import json
from pathlib import Path


class DemoState:
    """demo.json: {"ports": {name: port}, "onboarded": hash of what was onboarded}."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = json.loads(path.read_text()) if path.exists() else {}
        self.ports: dict[str, int] = content.get("ports", {})
        self._onboarded: str = content.get("onboarded", "")

    def is_onboarded(self, mark: str) -> bool:
        return self._onboarded == _digest(mark)

    def set_onboarded(self, mark: str) -> None:
        self._onboarded = _digest(mark)
        self.save()

    def save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"ports": self.ports, "onboarded": self._onboarded}))
        fresh.replace(self._path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
