"""Sockets whose reads and writes end by the deadline of the exchange. Imported with the first connection."""

from __future__ import annotations

from typing import Any, Final

import httpcore
import httpx

from reconciler.api import deadline

_PIECE: Final = 16 * 1024
"""Bytes per write: httpcore gives each part of a write that the system accepts a new timeout."""


def bound(transport: httpx.HTTPTransport) -> httpx.HTTPTransport:
    """Make all connections of a transport keep the deadline. httpx has no public parameter for this."""
    pool: Any = transport._pool  # noqa: SLF001 - see above; a test of each hostile server fails if httpx changes this
    pool._network_backend = _Bound(pool._network_backend)  # noqa: SLF001 - likewise
    return transport


class _Bound:
    """A backend or stream of httpcore whose operations get what is left of the deadline as their timeout."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - a backend or a stream
        self._inner = inner
        self.close, self.get_extra_info = (getattr(inner, it, None) for it in ("close", "get_extra_info"))

    def connect_tcp(self, *where: object, timeout: float | None = None, **options: object) -> _Bound:
        seconds = _seconds(timeout, httpcore.ConnectTimeout)
        return _Bound(self._inner.connect_tcp(*where, timeout=seconds, **options))

    def start_tls(self, *context: object, timeout: float | None = None, **options: object) -> _Bound:
        seconds = _seconds(timeout, httpcore.ConnectTimeout)
        return _Bound(self._inner.start_tls(*context, timeout=seconds, **options))

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:  # noqa: ANN401 - bytes
        return self._inner.read(max_bytes, _seconds(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], _seconds(timeout, httpcore.WriteTimeout))


def _seconds(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    seconds = deadline.within(timeout)
    if seconds == 0:
        raise error
    return seconds
