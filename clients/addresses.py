"""Which hosts a URL typed by a person may lead to: public addresses only, unless an operator allows
a network.

Otherwise a ticket-system URL could make the portal call its own database or the cloud's metadata
service.
"""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from clients.errors import Rejected, Unavailable
from clients.patience import POOLS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
"""All that is given out of version 6: elsewhere lie old and local ways to an address inside."""
_INSIDE: Networks = (
    ipaddress.ip_network("192.0.0.0/24"),  # of the protocol itself; a cloud's metadata among it
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's host, to every machine of Azure
)
"""Not for anybody outside, although Python takes them for public."""


def parse_networks(texts: tuple[str, ...]) -> Networks:
    """CIDRs ("10.1.0.0/16", "127.0.0.1") as networks. Raises ValueError for a text that is none."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def is_permitted(address: Address, allowed: Networks) -> bool:
    """Whether the guard lets a connection go to this address."""
    inner = _embedded_ipv4(address)
    if inner is not None:
        return is_permitted(inner, allowed)
    if any(address in network for network in allowed):
        return True
    if address.version == 6 and address not in _GLOBAL_V6:
        return False
    is_inside = any(address in network for network in _INSIDE)
    return address.is_global and not address.is_multicast and not is_inside


def _embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    # These IPv6 forms end at an IPv4 address, which is what has to be judged.
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def check_url(url: str, allowed: Networks) -> None:
    """Refuse a URL that cannot be used whatever its host resolves to.

    Raises Rejected for another scheme than https (http only to loopback, if loopback is allowed),
    for credentials, a query or a fragment in the URL, for a missing host and for a port that is
    none.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Rejected("The URL cannot be read. Give it as https://host/path.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise Rejected("The URL has to begin with https:// and a host name.")
    if parts.username is not None or parts.password is not None:
        raise Rejected("The URL may not hold a user name or password; they belong into the vault.")
    if parts.query or parts.fragment:
        raise Rejected("The URL may not have a query or a fragment.")
    if port == 0:
        raise Rejected("The URL names a port that does not exist.")
    if parts.scheme == "http" and not _is_allowed_loopback(host, allowed):
        raise Rejected("The URL has to begin with https://.")


def _is_allowed_loopback(host: str, allowed: Networks) -> bool:
    literal = "127.0.0.1" if host.lower() == "localhost" else host
    try:
        address = ipaddress.ip_address(literal)
    except ValueError:
        return False
    return address.is_loopback and any(address in network for network in allowed)


def permitted_address(host: str, port: int, allowed: Networks) -> str:
    """Resolve a host and give one address to connect to.

    Raises Rejected if any of its addresses is not permitted: a name that points inside and outside
    at once is not to be trusted. Raises Unavailable if the name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable("The host name does not resolve. Check the URL.") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not addresses:
        raise Unavailable("The host name does not resolve. Check the URL.")
    for text in addresses:
        if not is_permitted(ipaddress.ip_address(text), allowed):
            raise Rejected(
                "The URL leads to a private address. An operator has to allow that network first."
            )
    return addresses[0]


class GuardedAdapter(HTTPAdapter):
    """Connects to exactly the address that was checked; TLS still verifies the host name of the
    URL.

    A second look-up by the connection could give another answer than the one that was checked (DNS
    rebinding).
    """

    def __init__(self, allowed: Networks, *, pool_maxsize: int) -> None:
        self._allowed = allowed
        super().__init__(pool_maxsize=pool_maxsize)

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host_params, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        pool_kwargs: dict[str, Any] = dict(tls)
        host = str(host_params["host"])
        port = host_params["port"] or (443 if host_params["scheme"] == "https" else 80)
        host_params["host"] = permitted_address(host, port, self._allowed)
        if host_params["scheme"] == "https":
            pool_kwargs["server_hostname"] = host
        return host_params, pool_kwargs

    def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:
        request.headers["Host"] = urlsplit(str(request.url)).netloc.rpartition("@")[2]
