"""Turn a status, a body or an exception of httpx into an error of `errors`, with the next step.

Only this module decides between "not carried out" and "may have been carried out". Connecting, the TLS handshake,
waiting for a free connection and a proxy's refusal come before the request is sent. After any later failure the
outcome is unknown, even if the request was probably cut short.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from reconciler.api import error_text, errors
from reconciler.api.errors import (
    ApiError,
    MalformedAnswerError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    UnreachableError,
)
from reconciler.api.transport import ProxyFailedError
from reconciler.api.values import FILES, JOBS, Call

_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

_PART: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")

_WRONG_HOST: Final = "check the base URL: the key is sent only to the configured host"

_NO_BATCH: Final = (
    "the host of the base URL has no batch API: use https://api.mistral.ai (regional hosts such as api.eu.mistral.ai "
    "have neither batch jobs nor files)"
)
_PAGE_SIZE: Final = "the API no longer accepts pages of this size: look for a newer version of this tool"

_HINTS: Final = {
    403: "the key lacks the permission: ask an administrator of the workspace for it, or use another key",
    407: "the proxy requires credentials: add them to HTTPS_PROXY",
    409: "something else changed it meanwhile: check `reconciler status`, then run the command again",
    410: "it existed and was deleted: the API keeps files only for a time",
    413: "it is larger than the API accepts: split the input into several files",
}


def error_from_response(
    call: Call, status: int, headers: httpx.Headers, body: bytes, *, points_to: str = ""
) -> ApiError:
    """Return the error for an answer that is not a success.

    `body` is as much of it as could be read. `points_to` is the host that a redirect leads to, "" for none.
    """
    content_type = headers.get("content-type", "")
    text = f"{status}: {error_text.describe_error_body(body, status=status, content_type=content_type)}"
    html = error_text.is_html(body, content_type)
    hint = _hint(call, status, text, html=html)
    wait = retry_after(headers)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        if wait is not None:
            seconds = math.ceil(wait)
            hint = (
                f"the API did not carry out the request: wait {seconds:,} s, then run the same command again"
            )
        return RateLimitedError(text, hint=hint, status=status, transient=True, retry_after=wait)
    if httpx.codes.is_client_error(status) and status != httpx.codes.REQUEST_TIMEOUT:
        # A proxy's 404 page says nothing about our job, so it must not become a class that code acts on.
        kind = RejectedError if html else errors.CLASSES.get(status, RejectedError)
        return kind(text, hint=hint, status=status)
    if httpx.codes.is_redirect(status):
        return OutcomeUnknownError(
            f"{status}: a redirect to {points_to}, not followed" if points_to else text,
            hint=_WRONG_HOST,
            status=status,
        )
    transient = status in errors.TRANSIENT
    return OutcomeUnknownError(text, hint=hint, status=status, transient=transient, retry_after=wait)


def _hint(call: Call, status: int, text: str, *, html: bool) -> str:
    """Return the next step, "" if the error's class has a better one."""
    if html:
        return errors.FROM_A_PROXY
    if call.method == "GET" and call.path in (JOBS, FILES):
        if status == httpx.codes.NOT_FOUND:
            return _NO_BATCH
        if "page_size" in text:
            return _PAGE_SIZE
    return _HINTS.get(status, "")


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that `Retry-After` asks for, None if it is absent or not understood.

    It is a number of seconds or a date (RFC 9110, section 10.2.3). A date is compared with the answer's own `Date`,
    so a wrong clock on this machine does not matter.
    """
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            wanted, now = (parsedate_to_datetime(date) for date in (value, headers.get("date", "")))
            seconds = (wanted - now).total_seconds()
        except (ValueError, TypeError, OverflowError):  # TypeError: only one of the two names a time zone
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def extent(status: int, headers: httpx.Headers, *, wanted: int) -> tuple[int, int | None]:
    """Return the offset of a successful answer's body in the file, and the size of the file if the answer has it.

    Raises `MalformedAnswerError` if it is a part that does not begin at `wanted` as requested (RFC 9110, section 14.4).
    """
    encoded = headers.get("content-encoding", "identity").lower() != "identity"
    if status != httpx.codes.PARTIAL_CONTENT:
        length = headers.get("content-length", "")
        return 0, int(length) if length.isdecimal() and not encoded else None
    part = _PART.fullmatch(headers.get("content-range", ""))
    if encoded or part is None or int(part[1]) != wanted:
        raise MalformedAnswerError("the API sent a different part of the file than requested")
    return wanted, None if part[2] == "*" else int(part[2])


def served_at(headers: httpx.Headers) -> float | None:
    """Return the answer's `Date`, Unix seconds by the server's clock; None if it has none."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def error_from_exception(error: httpx.HTTPError | httpx.InvalidURL) -> ApiError:
    """Return the error for a request without a complete answer."""
    if isinstance(error, _NEVER_SENT):
        return _unsent(error)
    match error:
        case httpx.WriteTimeout():
            what = "the request could not be sent in time"
        case httpx.TimeoutException():
            what = "no answer in time"
        case httpx.InvalidURL():
            return OutcomeUnknownError(f"a redirect to an invalid address: {error}", hint=_WRONG_HOST)
        case _ if "CERTIFICATE_REQUIRED" in str(error):
            hint = "set RECONCILER_CLIENT_CERT to a PEM file with one that the gateway accepts"
            return OutcomeUnknownError("the server requires a client certificate", hint=hint)
        case _:
            what = f"the connection broke before the answer was complete: {error}"
    return OutcomeUnknownError(what, transient=True)


