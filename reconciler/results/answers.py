"""Read a line of a result file, and write its line of the joined results.

The provider's line is `{"custom_id", "response": {"status_code", "body"}, "error"}`. A request failed if `error` is not
null or `status_code` is 400 or more. The format of the error file is undocumented, so each of its lines is a failed
request. Bodies are not parsed, apart from their token counts; they are copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

OK: Final = ""
"""The kind of a request that was answered."""
NO_ANSWER: Final = "no_answer"
"""The kind of a line with neither an answer nor an error."""
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
    """A line of which only the custom_id can be read."""

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
    """Sums of tokens."""

    prompt: int = 0
    completion: int = 0
    total: int = 0
    answers: int = 0

    def add(self, body: msgspec.Raw) -> None:
        """Add the tokens in an answer's body, if it has any."""
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
    """Return a line's custom_id, the kind of its outcome, its line in the joined results, and the answer's body.

    Args:
        line: one line of a result file.
        failed: whether it is from the error file.

    Raises:
        DECODE_ERRORS: the line is not an answer.
    """
    if not line.isascii():
        line.decode()  # msgspec does not check the encoding of values that it skips
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
    """Return the line in the joined results of a failed request."""
    parts = (
        b'{"custom_id":', encode(custom_id), b',"ok":false,"body":null,"error":{"kind":', encode(kind),
        b',"status_code":', encode(status), b',"detail":', detail, b"}}\n",
    )  # fmt: skip
    return b"".join(parts)


def missing(custom_id: str) -> bytes:
    """Return the line in the joined results of a request that has no line in any result file."""
    return failure(custom_id, MISSING, None, b"null")
