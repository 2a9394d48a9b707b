"""Who sends a request, behind so many proxies of ours."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest


def client_address(request: HttpRequest, proxies: int) -> str:
    """The address that the outermost of `proxies` saw; what lies before it anybody can write.

    0 proxies: X-Forwarded-For is ignored. One customer line has 2**64 addresses of version 6, so
    those are cut to their network.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if proxies:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(hops) >= proxies:
            address = hops[-proxies].strip()
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if found.version == 6:
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)
