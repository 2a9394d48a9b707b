"""What ticket systems other than Freshservice share: one server, its credential, safe answers."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from clients.errors import BadPayload, Rejected, Unauthorized
from clients.failures import ErrorReader, describe, member
from clients.http import Answer, Http, Policy
from clients.throttle import Governor, Limit
from ticketing.adapters.base import SETTABLE, STATES

FAMILY = "tickets"
POLICY = Policy(deadline_s=90.0, retry_after_cap_s=30.0, max_bytes=32 * 1024 * 1024)
_LONGEST_ID = 40  # what a case has room for
_LONGEST_URL = 300


class Credential(Protocol):
    """How a call shows who it is."""

    def headers(self, secret: str) -> dict[str, str]:
        """The headers that carry the secret, or what was got for it. Raises ApiError."""

    def forget(self) -> bool:
        """It was not accepted. Whether another try with the same secret can help."""


class Basic:
    """HTTP Basic. Without a user the secret itself is "user:password"."""

    def __init__(self, user: str = "") -> None:
        self._user = user

    def headers(self, secret: str) -> dict[str, str]:
        pair = f"{self._user}:{secret}" if self._user else secret
        if ":" not in pair:
            raise Rejected(
                "The user name is missing: set it, or store user:password as the secret.",
                code="options",
            )
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def forget(self) -> bool:
        return False


class Header:
    """The secret in a header, after a word such as Bearer if there is one."""

    def __init__(self, name: str = "Authorization", scheme: str = "") -> None:
        self._name = name
        self._scheme = scheme

    def headers(self, secret: str) -> dict[str, str]:
        return {self._name: f"{self._scheme} {secret}".strip()}

    def forget(self) -> bool:
        return False


class Account:
    """One account of a ticket system: calls with its credential, within its limits.

    `url` is the address as typed by a person; `api` is appended to it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        credential: Credential,
        secret: Callable[[], str],
        governor: Governor | None,
        *,
        api: str = "",
        limit: Limit | None = None,
        private_networks_allowed: tuple[str, ...] = (),
        forget_secret: Callable[[], None] | None = None,
        read_error: ErrorReader = describe,
        policy: Policy = POLICY,
    ) -> None:
        self.name = name
        self.base_url = typed_url(url, api)
        self._credential = credential
        self._secret = secret
        self._forget_secret = forget_secret
        parts = urlsplit(self.base_url)
        key = f"{parts.netloc}{parts.path}"
        if governor is not None and limit is not None:
            governor.set_limit(key, FAMILY, limit)
        self._http = Http(
            f"{self.base_url}{api}",
            name=name,
            policy=policy,
            governor=governor,
            key=key,
            private_networks_allowed=private_networks_allowed,
            read_error=read_error,
        )

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        retry: bool | None = None,
    ) -> Answer:
        """One call. A secret that is not accepted is read again once, as it may have changed."""

        def send(secret: str) -> Answer:
            return self._http.request(
                method,
                path,
                params=params,
                json=json,
                headers={**(headers or {}), **self._credential.headers(secret)},
                family=FAMILY,
                retry=retry,
            )

        secret = self._secret().strip()
        try:
            return send(secret)
        except Unauthorized:
            may_help = self._credential.forget()
            if self._forget_secret is not None:
                self._forget_secret()
            renewed = self._secret().strip()
            if renewed == secret and not may_help:
                raise
            return send(renewed)

    def needs(self, value: object, field: str) -> str:
        """An id from an answer as text that is safe in a path. Raises BadPayload."""
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not is_id(text):
            raise BadPayload(f"{self.name}: the field {field} is missing or no id.")
        return text

    def items(self, body: object, field: str) -> list[Mapping[str, object]]:
        """A list of objects from an answer. Raises BadPayload."""
        found = member(body, field)
        if not isinstance(found, list):
            raise BadPayload(f"{self.name}: the field {field} is missing or no list.")
        return [item for item in found if isinstance(item, dict)]

    def page_for_people(self, url: str) -> str:
        """A link that may be shown: as secure as the account's own address, or ""."""
        scheme = urlsplit(self.base_url).scheme
        is_plain = len(url) <= _LONGEST_URL and re.fullmatch(r"[!#-;=?-\[\]-~]+", url)
        return url if is_plain and url.startswith(("https://", f"{scheme}://")) else ""


def is_id(text: str) -> bool:
    """Whether a text can be a ticket's id: short, and harmless in a path."""
    return len(text) <= _LONGEST_ID and bool(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*", text))


def ticket_id(text: str) -> str:
    """The id again. Raises Rejected for one that can't be one."""
    if not is_id(text):
        raise Rejected("This is no ticket's id.", code="ticket_id")
    return text


def typed_url(url: str, api: str = "") -> str:
    """An address as people type it: with or without https://, a closing slash, the API's path."""
    text = url.strip()
    if "://" not in text:
        text = f"https://{text}"
    text = text.rstrip("/")
    return text.removesuffix(api.rstrip("/")).rstrip("/") if api else text


def text_option(options: Mapping[str, object], name: str, default: str = "") -> str:
    """An option that has to be one line of text. Raises Rejected."""
    value = options.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[^\x00-\x1f\x7f]{0,300}", value):
        raise Rejected(f"The option {name} has to be one line of text.", code="options")
    return value.strip() or default


def object_option(options: Mapping[str, object], name: str) -> dict[str, object]:
    """An option that has to be names with values; {} if it is not there. Raises Rejected."""
    value = options.get(name) or {}
    if not isinstance(value, Mapping):
        raise Rejected(f"The option {name} has to hold names with values.", code="options")
    return {str(key): inner for key, inner in value.items()}


def required_option(options: Mapping[str, object], name: str) -> str:
    """An option without which the system can't be used. Raises Rejected."""
    value = text_option(options, name)
    if not value:
        raise Rejected(f"The option {name} is missing.", code="options")
    return value


def state_options(
    options: Mapping[str, object], states: Mapping[str, str], settable: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """(their state -> ours, ours -> theirs to set), as the options change what is usual.

    Their words are compared without regard to case. Raises Rejected.
    """
    read = {theirs.casefold(): ours for theirs, ours in states.items()}
    for theirs, ours in object_option(options, "states").items():
        if ours not in STATES:
            raise Rejected(
                f"The option states.{theirs[:60]} has to be one of {', '.join(sorted(STATES))}.",
                code="options",
            )
        read[theirs.casefold()] = str(ours)
    given = object_option(options, "set_states")
    for ours in given:
        if ours not in SETTABLE:
            raise Rejected(
                f"The option set_states may hold {' and '.join(SETTABLE)}.", code="options"
            )
    return read, {ours: text_option(given, ours, usual) for ours, usual in settable.items()}
