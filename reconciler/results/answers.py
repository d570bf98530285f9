"""One line of a result file: what it says, and the line that the joined results get of it.

An answer is what the provider sends: `{"custom_id", "response": {"status_code", "body"}, "error"}`. A request failed
when `error` is not null or `status_code` is 400 or more; the line's shape in the error file is documented nowhere, so
there a line without either has failed as well. Bodies are not understood, only passed on as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

OK: Final = ""
"""The kind of a request that was answered."""
NO_ANSWER: Final = "no_answer"
"""The kind of a line that holds neither an answer nor an error."""
ERROR: Final = "error"
MISSING: Final = "missing"
FIRST_FAILURE: Final = 400
NO_STATUS: Final = 600

NULL: Final = msgspec.Raw(b"null")


class _Response(msgspec.Struct, gc=False):
    status_code: int | None = None
    body: msgspec.Raw = NULL


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: Any = None


class _Loose(msgspec.Struct, gc=False):
    """A line of which only the name of its request is understood."""

    custom_id: str


_Tokens = Annotated[int, msgspec.Meta(ge=0)]


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    total_tokens: _Tokens | None = None


class _Body(msgspec.Struct, gc=False):
    usage: _Usage | None = None


decode_line: Final = msgspec.json.Decoder(_Line).decode
decode_loosely: Final = msgspec.json.Decoder(_Loose).decode
decode_body: Final = msgspec.json.Decoder(_Body).decode
encode: Final = msgspec.json.Encoder().encode
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(slots=True)
class Usage:
    """Tokens, summed."""

    prompt: int = 0
    completion: int = 0
    total: int = 0
    answers: int = 0

    def add(self, body: msgspec.Raw) -> None:
        """Add what an answer's body says, if it does."""
        try:
            usage = decode_body(body).usage
        except DECODE_ERRORS:
            return
        if usage is not None:
            self.prompt += usage.prompt_tokens
            self.completion += usage.completion_tokens
            total = usage.total_tokens
            self.total += usage.prompt_tokens + usage.completion_tokens if total is None else total
            self.answers += 1


def understood(line: bytes, *, failed: bool) -> tuple[str, str, bytes, msgspec.Raw]:
    """Return a line's custom_id, what came of the request, its line in the joined results, and the answer's body.

    Args:
        line: one line of a result file.
        failed: whether it is from the error file.

    Raises:
        REFUSED: it is no answer to anything.
    """
    if not line.isascii():
        line.decode()  # the decoder does not look into what it skips
    try:
        answer = decode_line(line)
    except msgspec.ValidationError:
        custom_id = decode_loosely(line).custom_id
        return custom_id, NO_ANSWER, failure(custom_id, NO_ANSWER, None, line), NULL
    custom_id, response = answer.custom_id, answer.response
    if response is None or answer.error is not None or failed:
        return custom_id, *_failed(answer, line), NULL
    status = response.status_code
    if status is not None and status >= FIRST_FAILURE:
        return custom_id, *_failed(answer, line), NULL
    body = response.body
    joined = b'{"custom_id":%b,"ok":true,"body":%b,"error":null}\n' % (encode(custom_id), body)
    return custom_id, OK, joined, body


def _failed(answer: _Line, line: bytes) -> tuple[str, bytes]:
    response = answer.response
    status = None if response is None else response.status_code
    if answer.error is not None:
        kind, detail = ERROR, encode(answer.error)
    elif response is None:
        kind, detail = NO_ANSWER, line
    else:
        is_error = status is not None and FIRST_FAILURE <= status < NO_STATUS
        kind, detail = f"http_{status}" if is_error else ERROR, bytes(response.body)
    return kind, failure(answer.custom_id, kind, status, detail)


def failure(custom_id: str, kind: str, status: int | None, detail: bytes) -> bytes:
    """Return the line in the joined results of a request that was not answered."""
    parts = (
        b'{"custom_id":', encode(custom_id), b',"ok":false,"body":null,"error":{"kind":', encode(kind),
        b',"status_code":', encode(status), b',"detail":', detail, b"}}\n",
    )  # fmt: skip
    return b"".join(parts)


def missing(custom_id: str) -> bytes:
    """Return the line in the joined results of a request that has no line in any result file."""
    return failure(custom_id, MISSING, None, b"null")
