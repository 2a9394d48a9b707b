import base64
import datetime
import json
import logging
import threading
import urllib.parse
from collections.abc import Callable, Iterator

import jwt
import pytest
import requests
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from clients.errors import ApiError, BadPayload, RateLimited, Rejected, Unauthorized, Unavailable
from clients.microsoft.identity import DirectoryTokens, TokenCache
from tests.clients.conftest import FakeTime
from tests.payloads import load

LOGIN = "https://login.example.com:8443"
DIRECTORY = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"
SCOPE = "https://graph.microsoft.com/.default"
DISCOVERY = f"{LOGIN}/{DIRECTORY}/v2.0/.well-known/openid-configuration"
TOKEN = f"{LOGIN}/{DIRECTORY}/oauth2/v2.0/token"
SECRET = "s3cr3t-value~with+odd/chars"


@pytest.fixture
def entra() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(
            DISCOVERY,
            json={
                "issuer": f"{LOGIN}/{DIRECTORY}/v2.0",
                "authorization_endpoint": f"{LOGIN}/{DIRECTORY}/oauth2/v2.0/authorize",
                "token_endpoint": TOKEN,
            },
        )
        yield mock


def make(
    fake_time: FakeTime,
    credential: Callable[[], str] = lambda: SECRET,
    *,
    forget: Callable[[], None] = lambda: None,
    directory: str = DIRECTORY,
    cache: TokenCache | None = None,
) -> DirectoryTokens:
    return DirectoryTokens(
        LOGIN,
        directory,
        CLIENT,
        credential,
        forget,
        cache=cache or TokenCache(),
        sleep=fake_time.sleep,
        clock=fake_time.clock,
    )


def success(token: str = "token-1", lifetime: object = 3599) -> dict[str, object]:  # noqa: S107
    return {"token_type": "Bearer", "expires_in": lifetime, "access_token": token}


def posts(entra: responses.RequestsMock) -> list[dict[str, list[str]]]:
    bodies = [call.request.body for call in entra.calls if call.request.method == "POST"]
    return [urllib.parse.parse_qs(b.decode() if isinstance(b, bytes) else b) for b in bodies]


