"""Faults on order: a script says which requests meet one, and whether they take effect all the same.

A real service accepts a batch and answers 502, or hangs up halfway. What a client makes of that is seen here, request
by request, and the same way each time.
"""

from __future__ import annotations

import fnmatch
import http
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BUFFER = 1 << 16


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of one request, or of every such request."""

    call: str
    """Method and path, `*` for anything: `POST /v1/batch/jobs`, `GET /v1/batch/jobs/*`, `*`."""
    number: Annotated[int, Meta(ge=1)] | None = None
    """The how-manieth of the requests that fit `call`, from 1; none: every one."""
    effect: bool = False
    """Whether the request takes effect before it fails."""
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    """The answer; none: the connection is closed without one."""
    headers: dict[str, str] = {}
    delay: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds between what it does and what it answers."""


def read(script: bytes) -> tuple[Fault, ...]:
    """Read a script: a JSON list of faults.

    Raises:
        ValueError: it is none.
    """
    return msgspec.json.decode(script, type=tuple[Fault, ...])


class Faults:
    """Stands before the sandbox, and plays a script. The first fault that fits a request is what it meets."""

    def __init__(
        self, app: WSGIApplication, script: Sequence[Fault], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._app = app
        self._script = script
        self._sleep = sleep
        self._turn = threading.Lock()
        self._came: Counter[str] = Counter()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        fault = self._met_by(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        if fault is None:
            return self._app(environ, start_response)
        if fault.effect:
            _whole(self._app(environ, lambda *_: _nowhere))
        else:
            body = get_input_stream(environ)
            while body.read(_BUFFER):  # an answer that comes before the end of a body may get lost
                pass
        self._sleep(fault.delay)
        if fault.status is None:
            _hang_up(environ)
            return []
        words = http.HTTPStatus(fault.status).phrase if fault.status in set(http.HTTPStatus) else "Fault"
        told = b'{"message": "a fault on order"}'
        start_response(
            f"{fault.status} {words}",
            [
                *fault.headers.items(),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(told))),
            ],
        )
        return [told]

    def _met_by(self, call: str) -> Fault | None:
        with self._turn:
            fitting = {fault.call for fault in self._script if fnmatch.fnmatchcase(call, fault.call)}
            self._came.update(fitting)
            return next(
                (
                    fault
                    for fault in self._script
                    if fault.call in fitting and fault.number in (None, self._came[fault.call])
                ),
                None,
            )


def _nowhere(_: bytes) -> None:
    """Take what an application writes, as WSGI wants it."""


def _whole(answer: Iterable[bytes]) -> None:
    try:
        for _ in answer:
            pass
    finally:
        getattr(answer, "close", lambda: None)()


def _hang_up(environ: WSGIEnvironment) -> None:
    """Close the connection under the request; what the server then writes goes nowhere."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
