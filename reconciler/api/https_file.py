"""Read a file by HTTPS: without credentials, and without redirects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import httpx

from reconciler import __version__
from reconciler.api import classify
from reconciler.api.transport import Transport, https_transport
from reconciler.errors import ReconcilerError

_HEADERS: Final = {
    "Accept-Encoding": "identity",
    "User-Agent": f"mistral-batch-reconciler/{__version__}",
}
_PIECE: Final = 1 << 16


def pieces(url: str, *, seconds: float, wrap: Callable[[Transport], Transport]) -> Iterator[bytes]:
    """Yield the bytes of a file; `seconds` is the longest time between two of them. Raises `ReconcilerError`."""
    try:
        with (
            httpx.Client(transport=wrap(https_transport(url, connections=1)), trust_env=False) as client,
            client.stream("GET", url, headers=_HEADERS, timeout=seconds, follow_redirects=False) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                more = ", and no redirect is followed" if answer.is_redirect else ""
                raise ReconcilerError(f"the server answered {answer.status_code}{more}")
            yield from answer.iter_raw(_PIECE)
    except httpx.HTTPError as error:
        raise ReconcilerError(classify.error_from_exception(error).text) from error
