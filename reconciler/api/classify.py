"""From what HTTP shows (a status, a body, an exception of httpx) to an error of `errors`.

The line between "certainly not done" and "may have happened" is drawn here and nowhere else. Connecting, the
TLS handshake, waiting for a free connection and a proxy's refusal come before the request is sent; whatever fails
after that is unknown, even where the request was probably cut short.
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

_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

_PART: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")

_WRONG_HOST: Final = "check the base URL: the key goes to the configured host alone"


def of_answer(status: int, headers: httpx.Headers, body: bytes, *, points_to: str = "") -> ApiError:
    """Class an answer that is no success.

    Args:
        status: the HTTP status, anything but 2xx.
        headers: of the answer.
        body: as much of it as could be read.
        points_to: the host that a redirect names, "" for none.
    """
    content_type = headers.get("content-type", "")
    told = f"{status}: {error_text.sentence(body, status=status, content_type=content_type)}"
    html = error_text.is_html(body, content_type)
    hint = errors.FROM_A_PROXY if html else errors.HINTS.get(status, "")
    wait = retry_after(headers)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        if wait is not None:
            hint = f"nothing was done: wait {math.ceil(wait):,} s and run the same command again"
        return RateLimitedError(told, hint=hint, status=status, transient=True, retry_after=wait)
    if httpx.codes.is_client_error(status) and status != httpx.codes.REQUEST_TIMEOUT:
        # A proxy's page about a 404 says nothing about our job, so it is none of the classes that code relies on.
        kind = RejectedError if html else errors.CLASSES.get(status, RejectedError)
        return kind(told, hint=hint, status=status)
    if httpx.codes.is_redirect(status):
        return OutcomeUnknownError(
            f"{status}: a redirect to {points_to}, not followed" if points_to else told,
            hint=_WRONG_HOST,
            status=status,
        )
    transient = status in errors.TRANSIENT
    return OutcomeUnknownError(told, hint=hint, status=status, transient=transient, retry_after=wait)


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that `Retry-After` asks for, None where it is absent or not understood.

    It is a number of seconds or a date (RFC 9110, section 10.2.3). A date is read against the answer's own `Date`,
    so the clock of this machine may be wrong.
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
    """Return where an answer's body begins in the whole, and the bytes of the whole where that is said.

    Args:
        status: the HTTP status, 2xx.
        headers: of the answer.
        wanted: the byte from which on it was asked for.

    Raises:
        MalformedAnswerError: it is a part, and not that one (RFC 9110, section 14.4).
    """
    encoded = headers.get("content-encoding", "identity").lower() != "identity"
    if status != httpx.codes.PARTIAL_CONTENT:
        length = headers.get("content-length", "")
        return 0, int(length) if length.isdecimal() and not encoded else None
    part = _PART.fullmatch(headers.get("content-range", ""))
    if encoded or part is None or int(part[1]) != wanted:
        raise MalformedAnswerError("the API sent another part of the file than was asked for")
    return wanted, None if part[2] == "*" else int(part[2])


def served_at(headers: httpx.Headers) -> float | None:
    """Return what the server's clock says (`Date`), Unix seconds; None where it does not say."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def of_exception(error: httpx.HTTPError | httpx.InvalidURL) -> ApiError:
    """Class a request that ended without a whole answer."""
    timed_out = isinstance(error, httpx.TimeoutException)
    if isinstance(error, _NEVER_SENT):
        return _unsent(error, timed_out=timed_out)
    match error:
        case httpx.WriteTimeout():
            what = "the request could not be sent in time"
        case httpx.TimeoutException():
            what = "no answer in time"
        case httpx.InvalidURL():
            return OutcomeUnknownError(f"a redirect to nowhere: {error}", hint=_WRONG_HOST)
        case httpx.DecodingError():
            what = f"the answer is compressed and damaged: {error}"
        case _:
            what = f"the connection broke before the answer was whole: {error}"
    return OutcomeUnknownError(what, transient=True, timed_out=timed_out)


def _unsent(error: httpx.TransportError, *, timed_out: bool) -> UnreachableError:
    cause = _cause(error)
    hint, transient = "", True
    match error, cause:
        case httpx.PoolTimeout(), _:
            what = "no connection became free in time"
        case httpx.ConnectTimeout(), _:
            what = "no connection in time"
        case httpx.ProxyError(), _:
            what, transient = f"the proxy refuses the connection: {error}", False
            hint = "check HTTPS_PROXY and NO_PROXY"
        case _, ssl.SSLCertVerificationError():
            what, transient = f"the server's certificate is not trusted: {cause.verify_message}", False
            hint = "behind a proxy that opens TLS, name its certificate authority in SSL_CERT_FILE"
        case _, ssl.SSLError():
            what, transient = f"no TLS connection: {cause}", False
            hint = "check HTTPS_PROXY, and that the base URL's port speaks HTTPS"
        case _, socket.gaierror():
            what = f"the host's name has no address: {cause.strerror}"
            transient = cause.errno == socket.EAI_AGAIN
            hint = "check the spelling of the base URL, and the network"
        case _, ConnectionRefusedError():
            what = "connection refused: nothing listens there"
            hint = "check the base URL's host and port: is the sandbox's server running?"
        case _:
            what = f"no connection: {cause}"
    return UnreachableError(what, hint=hint, transient=transient, timed_out=timed_out)


def _cause(error: httpx.TransportError) -> BaseException:
    """Return the operating system's or OpenSSL's own error, which httpcore and httpx wrap; else `error`.

    httpcore re-raises `from None`, so its wrapper holds the cause as a context. No context is followed further:
    it may be whatever the caller was just handling.
    """
    wrapper = error.__cause__
    inner = wrapper and (wrapper.__cause__ or wrapper.__context__)
    return next((each for each in (wrapper, inner) if isinstance(each, OSError)), error)
