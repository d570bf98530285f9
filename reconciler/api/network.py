"""Sockets whose reads and writes end by the deadline of the exchange. Imported with the first connection."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

from reconciler.api import deadline

_PIECE: Final = 16 * 1024
"""Bytes per write: httpcore gives each part of a write that the system accepts a new timeout."""


def bound(transport: httpx.HTTPTransport) -> httpx.HTTPTransport:
    """Make all connections of a transport keep the deadline. httpx has no public parameter for this."""
    pool = transport._pool  # noqa: SLF001 - see above; a test of each hostile server fails if httpx changes this
    pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001 - likewise
    return transport


def _seconds(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    seconds = deadline.within(timeout)
    if seconds is not None and seconds <= 0:
        raise error
    return seconds


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _seconds(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], _seconds(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = _seconds(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = _seconds(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, seconds, local_address, socket_options))
