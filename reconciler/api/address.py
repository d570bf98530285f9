"""Check that the API key may be sent to an address: HTTPS, or this machine."""

from __future__ import annotations

import ipaddress

import httpx

from reconciler.errors import ReconcilerError

_EXAMPLE = "write it like https://api.mistral.ai"


def checked(base_url: str) -> httpx.URL:
    """Return `base_url`, parsed, if the key may be sent there.

    A path is kept, so that the API may be behind a gateway: `https://gateway.example/mistral`. Raises `ReconcilerError`
    if it is no absolute URL, is plain HTTP to another machine, or carries credentials, a query or a fragment (none of
    which is repeated in the message).
    """
    try:
        url = httpx.URL(base_url.strip())
        host = url.host
    except (httpx.InvalidURL, ValueError):
        raise ReconcilerError("the base URL is not a URL", hint=_EXAMPLE) from None
    if url.userinfo or "@" in base_url:
        raise ReconcilerError(
            "the base URL contains credentials", hint=f"{_EXAMPLE}; pass the key separately"
        )
    if url.query or url.fragment or "?" in base_url or "#" in base_url:
        raise ReconcilerError("the base URL contains a query or a fragment", hint=_EXAMPLE)
    if url.scheme not in {"http", "https"} or not host:
        raise ReconcilerError(f"the base URL {base_url!r} is not an HTTPS address", hint=_EXAMPLE)
    if url.scheme == "http" and not is_loopback(host):
        raise ReconcilerError(
            f"the base URL {base_url!r} is plain HTTP: the API key would cross the network unencrypted",
            hint="use https://; plain http:// is only for this machine (127.0.0.1, ::1, localhost)",
        )
    if url.path.rstrip("/").endswith("/v1"):
        raise ReconcilerError(
            f"the base URL {base_url!r} ends in /v1", hint=f"omit /v1, the tool adds it: {_EXAMPLE}"
        )
    return url


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine: 127.0.0.0/8, ::1 or `localhost`, in their plain spellings."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