def _unsent(error: httpx.TransportError) -> UnreachableError:
    through = error if isinstance(error, ProxyFailedError) else None
    error = through.failure if through else error
    cause = _cause(error)
    hint, transient = "", True
    match error, cause:
        case httpx.PoolTimeout(), _:
            what = "no connection became free in time"
        case httpx.ConnectTimeout(), _:
            what = "no connection in time"
        case httpx.ProxyError(), _:
            what, transient = str(error), False
        case _, ssl.SSLCertVerificationError():
            what, transient = f"the server's certificate is not trusted: {cause.verify_message}", False
            hint = "behind a proxy that intercepts TLS, set SSL_CERT_FILE to its certificate authority"
        case _, ssl.SSLError():
            what, transient = f"no TLS connection: {cause}", False
            hint = "check HTTPS_PROXY, and that the base URL's port serves HTTPS"
        case _, socket.gaierror():
            what = f"the host name cannot be resolved: {cause.strerror}"
            transient = cause.errno == socket.EAI_AGAIN
            hint = "check the spelling of the base URL, and the network"
        case _, ConnectionRefusedError():
            what = "connection refused: no server listens there"
            hint = "check the base URL's host and port: is the sandbox's server running?"
        case _:
            what = f"no connection: {cause}"
    if through and not isinstance(cause, ssl.SSLError):  # TLS fails behind the proxy
        does = "refuses the connection" if isinstance(error, httpx.ProxyError) else "cannot be reached"
        what = f"the proxy {through.proxy} in {through.source} {does}: {what}"
        hint = f"check {through.source}; if this host needs no proxy, unset it or add the host to NO_PROXY"
    return UnreachableError(what, hint=hint, transient=transient)


def _cause(error: httpx.TransportError) -> BaseException:
    """Return the error of the operating system or of OpenSSL that httpcore and httpx wrap; else `error`.

    httpcore re-raises `from None`, so its wrapper has the cause as a context. No context is followed further: it may
    be an unrelated exception that the caller was handling.
    """
    wrapper = error.__cause__
    inner = wrapper and (wrapper.__cause__ or wrapper.__context__)
    return next((each for each in (wrapper, inner) if isinstance(each, OSError)), error)
