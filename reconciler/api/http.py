"""Send a request, read its answer within limits, classify failures and report each attempt to the observer.

Only this module passes the key to the HTTP stack. Errors of that stack are not chained to ours: its frames hold the
Authorization header, and a log that records the variables of frames would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypeVar

import httpx

from reconciler import __version__
from reconciler.api import address, bodies, classify, deadline
from reconciler.api.error_text import cut
from reconciler.api.errors import ApiError, MalformedAnswerError
from reconciler.api.values import Call, Content, RequestRecord
from reconciler.text.sanitize import clean

if TYPE_CHECKING:
    from reconciler.api.deadline import Deadline
    from reconciler.api.key import ApiKey
    from reconciler.api.retry import Retrier
    from reconciler.api.transport import Transport

T = TypeVar("T")

Observer: TypeAlias = Callable[[RequestRecord], None]

USER_AGENT: Final = f"mistral-batch-reconciler/{__version__}"

MAX_ERROR_BYTES: Final = 64 * 1024
"""Maximum number of bytes read of an error's body."""


class Exchange:
    """An HTTP client for one host and one key. Threads may share it; it owns its transport and closes it.

    The key is sent only to that host, over HTTPS or to this machine. The timeout is for a whole exchange; the transfer
    of a file may take longer while it moves fast enough. All requests of a run share `retry`. `on_request` is called
    after every attempt at every request, and its exceptions are ignored. Raises `ReconcilerError` if the key may not be
    sent to that base URL.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: ApiKey,
        transport: Transport,
        timeout_seconds: float = 30.0,
        retry: Retrier,
        on_request: Observer | None = None,
    ) -> None:
        self._key = key
        self._timeout = timeout_seconds
        self._retry = retry
        self._on_request = on_request
        self._http = httpx.Client(
            base_url=address.checked(base_url),
            transport=transport,
            auth=self._signed,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._http.base_url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and the transport with them. A request that this ends is not reported."""
        self._on_request = None
        self._http.close()

    def _send_once(self, call: Call, understand: Callable[[bytes], T], *, attempt: int = 1) -> T:
        """Send the request once and return the result of `understand` for the answer's body.

        The class of an `ApiError` says whether the API may have carried the request out.
        """
        with self._answer(call, attempt) as (answer, until):
            return understand(self._key.redact_body(_whole(answer, until, call.most_bytes)))

    def _send_with_retry(self, call: Call, understand: Callable[[bytes], T]) -> T:
        """Send a request that is safe to repeat, as often as the retry policy allows.

        Raises the `ApiError` of the last attempt.
        """
        return self._retry.call(lambda attempt: self._send_once(call, understand, attempt=attempt))

    @contextmanager
    def _streamed(self, call: Call) -> Generator[Content]:
        """Open a request that is safe to repeat and yield the answer's body in pieces, with their offset in the whole.

        Raises:
            ApiError: on opening, after retries; or from the iterator, without a retry, if the body breaks off.
            MalformedAnswerError: the answer is a part other than the requested one.
        """
        with ExitStack() as stack:
            answer, until = self._retry.call(lambda attempt: stack.enter_context(self._answer(call, attempt)))
            with self._translate_errors(call):
                start, size = classify.extent(answer.status_code, answer.headers, wanted=call.start)
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            pieces = self._pieces(answer, until, call)
            yield Content(start=start, size=size, media_type=media_type, pieces=pieces)

    @contextmanager
    def _answer(self, call: Call, attempt: int) -> Generator[tuple[httpx.Response, Deadline]]:
        """Yield a successful answer before its body is read, and report the attempt to the observer afterwards.

        One deadline is for the whole exchange: until the caller has read the body.
        """
        began = self._retry.monotonic()
        status, failure, served_at = None, "", None
        seconds = self._seconds(call) + call.sends / deadline.SLOWEST_BYTES_PER_SECOND
        try:
            with deadline.running(seconds, self._retry.monotonic) as until:
                with self._translate_errors(call):
                    response = self._http.send(self._request(call), stream=True)
                status, served_at = response.status_code, classify.served_at(response.headers)
                with closing(response), self._translate_errors(call):
                    if not response.is_success:
                        raise self._error_from_response(call, response, until)  # noqa: TRY301 - by a frame that does not hold the body
                    yield response, until
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            record = RequestRecord(
                method=call.method,
                path=self._key.redact(call.path),
                status=status,
                elapsed_ms=round(1000 * (self._retry.monotonic() - began)),
                attempt=attempt,
                served_at=served_at,
                error=failure,
            )
            if self._on_request:
                with suppress(Exception):  # a log that cannot be written must not lose the answer to a create
                    self._on_request(record)

    @contextmanager
    def _translate_errors(self, call: Call) -> Generator[None]:
        """Turn errors of httpx into ours, and add the request and a cleaned text to ours."""
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # InvalidURL: a redirect to an invalid address
            failure = classify.error_from_exception(error)
            error.args = ()  # its text may repeat the request
            raise self._annotate(failure, call) from None
        except ApiError as error:
            self._annotate(error, call)
            raise

    def _annotate(self, error: ApiError, call: Call) -> ApiError:
        if not error.request:  # else another request raised it and has annotated it
            error.request = self._key.redact(f"{call.method} {call.path}")
            error.text = cut(self._key.redact(clean(error.text)))
            error.args = (error.text,)
        return error

    def _signed(self, request: httpx.Request) -> httpx.Request:
        """Add the key at the last moment, so that no object of ours holds a header with it."""
        request.headers.update(self._key.headers())
        return request

    def _request(self, call: Call) -> httpx.Request:
        return self._http.build_request(
            call.method,
            call.path,
            params=call.query or None,
            content=call.content,
            data=call.form,
            files=call.files,
            headers=_headers(call),
            timeout=self._seconds(call),
        )

    def _seconds(self, call: Call) -> float:
        return min(max(self._timeout, call.least_seconds), call.most_seconds)

    def _error_from_response(self, call: Call, answer: httpx.Response, until: Deadline) -> ApiError:
        """Return the error for an answer that is not a success."""
        body = bytearray()
        with suppress(httpx.HTTPError, ApiError):  # the status is enough
            for piece in bodies.pieces(answer):
                body += piece
                if len(body) > MAX_ERROR_BYTES:
                    break
                until.check()
        onward = answer.next_request
        return classify.error_from_response(
            call,
            answer.status_code,
            answer.headers,
            self._key.redact_body(bytes(body[:MAX_ERROR_BYTES])),
            points_to=onward.url.host if onward else "",
        )

    def _pieces(self, answer: httpx.Response, until: Deadline, call: Call) -> Iterator[bytes]:
        with self._translate_errors(call):
            for piece in bodies.pieces(answer):
                until.check()
                until.received(len(piece))
                yield piece


def _whole(answer: httpx.Response, until: Deadline, most: int) -> bytes:
    """Read a body within limits of size and time."""
    body = bytearray()
    for piece in bodies.pieces(answer):
        body += piece
        if len(body) > most:
            body.clear()  # the traceback of the error keeps it, and that of every attempt is kept
            raise MalformedAnswerError(f"the answer is longer than {most:,} bytes")
        until.check()
    return bytes(body)


def _headers(call: Call) -> dict[str, str] | None:
    if call.start:
        return {"Range": f"bytes={call.start}-"}
    return None if call.content is None else {"Content-Type": "application/json"}
