"""Somebody who looks at the pages of a real web process."""

from __future__ import annotations

import socket

import requests

from tests.lab import Processes, wait_for

PASSWORD = "horse battery staple correct"


class Browser:
    """Just enough of one: cookies and the token against forged requests."""

    def __init__(self, processes: Processes) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        words = ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
        processes.python("web", "-m", "gunicorn", "csc_portal.wsgi", *words)
        self._session = requests.Session()
        self._session.trust_env = False
        wait_for(self._is_up, 60, "the web process answers")

    def _is_up(self) -> bool:
        try:
            return self._session.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def sign_in(self, name: str) -> None:
        page = self.get("/account/login/")
        self._token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        self.post("/account/login/", username=name, password=PASSWORD)
        page = self.get("/")
        assert name in page, "signed in"
        self._token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]

    def read(self, url: str) -> requests.Response:
        return self._session.get(url, timeout=30)

    def get(self, path: str) -> str:
        return self.read(f"{self.url}{path}").text

    def post(self, path: str, **form: object) -> str:
        form["csrfmiddlewaretoken"] = self._token
        answer = self._session.post(f"{self.url}{path}", data=form, timeout=30)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text
