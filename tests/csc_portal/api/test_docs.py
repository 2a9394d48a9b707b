"""docs/api.md: its examples run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import requests
from django.test import Client
from requests.adapters import BaseAdapter

from tests.csc_portal.web.conftest import World

TEXT = Path("docs/api.md").read_text()


class ToDjango(BaseAdapter):
    """Takes a request to the portal without a network."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        headers = {k: v for k, v in request.headers.items() if k != "Content-Length"}
        found = Client().generic(
            request.method or "", request.path_url, request.body or b"",
            content_type=headers.pop("Content-Type", ""), headers=headers,
        )  # fmt: skip
        answer = requests.Response()
        answer.status_code = found.status_code
        answer._content = found.content
        answer.headers.update(dict(found.headers))
        return answer

    def close(self) -> None: ...


def test_the_examples_run(key_of, world: World, monkeypatch) -> None:
    class Session(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.mount("https://portal.example/", ToDjango())

    monkeypatch.setattr(requests, "Session", Session)
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    assert code.count("portal.") > 10
    names: dict[str, Any] = {"ADDRESS": "https://portal.example", "KEY": key_of().secret}
    exec(compile(code, "docs/api.md", "exec"), names)  # noqa: S102 - our own document
    assert len(names["outcomes"]) == len(names["cases"]) == 6
