"""Transports for requests: the network, or function calls into the sandbox.

Callers take an `httpx.BaseTransport`, so a simulation or a test passes its own.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.request import getproxies, proxy_bypass

import httpx

from reconciler.api import address
from reconciler.api.address import is_loopback
from reconciler.errors import ReconcilerError, explaining

Transport: TypeAlias = httpx.BaseTransport

CLIENT_CERT: Final = "RECONCILER_CLIENT_CERT"
CLIENT_KEY: Final = "RECONCILER_CLIENT_KEY"
CONNECTIONS: Final = 16
"""Maximum number of concurrent requests."""


def https_transport(
    base_url: str, *, connections: int = CONNECTIONS, client_certificate: bool = False
) -> Transport:
    """Return a transport over the network, for requests to `base_url` only.

    It reads the process's environment as curl does: HTTPS_PROXY, ALL_PROXY and NO_PROXY (on macOS and Windows the
    system's settings too), SSL_CERT_FILE and SSL_CERT_DIR. A proxy carries a tunnel and never sees the key. Requests to
    this machine, which may use plain HTTP, never go through a proxy. At least as many `connections` are kept open as
    there are threads. The `client_certificate` of RECONCILER_CLIENT_CERT and RECONCILER_CLIENT_KEY, if they are set, is
    for the API's host only. Raises `ReconcilerError` if the base URL, the proxy or the certificates cannot be used.
    """
    from reconciler.api import network  # noqa: PLC0415 - httpcore is needed for connections only

    url = address.checked(base_url)
    proxy, source = ("", "") if is_loopback(url.host) else _proxy(url.host)
    # Plain HTTP needs no certificates, but without a context httpx would read them.
    trust = _trust() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if client_certificate:
        _add_client_certificate(trust)
    try:
        transport = network.bound(
            httpx.HTTPTransport(
                verify=trust,
                limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
                proxy=proxy or None,
            )
        )
        return _ThroughProxy(transport, httpx.URL(proxy).netloc.decode(), source) if proxy else transport
    except (ValueError, ImportError, httpx.InvalidURL):  # ImportError: SOCKS needs one more package
        raise ReconcilerError(
            f"the proxy in {source} cannot be used",
            hint=f"set {source} to a URL such as http://proxy.example:3128, or unset it",
        ) from None  # the URL may hold credentials


def wsgi_transport(app: Callable[..., Iterable[bytes]]) -> Transport:
    """Return a transport that calls a WSGI application in this process; the base URL may be `http://localhost`.

    It has no timeouts and keeps whole bodies in memory. An exception of the application is raised unchanged.
    """
    application: Any = app  # httpx types the environment more narrowly than wsgiref does
    return httpx.WSGITransport(app=application)


def offline_transport() -> Transport:
    """Return a transport that refuses every request: for a command that must not use the network."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("this command works offline", request=request)

    return httpx.MockTransport(refuse)


class ProxyFailedError(httpx.ProxyError):
    """The `failure` of a connection to a proxy: its host and port without credentials, and the variable as `source`."""

    def __init__(self, failure: httpx.TransportError, *, proxy: str, source: str) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.proxy = proxy
        self.source = source


@dataclass(eq=False)
class _ThroughProxy(httpx.BaseTransport):
    """Names the proxy in errors of the connection to it: with a proxy, no other host is connected to or looked up."""

    inner: httpx.BaseTransport
    proxy: str
    source: str

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return self.inner.handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise ProxyFailedError(error, proxy=self.proxy, source=self.source) from error

    def close(self) -> None:
        self.inner.close()


def _proxy(host: str) -> tuple[str, str]:
    """Return the URL of the proxy for a host, and the environment variable that names it; "" if there is none."""
    proxies = getproxies()
    scheme = next((scheme for scheme in ("https", "all") if proxies.get(scheme)), "")
    if not scheme or proxy_bypass(host):
        return "", ""
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
    source = next((name for name in names if os.environ.get(name)), "the system's settings")
    proxy = proxies[scheme]
    return proxy if "://" in proxy else f"http://{proxy}", source


def _trust() -> ssl.SSLContext:
    """Return the certificates to trust: those of the environment, else the system's folder, else certifi's list.

    A folder of hashed certificates is read on demand; a bundle is parsed before the first request, which takes some
    20 ms.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        folder = _system_folder()
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    hint = "set SSL_CERT_FILE to a PEM file, or SSL_CERT_DIR to a folder made by `openssl rehash`"
    with explaining("the trusted certificates cannot be read", hint):
        return ssl.create_default_context(cafile=file or None, capath=folder or None)


def _add_client_certificate(context: ssl.SSLContext) -> None:
    cert, key = os.environ.get(CLIENT_CERT), os.environ.get(CLIENT_KEY)
    hint = (
        f"set {CLIENT_CERT} to a PEM file with the certificate, and {CLIENT_KEY} to one with its private key, without "
        "a password, unless the first has it"
    )
    with explaining(f"the client certificate in {CLIENT_CERT} cannot be used", hint):
        if cert or key:
            context.load_cert_chain(cert or "", key or None, password="")  # else OpenSSL asks on the terminal


def _system_folder() -> str | None:
    """Return the system's folder of certificates, None if there is none or it has no hashed certificate."""
    folder = ssl.get_default_verify_paths().capath
    if folder:
        with suppress(OSError), os.scandir(folder) as entries:
            if any(entry.name.endswith(".0") for entry in entries):
                return folder
    return None
