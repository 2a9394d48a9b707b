"""Hangs up when a call's time is over, also on a server that sends a byte now and then.

A socket's time-out begins anew with every byte, so a head or a chunk's length that never ends would
hold its caller for as long as the server likes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_here = threading.local()


@contextmanager
def hang_up_after(seconds: float) -> Iterator[None]:
    """For what this thread reads meanwhile through the pools below."""
    sockets: list[socket.socket] = []

    def hang_up() -> None:
        for one in sockets:
            with suppress(OSError):
                # Not SSLSocket's own, which is not made for a second thread.
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    _here.sockets = sockets
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _here.sockets = None


class _Watched:
    """Of a connection: tells its socket before it waits for an answer."""

    sock: socket.socket | None

    def getresponse(self) -> Any:
        sockets = getattr(_here, "sockets", None)
        if sockets is not None and self.sock is not None:
            sockets.append(self.sock)
        return super().getresponse()  # type: ignore[misc]


class _Connection(_Watched, HTTPConnection):
    pass


class _TlsConnection(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
"""For urllib3's PoolManager.pool_classes_by_scheme."""
