"""Read a line of a result file, and write its line of the joined results.

The provider's line is `{"custom_id", "response": {"status_code", "body"}, "error"}`. A request is answered if its line
has a body, no error, and no status of 400 or more. The format of the error file is undocumented: a line in it without
a status is a failed request. Bodies are not parsed, apart from their token counts; they are copied.

A line that is not strict JSON, such as one with NaN, half of a surrogate pair or a raw control character, is kept as
text if its custom_id can be found: its answer exists, and only a person can say what it is worth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from reconciler.api.error_text import cut, describe_error_body

OK: Final = ""
"""The kind of a request that was answered."""
NO_ANSWER: Final = "no_answer"
"""The kind of a line with neither an answer nor an error."""
UNREADABLE: Final = "unreadable"
"""The kind of a line that is not strict JSON."""
ERROR: Final = "error"
MISSING: Final = "missing"
RANK: Final = {OK: 2, UNREADABLE: 1}
"""Of several lines for one request, the one of the highest rank counts, then the first; other kinds have rank 0."""
FIRST_STATUS: Final = 100
FIRST_FAILURE: Final = 400
NO_STATUS: Final = 600
NO_MESSAGE: Final = {NO_ANSWER: "neither an answer nor an error", UNREADABLE: "the line is not strict JSON"}
"""The message of kinds whose lines have none."""
MAX_REASON: Final = 200
"""Characters of a reason of failed requests."""

NULL: Final = msgspec.Raw(b"null")
_BOM: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_VALUE: Final = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]+(?![0-9.eE]))', re.DOTALL)


class UnnamedError(Exception):
    """A line of the error file has no custom_id, so that it belongs to no request."""


class _Response(msgspec.Struct, gc=False):
    status_code: int | float | str | None = None
    body: msgspec.Raw = NULL
    message: msgspec.Raw = NULL


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response | None = None
    error: Any = None


class _Loose(msgspec.Struct, gc=False):
    """A line of which only the custom_id can be read."""

    custom_id: str | int | None = None


_Tokens = Annotated[int, msgspec.Meta(ge=0)]


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    total_tokens: _Tokens | None = None


class _Body(msgspec.Struct, gc=False):
    usage: _Usage | None = None


class _LooseBody(msgspec.Struct, gc=False):
    usage: Any = None


class _Failed(msgspec.Struct, gc=False):
    kind: str
    status_code: int | None
    detail: msgspec.Raw


class _FailedRow(msgspec.Struct, gc=False):
    error: _Failed


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
    incomplete: int = 0
    """Answers with a usage that lacks a number, so that the sums are a lower bound."""

    def add(self, body: msgspec.Raw) -> None:
        """Add the tokens in an answer's body, if it has any."""
        try:
            usage = decode_body(body).usage
        except DECODE_ERRORS:
            numbers = _valid_tokens(body)
            self.incomplete += numbers is not None
            usage = msgspec.convert(numbers, _Usage) if numbers else None
        if usage is not None:
            self.prompt += usage.prompt_tokens
            self.completion += usage.completion_tokens
            total = usage.total_tokens
            self.total += usage.prompt_tokens + usage.completion_tokens if total is None else total
            self.answers += 1


def _valid_tokens(body: msgspec.Raw) -> dict[str, int] | None:
    """Return the valid numbers of a usage by name; None if the body has no usage."""
    try:
        usage = msgspec.json.decode(body, type=_LooseBody).usage
    except DECODE_ERRORS:
        return None
    names = _Usage.__struct_fields__
    if not isinstance(usage, dict):
        return None if usage is None else {}
    return {name: it for name in names if type(it := usage.get(name)) is int and it >= 0}


def understood(line: bytes, *, failed: bool) -> tuple[str, str, bytes, msgspec.Raw]:
    """Return a line's custom_id, the kind of its outcome, its line in the joined results, and the answer's body.

    Args:
        line: one line of a result file.
        failed: whether it is from the error file.

    Raises:
        UnnamedError: it is a line of the error file without a custom_id.
        MsgspecError: the line is not an answer.
    """
    try:
        if not line.isascii():
            line.decode()  # msgspec does not check the encoding of values that it skips
        answer = decode_line(line)
    except DECODE_ERRORS:
        if line.startswith(_BOM):
            return understood(line.removeprefix(_BOM), failed=failed)
        return *_odd(line, failed=failed), NULL
    response = answer.response
    if response is None or answer.error:
        return answer.custom_id, *_failed(answer, line, failed=failed), NULL
    body, code = response.body, response.status_code
    status = code if code.__class__ is int else _status(code)
    unlike = failed if status is None else not FIRST_STATUS <= status < FIRST_FAILURE
    if unlike or bytes(body) == b"null":
        return answer.custom_id, *_failed(answer, line, failed=failed), NULL
    joined = b'{"custom_id":%b,"ok":true,"body":%b,"error":null}\n' % (encode(answer.custom_id), body)
    return answer.custom_id, OK, joined, body


def _odd(line: bytes, *, failed: bool) -> tuple[str, str, bytes]:
    """Return the outcome of a line that the strict reader refuses."""
    try:
        text = line.decode()
        custom_id = decode_loosely(text).custom_id
    except DECODE_ERRORS:
        custom_id, text = _find_custom_id(line), line.decode(errors="backslashreplace")
    else:
        if custom_id is None and failed:
            raise UnnamedError
        if isinstance(custom_id, str):
            return custom_id, NO_ANSWER, failure(custom_id, NO_ANSWER, None, line)
    if custom_id is None:
        raise msgspec.ValidationError("no custom_id")
    return str(custom_id), UNREADABLE, failure(str(custom_id), UNREADABLE, None, encode(text))


def _find_custom_id(line: bytes) -> str | int | None:
    """Return the custom_id of a line that is not strict JSON, None if it has none that can be read."""
    depth = 0
    for token in _TOKEN.finditer(line):
        if token[0] in b"[{":
            depth += 1
        elif token[0] in b"]}":
            depth -= 1
        elif depth == 1 and token[0] == b'"custom_id"' and (value := _VALUE.match(line, token.end())):
            try:
                return msgspec.json.decode(value[1], type=str | int)
            except DECODE_ERRORS:
                return None
    return None


def _status(code: float | str | None) -> int | None:
    """Return a status as a number, also if it came as text or as a float."""
    try:
        return None if code is None else int(float(code))
    except (ValueError, OverflowError):
        return None


def _failed(answer: _Line, line: bytes, *, failed: bool) -> tuple[str, bytes]:
    response = answer.response or _Response()
    status = _status(response.status_code)
    said = next((bytes(text) for text in (response.body, response.message) if bytes(text) != b"null"), b"")
    if status is not None and FIRST_FAILURE <= status < NO_STATUS:
        kind = f"http_{status}"
    elif answer.error or (failed and said) or (status is not None and status >= NO_STATUS):
        kind = ERROR
    else:
        kind, said = NO_ANSWER, b""
    detail = encode(answer.error) if answer.error else said or line
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


def reason(kind: str, row: bytes) -> str:
    """Return why a request failed, on one line: its kind and the message in its line of the joined results."""
    if kind in NO_MESSAGE:
        return f"{kind}: {NO_MESSAGE[kind]}"
    error = msgspec.json.decode(row, type=_FailedRow).error
    status = error.status_code or 0
    named = status if status >= FIRST_FAILURE else 0
    return f"{kind}: {cut(describe_error_body(bytes(error.detail), status=named), MAX_REASON)}"
