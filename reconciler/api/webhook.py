"""Post a JSON document to a webhook: without the API key, without redirects, over HTTPS or to this machine."""

from __future__ import annotations

import time
from typing import Final

import httpx

from reconciler import __version__
from reconciler.api import address, classify, deadline
from reconciler.api.transport import https_transport
from reconciler.errors import ReconcilerError

HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"mistral-batch-reconciler/{__version__}",
}


def post(url: str, body: bytes, *, timeout_seconds: float) -> str:
    """Send a JSON document and return what went wrong, "" for an answer of 2xx. The answer's body is not read.

    Messages show only the host of the URL: the rest may be a secret. The timeout is for the whole exchange, from the
    connection on.
    """
    try:
        place = httpx.URL(url)
        origin = str(place.copy_with(path="/", query=None, fragment=None, userinfo=b"")).rstrip("/")
        address.checked(origin)
    except (ReconcilerError, httpx.InvalidURL, ValueError):
        return "its URL is not an HTTPS address"
    if place.userinfo:
        return "its URL contains credentials, which logs on the way would record"
    try:
        with (
            deadline.running(timeout_seconds, time.monotonic),
            httpx.Client(transport=https_transport(origin, connections=1), trust_env=False) as client,
            client.stream(
                "POST", place, content=body, headers=HEADERS, timeout=timeout_seconds, follow_redirects=False
            ) as answer,
        ):
            return "" if answer.is_success else f"{place.host} answered {answer.status_code}"
    except ReconcilerError as error:
        return f"{place.host}: {error}"
    except httpx.HTTPError as error:
        return f"{place.host}: {classify.error_from_exception(error).text}"
