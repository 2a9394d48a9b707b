"""HTTP for all API clients: time-outs, a deadline, retries, a size cap, JSON or a clear error.

Answers are treated as hostile. Requests go straight to a `requests` transport adapter, not through
a Session: a Session would keep cookies, read a .netrc file and read redirects to their end, none
of which may happen to a call that carries a token.
"""

import copy
import http.client
import logging
import os
import random
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urldefrag, urlencode, urljoin, urlsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from clients import jsons
from clients.addresses import GuardedAdapter, Networks, check_url, parse_networks
from clients.errors import ApiError, BadPayload, RateLimited, Rejected, Unavailable
from clients.failures import ErrorReader, Failure, describe
from clients.patience import hang_up_after
from clients.throttle import is_background

logger = logging.getLogger(__name__)

_POOL_SIZE = 32
_CHUNK = 65_536
_MAX_ERROR_BYTES = 262_144
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_NEVER_BETTER = frozenset({501, 505})


class Throttle(Protocol):
    """What Http needs of a `clients.throttle.Governor`."""

    def acquire(self, key: str, family: str, *, wait_s: float, cost: int = 1) -> str:
        """Wait for leave to call; a slot to release afterwards, if any. Raises RateLimited."""

    def release(self, key: str, family: str, slot: str) -> None:
        """The call is over."""

    def pause(self, key: str, family: str, seconds: float) -> None:
        """Let nobody call for so long."""

    def back_off(self, key: str, family: str, seconds: float) -> float:
        """Let nobody call for at least so long, longer if that was just done; the seconds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often a call is tried; `deadline_s` covers all attempts."""

    connect_s: float = 5.0
    read_s: float = 30.0
    deadline_s: float = 120.0
    attempts: int = 4
    backoff_s: float = 1.0
    retry_after_cap_s: float = 60.0
    governor_wait_s: float = 30.0
    max_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `body` is the parsed JSON, None if the answer was empty; bytes if asked raw."""

    status: int
    headers: Mapping[str, str]
    body: object


@dataclass(frozen=True, slots=True)
class _Call:
    request: requests.PreparedRequest
    family: str
    cost: int
    repeatable: bool
    read_error: ErrorReader
    raw: bool


class Http:
    """One server. Safe to share between threads; connections are shared by all Http objects.

    `private_networks_allowed` switches on the guard for URLs typed by people: () allows public
    addresses only, CIDRs in it are allowed as well. None is for endpoints that the operator set.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "The server",
        policy: Policy | None = None,
        governor: Throttle | None = None,
        key: str = "",
        private_networks_allowed: tuple[str, ...] | None = None,
        read_error: ErrorReader = describe,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.name = name
        self.governor = governor
        self.key = key
        self.policy = policy or Policy()
        self.throttled = 0  # answers that told us to wait, for whoever keeps account
        self._networks: Networks | None = None
        if private_networks_allowed is not None:
            self._networks = parse_networks(private_networks_allowed)
            check_url(self.base_url, self._networks)
        self._read_error = read_error
        self.sleep = sleep
        self._clock = clock

    def with_policy(self, policy: Policy) -> "Http":
        """The same server, limits and connections, with other patience."""
        other = copy.copy(self)
        other.policy = policy
        return other

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        family: str = "",
        cost: int = 1,
        retry: bool | None = None,
        deadline_s: float | None = None,
        read_error: ErrorReader | None = None,
        raw: bool = False,
    ) -> Answer:
        """Call the server and return its answer; raises an ApiError for everything else.

        `path` is appended to the base URL, or is a whole URL on the same host. `retry` says whether
        the call may be repeated (default: GET, HEAD, PUT and DELETE may). `family` and `cost` are
        for the governor; no family, no governor. `raw`: the body is no JSON, and comes as bytes.
        """
        call = _Call(
            request=_prepare(method, self.url(path, params), json, form, headers),
            family=family,
            cost=cost,
            repeatable=method in _IDEMPOTENT if retry is None else retry,
            read_error=read_error or self._read_error,
            raw=raw,
        )
        deadline = self._clock() + (deadline_s or self.policy.deadline_s)
        attempt = 1
        while True:
            slot = self._ask_governor(call, deadline)
            try:
                return self._send(call, deadline)
            except ApiError as err:
                wait = self._wait_before_retry(err, call, attempt, deadline)
                if wait is None:
                    raise
            finally:
                if slot and self.governor is not None:
                    self.governor.release(self.key, call.family, slot)
            logger.warning(
                "call will be retried service=%s family=%s attempt=%d wait_s=%.1f",
                self.name,
                family,
                attempt,
                wait,
            )
            self.sleep(wait)
            attempt += 1

    def url(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """The whole URL for a path and its query; refuses another host."""
        if "://" in path.partition("?")[0]:
            url = self.same_host(path)
        else:
            url = f"{self.base_url}/{path.lstrip('/')}"
        if params:
            # %20, not +: not every server reads + as a space.
            query = urlencode(params, quote_via=quote, safe="$:,'()/")
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        return url

    def owns(self, url: str) -> bool:
        """Whether a URL has the scheme, host and port of this server, and no credentials in it."""
        try:
            same = _origin(url) == _origin(self.base_url)
            return same and urlsplit(url).username is None
        except ValueError:
            return False

    def same_host(self, link: str, field: str = "the link") -> str:
        """A link from an answer as a whole URL; raises BadPayload if it leads elsewhere."""
        try:
            url = urldefrag(urljoin(self.base_url + "/", link)).url
        except ValueError:
            raise BadPayload(f"{self.name}: {field} is no URL.") from None
        if not self.owns(url):
            raise BadPayload(f"{self.name}: {field} leads to another host; it is not followed.")
        return url

    def _ask_governor(self, call: _Call, deadline: float) -> str:
        if self.governor is None or not call.family:
            return ""
        wait_s = min(self.policy.governor_wait_s, max(0.0, deadline - self._clock()))
        return self.governor.acquire(self.key, call.family, wait_s=wait_s, cost=call.cost)

    def _wait_before_retry(
        self, err: ApiError, call: _Call, attempt: int, deadline: float
    ) -> float | None:
        """Seconds until the next attempt, None if there is to be none."""
        # The jitter keeps many workers from coming back in the same moment.
        backoff = self.policy.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
        asked = err.retry_after_s
        wait = backoff if asked is None else asked + random.uniform(0.0, 0.5)  # noqa: S311
        limited = isinstance(err, RateLimited) or (err.status == 503 and asked is not None)
        self.throttled += limited
        if limited and self.governor is not None and call.family:
            if asked is None:
                wait = max(wait, self.governor.back_off(self.key, call.family, wait))
            else:
                self.governor.pause(self.key, call.family, asked)
        may_pass = err.retryable and err.status not in _NEVER_BETTER
        if not call.repeatable or not (may_pass or err.code == "not_json"):
            return None
        # A worker that waits for a silent server serves nobody: its next turn is the retry.
        if err.code == "timeout" and is_background():
            return None
        if attempt >= self.policy.attempts or wait > deadline - self._clock():
            return None
        return None if asked is not None and asked > self.policy.retry_after_cap_s else wait

    def _send(self, call: _Call, deadline: float) -> Answer:
        left = deadline - self._clock()
        if left <= 0:
            raise self._too_slow()
        guarded = self._networks is not None
        url = str(call.request.url)
        try:
            # Strangers may be slow for ever.
            with hang_up_after(left) if guarded else nullcontext():
                response = _adapter(self._networks).send(
                    call.request.copy(),
                    stream=True,
                    timeout=(min(self.policy.connect_s, left), min(self.policy.read_s, left)),
                    verify=_trusted_certificates(),
                    # A proxy would connect to an address that the guard has not seen.
                    proxies={} if guarded else get_environ_proxies(url),
                )
                with response:
                    return self._read(response, call, deadline)
        # "from None" here and below: the texts of these errors hold the URL with its query.
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self._too_slow() from None
        except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as err:
            if self._clock() >= deadline:
                raise self._too_slow() from None
            raise self._connection_fault(err) from None

    def _read(self, response: requests.Response, call: _Call, deadline: float) -> Answer:
        succeeded = 200 <= response.status_code < 300
        cap = self.policy.max_bytes if succeeded else _MAX_ERROR_BYTES
        raw = self._read_bytes(response, cap, deadline)
        if succeeded:
            if raw is None:
                raise BadPayload(
                    f"{self.name}: the answer is larger than {cap} bytes.",
                    status=response.status_code,
                    code="too_large",
                )
            body = raw if call.raw else self._parse(raw, response.status_code)
            return Answer(response.status_code, response.headers, body)
        raise call.read_error(
            Failure(self.name, response.status_code, response.headers, _parse_or_none(raw))
        )

    def _read_bytes(self, response: requests.Response, cap: int, deadline: float) -> bytes | None:
        """The decoded body, None if it is larger than `cap`."""
        if (response.raw.length_remaining or 0) > cap:
            return None
        chunks: list[bytes] = []
        size = 0
        # read1 gives what has arrived: read would wait for a whole chunk, however slowly it drips.
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > cap:
                return None
            if self._clock() > deadline:
                raise self._too_slow()
            chunks.append(chunk)
        if self._clock() >= deadline:  # what was hung up on ends like what is whole
            raise self._too_slow()
        return b"".join(chunks)

    def _parse(self, raw: bytes, status: int) -> object:
        if not raw.strip():
            return None
        try:
            return jsons.loads(raw)
        except ValueError:
            raise BadPayload(
                f"{self.name}: the answer is not JSON, or only a part of it.",
                status=status,
                code="not_json",
            ) from None

    def _too_slow(self) -> Unavailable:
        return Unavailable(f"{self.name} did not answer in time.", code="timeout")

    def _connection_fault(self, err: BaseException) -> ApiError:
        if _is_certificate_fault(err):
            return Rejected(
                f"{self.name}: its TLS certificate is not trusted. Check the address, and "
                "REQUESTS_CA_BUNDLE if it has a certificate of your own authority.",
                code="certificate",
            )
        if isinstance(err, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            return Rejected(f"{self.name}: the address is no usable URL.", code="url")
        return Unavailable(f"{self.name} could not be reached.", code="connection")


def _prepare(
    method: str,
    url: str,
    json: object,
    form: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
) -> requests.PreparedRequest:
    merged = {"Accept": "application/json", "User-Agent": "csc-portal", "Accept-Encoding": "gzip"}
    data: bytes | Mapping[str, str] | None = form
    if json is not None:
        data = orjson.dumps(json)
        merged["Content-Type"] = "application/json"
    merged.update(headers or {})
    try:
        return requests.Request(method, url, data=data, headers=merged).prepare()
    except requests.RequestException:
        raise Rejected("The address is no usable URL.", code="url") from None


def _parse_or_none(raw: bytes | None) -> object:
    try:
        return jsons.loads(raw) if raw else None
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or {"https": 443, "http": 80}.get(scheme, 0)
    return scheme, (parts.hostname or "").rstrip("."), port


def _trusted_certificates() -> bool | str:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def _is_certificate_fault(err: BaseException | None) -> bool:
    seen: set[int] = set()
    while err is not None and id(err) not in seen:
        if isinstance(err, ssl.SSLCertVerificationError):
            return True
        seen.add(id(err))
        err = err.__cause__ or err.__context__
    return False


_adapters: dict[Networks | None, HTTPAdapter] = {}
# A child process must not write into the connections of its parent.
os.register_at_fork(after_in_child=_adapters.clear)


def _adapter(networks: Networks | None) -> HTTPAdapter:
    """The process's adapter, which keeps connections for all Http objects of one kind."""
    adapter = _adapters.get(networks)
    if adapter is None:
        adapter = (
            HTTPAdapter(pool_connections=_POOL_SIZE, pool_maxsize=_POOL_SIZE)
            if networks is None
            else GuardedAdapter(networks, pool_maxsize=_POOL_SIZE)
        )
        adapter = _adapters.setdefault(networks, adapter)
    return adapter
