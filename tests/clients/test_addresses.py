import socket
from pathlib import Path

import pytest

from clients.addresses import check_url, parse_networks, permitted_address
from clients.errors import Rejected, Unavailable
from clients.http import Http
from tests.clients.conftest import WireServer, reply

LOOPBACK = ("127.0.0.0/8", "::1/128")


def answer_with(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(host)
        kind = socket.AF_INET, socket.SOCK_STREAM, 6, ""
        return [(*kind, (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "ff02::1",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b:1::a00:1",
        "fec0::1",
        "192.0.0.192",
        "168.63.129.16",
    ],
)
def test_addresses_that_are_not_public_are_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    answer_with(monkeypatch, "93.184.215.14", address)
    with pytest.raises(Rejected, match="private"):
        permitted_address("tickets.example.com", 443, ())


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::808:808"])
def test_public_addresses_pass(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    answer_with(monkeypatch, address)
    assert permitted_address("tickets.example.com", 443, ()) == address


def test_allowed_networks_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, "10.1.2.3")
    assert permitted_address("t.example.com", 443, parse_networks(("10.1.0.0/16",))) == "10.1.2.3"
    with pytest.raises(Rejected):
        permitted_address("t.example.com", 443, parse_networks(("10.2.0.0/16",)))


def test_unknown_names_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch)
    with pytest.raises(Unavailable):
        permitted_address("t.example.com", 443, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://tickets.example.com",
        "http://127.0.0.1",
        "ftp://tickets.example.com",
        "https://",
        "https:///x",
        "https://user:pw@tickets.example.com",
        "https://user@tickets.example.com",
        "https://tickets.example.com/#a",
        "https://tickets.example.com/?a=b",
        "https://tickets.example.com:0",
        "https://tickets.example.com:99999",
        "https://tickets.example.com:abc",
        "https://[::1",
    ],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(Rejected):
        check_url(url, ())


def test_http_goes_to_an_allowed_loopback_only() -> None:
    check_url("http://127.0.0.1:8080/x", parse_networks(LOOPBACK))
    check_url("http://localhost:8080/x", parse_networks(LOOPBACK))
    check_url("https://tickets.example.com:8443/x", ())
    with pytest.raises(Rejected):
        check_url("http://10.0.0.1/", parse_networks(("10.0.0.0/8",)))


def test_a_guarded_call_to_loopback_sends_nothing(wire: WireServer) -> None:
    wire.replies = [reply()]
    with pytest.raises(Rejected, match="private"):
        Http(wire.url, private_networks_allowed=()).request("GET", "/")
    assert wire.paths == []
    Http(wire.url, private_networks_allowed=LOOPBACK).request("GET", "/")
    assert wire.paths == ["/"]


def test_the_checked_address_is_used_and_the_name_is_verified(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.replies = [reply()]
    asked = answer_with(monkeypatch, "127.0.0.1")
    url = f"https://tickets.example.com:{wire.port}"
    Http(url, private_networks_allowed=LOOPBACK).request("GET", "/a")
    assert asked.count("tickets.example.com") == 1  # a second look-up could answer otherwise
    assert wire.headers[0]["Host"] == f"tickets.example.com:{wire.port}"
    wrong = Http(f"https://other.example.com:{wire.port}", private_networks_allowed=LOOPBACK)
    with pytest.raises(Rejected, match="not trusted"):
        wrong.request("GET", "/")


def test_a_proxy_is_not_used_for_guarded_calls(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wire.replies = [reply()]
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    Http(wire.url, private_networks_allowed=LOOPBACK).request("GET", "/a")
    assert wire.paths == ["/a"]