def test_token_by_secret(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    entra.post(TOKEN, json=load("microsoft/token-success-client-credentials"))
    assert make(fake_time).token(SCOPE).startswith("eyJ")
    (form,) = posts(entra)
    assert form["client_secret"] == [SECRET]
    assert form["scope"] == [SCOPE]
    assert form["grant_type"] == ["client_credentials"]


def test_tokens_are_kept_until_five_minutes_before_their_end(
    entra: responses.RequestsMock, fake_time: FakeTime
) -> None:
    entra.post(TOKEN, json=success("one"))
    entra.post(TOKEN, json=success("two"))
    cache = TokenCache()
    assert make(fake_time, cache=cache).token(SCOPE) == "one"
    fake_time.now += 3599 - 301
    assert make(fake_time, cache=cache).token(SCOPE) == "one"
    fake_time.now += 2
    assert make(fake_time, cache=cache).token(SCOPE) == "two"


def test_forget_keeps_a_newer_token(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    entra.post(TOKEN, json=success("one"))
    entra.post(TOKEN, json=success("two"))
    tokens = make(fake_time)
    assert tokens.token(SCOPE) == "one"
    tokens.forget(SCOPE, "one")
    assert tokens.token(SCOPE) == "two"
    tokens.forget(SCOPE, "one")
    assert tokens.token(SCOPE) == "two"
    assert len(posts(entra)) == 2


def test_many_threads_fetch_one_token(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    entra.post(TOKEN, json=success())
    tokens = make(fake_time)
    threads = [threading.Thread(target=tokens.token, args=(SCOPE,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(posts(entra)) == 1


@pytest.mark.parametrize(
    ("payload", "status", "kind", "code", "words"),
    [
        ("error-token-7000215-constructed", 401, Unauthorized, "AADSTS7000215", "secret is wrong"),
        ("error-token-7000222-constructed", 401, Unauthorized, "AADSTS7000222", "has expired"),
        ("error-token-700016-constructed", 400, Unauthorized, "AADSTS700016", "consent link"),
        ("error-token-90002-constructed", 400, Rejected, "AADSTS90002", "no such directory"),
        ("error-token-invalid-scope", 400, Rejected, "AADSTS70011", "scope"),
    ],
)
def test_errors_say_what_to_do(
    entra: responses.RequestsMock,
    fake_time: FakeTime,
    caplog: pytest.LogCaptureFixture,
    payload: str,
    status: int,
    kind: type[ApiError],
    code: str,
    words: str,
) -> None:
    entra.post(TOKEN, json=load(f"microsoft/{payload}"), status=status)
    with caplog.at_level(logging.DEBUG), pytest.raises(kind, match=words) as caught:
        make(fake_time).token(SCOPE)
    assert caught.value.code == code
    for text in (str(caught.value), repr(caught.value), caplog.text):
        assert SECRET not in text
        assert "Contoso" not in text


def test_a_wrong_directory_fails_at_discovery(fake_time: FakeTime) -> None:
    body = load("microsoft/error-token-90002-constructed")
    with responses.RequestsMock() as mock:
        mock.get(DISCOVERY, json=body, status=400)
        with pytest.raises(Rejected, match="no such directory") as caught:
            make(fake_time).token(SCOPE)
    assert caught.value.code == "AADSTS90002"


@pytest.mark.parametrize("directory", ["common", "organizations", "not a guid", "a/b.com", ""])
def test_a_directory_that_is_none_is_refused_without_a_request(
    entra: responses.RequestsMock, fake_time: FakeTime, directory: str
) -> None:
    with pytest.raises(Rejected) as caught:
        make(fake_time, directory=directory).token(SCOPE)
    assert caught.value.code == "AADSTS900023"
    assert len(entra.calls) == 0


@pytest.mark.parametrize("number", ["7000215", "7000222"])
def test_a_rotated_secret_is_read_once_more(
    entra: responses.RequestsMock, fake_time: FakeTime, number: str
) -> None:
    entra.post(TOKEN, json=load(f"microsoft/error-token-{number}-constructed"), status=401)
    entra.post(TOKEN, json=success())
    stored = ["old"]
    tokens = make(fake_time, lambda: stored[0], forget=lambda: stored.insert(0, "new"))
    assert tokens.token(SCOPE) == "token-1"
    assert [form["client_secret"] for form in posts(entra)] == [["old"], ["new"]]


def test_a_secret_that_stays_wrong_is_tried_twice_only(
    entra: responses.RequestsMock, fake_time: FakeTime
) -> None:
    body = load("microsoft/error-token-7000215-constructed")
    entra.post(TOKEN, json=body, status=401)
    forgotten: list[int] = []
    with pytest.raises(Unauthorized):
        make(fake_time, forget=lambda: forgotten.append(1)).token(SCOPE)
    assert len(posts(entra)) == 2
    assert forgotten == [1]


def test_consent_that_was_missing_is_seen_at_once_when_given(
    entra: responses.RequestsMock, fake_time: FakeTime
) -> None:
    entra.post(TOKEN, json=load("microsoft/error-token-700016-constructed"), status=400)
    entra.post(TOKEN, json=success())
    tokens = make(fake_time)
    with pytest.raises(Unauthorized):
        tokens.token(SCOPE)
    assert tokens.token(SCOPE) == "token-1"


def test_passing_faults_are_waited_for(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    entra.post(TOKEN, status=503)
    entra.post(TOKEN, status=429, headers={"Retry-After": "4"})
    entra.post(TOKEN, json={"error": "server_error", "error_codes": [90033]}, status=400)
    entra.post(TOKEN, json=success())
    assert make(fake_time).token(SCOPE) == "token-1"
    assert 4 <= fake_time.sleeps[1] < 5


def test_throttling_that_lasts(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    entra.post(TOKEN, status=429, headers={"Retry-After": "300"})
    with pytest.raises(RateLimited) as caught:
        make(fake_time).token(SCOPE)
    assert caught.value.retry_after_s == 300


def test_connection_faults(fake_time: FakeTime) -> None:
    with responses.RequestsMock() as mock:
        mock.get(DISCOVERY, body=requests.ConnectionError("x"))
        with pytest.raises(Unavailable):
            make(fake_time).token(SCOPE)


@pytest.mark.parametrize(
    "body",
    [
        '{"access_token": "tok',
        "[]",
        '{"expires_in": 3599}',
        '{"access_token": 5, "expires_in": 3599}',
        '{"access_token": "secret-token", "expires_in": "soon"}',
        '{"access_token": "secret-token", "expires_in": null}',
        "<html></html>",
    ],
)
def test_odd_answers_are_bad_payloads_and_not_logged(
    entra: responses.RequestsMock,
    fake_time: FakeTime,
    caplog: pytest.LogCaptureFixture,
    body: str,
) -> None:
    entra.post(TOKEN, body=body)
    with caplog.at_level(logging.DEBUG), pytest.raises(BadPayload):
        make(fake_time).token(SCOPE)
    assert "tok" not in caplog.text.replace("tokens", "").replace("token_", "").replace(
        "/token", ""
    )


@pytest.mark.parametrize("lifetime", [3599, "3599", 3599.0])
def test_lifetimes_in_all_forms(
    entra: responses.RequestsMock, fake_time: FakeTime, lifetime: object
) -> None:
    entra.post(TOKEN, json=success(lifetime=lifetime))
    assert make(fake_time).token(SCOPE) == "token-1"


def test_no_other_host_gets_the_secret(fake_time: FakeTime) -> None:
    with responses.RequestsMock() as mock:
        mock.get(DISCOVERY, json={"issuer": "x", "token_endpoint": "https://evil.test/token"})
        with pytest.raises(BadPayload, match="token_endpoint"):
            make(fake_time).token(SCOPE)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_token_by_certificate(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, certificate = _pem(key)
    text = _pem(other)[1] + certificate + private
    entra.post(TOKEN, json=success())
    assert make(fake_time, lambda: text).token(SCOPE) == "token-1"
    (form,) = posts(entra)
    assertion = form["client_assertion"][0]
    claims = jwt.decode(assertion, key.public_key(), algorithms=["PS256"], audience=TOKEN)
    assert claims["iss"] == claims["sub"] == CLIENT
    der = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())
    expected = base64.urlsafe_b64encode(der).rstrip(b"=").decode()
    assert jwt.get_unverified_header(assertion)["x5t#S256"].rstrip("=") == expected
    assert "client_secret" not in form


def test_credentials_that_cannot_be_used(
    entra: responses.RequestsMock, fake_time: FakeTime
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, certificate = _pem(key)
    elliptic = "".join(_pem(ec.generate_private_key(ec.SECP256R1())))
    garbled = private[:80] + "!!!!" + private[90:] + certificate
    for text in ("", " ", private, certificate, _pem(other)[1] + private, elliptic, garbled):
        with pytest.raises(Rejected) as caught:
            make(fake_time, lambda text=text: text).token(SCOPE)
        assert caught.value.code == "credential"
        assert private[40:80] not in str(caught.value)
    assert len(entra.calls) == 0


def test_nothing_prints_a_token(entra: responses.RequestsMock, fake_time: FakeTime) -> None:
    entra.post(TOKEN, json=success("very-secret-token"))
    cache = TokenCache()
    tokens = make(fake_time, cache=cache)
    tokens.token(SCOPE)
    shown = [repr(tokens), repr(cache), repr(vars(cache)), json.dumps(str(vars(tokens)))]
    assert not [text for text in shown if "very-secret-token" in text or SECRET in text]
