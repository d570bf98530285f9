"""One request, one answer: sending, reading within bounds, classing failures, telling the observer.

The key enters the HTTP stack here and nowhere else. For the same reason errors of that stack are not chained to
ours: its frames hold the Authorization header, and a log that records the variables of frames would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import httpx

from reconciler import __version__
from reconciler.api import address, classify
from reconciler.api.error_text import cut
from reconciler.api.errors import ApiError, MalformedAnswerError, OutcomeUnknownError
from reconciler.api.values import Content, RequestRecord
from reconciler.text.sanitize import clean

if TYPE_CHECKING:
    from reconciler.api.calls import Call
    from reconciler.api.key import Key
    from reconciler.api.retry import Retrier
    from reconciler.api.transport import Transport

T = TypeVar("T")

Observer: TypeAlias = Callable[[RequestRecord], None]

USER_AGENT: Final = f"mistral-batch-reconciler/{__version__}"

LARGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of JSON, decompressed. A page of 1,000 jobs with full metadata is 5 MB."""
LARGEST_COMPLAINT: Final = 64 * 1024
"""Bytes of an error's body that are read."""


class Exchange:
    """A connection to one host with one key. Threads may share it.

    Raises:
        ReconcilerError: the key may not be sent to that base URL.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: Key,
        transport: Transport,
        timeout_seconds: float,
        retry: Retrier,
        on_request: Observer | None,
    ) -> None:
        self._key = key
        self._timeout = timeout_seconds
        self._retry = retry
        self._on_request = on_request
        self._http = httpx.Client(
            base_url=address.checked(base_url),
            transport=transport,
            auth=_Bearer(key),
            headers={"User-Agent": USER_AGENT},
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"Exchange({self._http.base_url})"

    def close(self) -> None:
        """Close all connections, and the transport with them."""
        self._http.close()

    def once(self, call: Call, understand: Callable[[bytes], T], *, attempt: int = 1) -> T:
        """Send the request one time and return what `understand` makes of the answer's body.

        Raises:
            ApiError: of the class that says whether it may have happened.
        """
        with self._answer(call, attempt) as answer:
            return understand(self._whole(answer, call))

    def again(self, call: Call, understand: Callable[[bytes], T]) -> T:
        """Send a request that may be repeated, as often as the retry policy allows.

        Raises:
            ApiError: the last attempt's.
        """
        return self._retry.call(lambda attempt: self.once(call, understand, attempt=attempt))

    @contextmanager
    def streamed(self, call: Call) -> Generator[Iterator[bytes]]:
        """Open a request that may be repeated and hand out the answer's body in pieces.

        Raises:
            ApiError: on opening, after retries; or from the iterator when the body breaks off, without any.
        """
        with ExitStack() as stack:
            answer = self._retry.call(lambda attempt: stack.enter_context(self._answer(call, attempt)))
            yield self._pieces(answer, call)

    @contextmanager
    def continued(self, call: Call) -> Generator[Content]:
        """Do as `streamed` does, and say where in the whole body the pieces begin.

        Raises:
            ApiError: as for `streamed`; `MalformedAnswerError` for a part that is not the one that was asked for.
        """
        with ExitStack() as stack:
            answer = self._retry.call(lambda attempt: stack.enter_context(self._answer(call, attempt)))
            with self._classed(call):
                start, size = classify.extent(answer.status_code, answer.headers, wanted=call.start)
            yield Content(start=start, size=size, pieces=self._pieces(answer, call))

    @contextmanager
    def _answer(self, call: Call, attempt: int) -> Generator[httpx.Response]:
        """Hand out a successful answer, its body not yet read; the observer hears of it in the end."""
        began = self._retry.monotonic()
        status, failure, served_at = None, "", None
        try:
            with self._classed(call):
                response = self._http.send(self._request(call), stream=True)
            status, served_at = response.status_code, classify.served_at(response.headers)
            with closing(response), self._classed(call):
                if not response.is_success:
                    raise self._complaint(response)  # noqa: TRY301 - by a frame that does not hold the body
                yield response
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
                with suppress(Exception):  # a full disk must not lose an answer that was paid for
                    self._on_request(record)

    @contextmanager
    def _classed(self, call: Call) -> Generator[None]:
        """Turn errors of httpx into ours, and give ours the name of the request and text that is fit to be shown."""
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # the latter where a redirect points nowhere
            failure = classify.of_exception(error)
            error.args = ()  # its text may repeat what was sent
            raise self._labelled(failure, call) from None
        except ApiError as error:
            self._labelled(error, call)
            raise

    def _labelled(self, error: ApiError, call: Call) -> ApiError:
        if not error.request:  # else it is the error of another request, on its way through
            error.request = self._key.redact(f"{call.method} {call.path}")
            error.told = cut(self._key.redact(clean(error.told)))
            error.args = (error.told,)
        return error

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
        return max(self._timeout, call.least_seconds)

    def _whole(self, answer: httpx.Response, call: Call) -> bytes:
        """Read a body that must be small and quick; httpx's own timeout bounds each read, not their sum."""
        seconds = self._seconds(call)
        until = self._retry.monotonic() + seconds
        body = bytearray()
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise MalformedAnswerError(f"the answer is longer than {LARGEST_ANSWER:,} bytes")
            if self._retry.monotonic() > until:
                raise OutcomeUnknownError(
                    f"the answer was not whole after {seconds:g} s", transient=True, timed_out=True
                )
        return bytes(body)

    def _complaint(self, answer: httpx.Response) -> ApiError:
        """Return the error for an answer that is no success."""
        body = bytearray()
        until = self._retry.monotonic() + self._timeout
        with suppress(httpx.HTTPError):  # the status says enough
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > LARGEST_COMPLAINT or self._retry.monotonic() > until:
                    break
        onward = answer.next_request
        return classify.of_answer(
            answer.status_code,
            answer.headers,
            bytes(body[:LARGEST_COMPLAINT]),
            points_to=onward.url.host if onward else "",
        )

    def _pieces(self, answer: httpx.Response, call: Call) -> Iterator[bytes]:
        with self._classed(call):
            yield from answer.iter_bytes()


def _headers(call: Call) -> dict[str, str] | None:
    if call.start:  # a part of what? Of the plain bytes, so they must not be compressed
        return {"Range": f"bytes={call.start}-", "Accept-Encoding": "identity"}
    return None if call.content is None else {"Content-Type": "application/json"}


class _Bearer(httpx.Auth):
    """Adds the key to each request at the last moment, so that nothing of ours holds a header with it."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request
