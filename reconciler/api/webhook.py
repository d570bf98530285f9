"""A document posted to somebody else's address: without the key, without redirects, HTTPS or this machine alone."""

from __future__ import annotations

import threading
from typing import Final

import httpx

from reconciler import __version__
from reconciler.api import address, classify
from reconciler.api.transport import https_transport
from reconciler.errors import ReconcilerError

HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"mistral-batch-reconciler/{__version__}",
}


def post(url: str, said: bytes, *, timeout_seconds: float) -> str:
    """Send a JSON document and return what went wrong, "" for an answer of 2xx. The answer's body is not read.

    Nothing of the address but its host is ever repeated: the rest of it may be a secret.

    Args:
        url: where to.
        said: the document.
        timeout_seconds: for all of it.
    """
    told: list[str] = []
    thread = threading.Thread(
        target=lambda: told.append(_post(url, said, timeout_seconds)), daemon=True, name="webhook"
    )
    thread.start()
    thread.join(timeout_seconds)  # a server that sends a byte now and then must not keep us
    return told[0] if told else f"no answer within {timeout_seconds:g} s"


def _post(url: str, said: bytes, timeout_seconds: float) -> str:
    try:
        place = httpx.URL(url)
        origin = str(place.copy_with(path="/", query=None, fragment=None, userinfo=b"")).rstrip("/")
        address.checked(origin)
    except (ReconcilerError, httpx.InvalidURL, ValueError):
        return "its URL is no HTTPS address"
    if place.userinfo:
        return "its URL holds credentials, which would be sent in the clear to whoever logs it"
    try:
        with (
            httpx.Client(transport=https_transport(origin, connections=1), trust_env=False) as client,
            client.stream(
                "POST", place, content=said, headers=HEADERS, timeout=timeout_seconds, follow_redirects=False
            ) as answer,
        ):
            return "" if answer.is_success else f"{place.host} answered {answer.status_code}"
    except ReconcilerError as error:
        return f"{place.host}: {error}"
    except httpx.HTTPError as error:
        return f"{place.host}: {classify.of_exception(error).told}"
