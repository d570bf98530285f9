"""Read a line of a result file, and write its line of the joined results. Index, join and checks all use this reader.

The provider's line is `{"custom_id", "response": {"status_code", "body"}, "error"}`. A request is answered if its line
has a body, no error, and no status of 400 or more. The format of the error file is undocumented: a line in it without
a status is a failed request. Bodies are copied; what is counted and checked in them is read by `contents`.

A line that is not strict JSON, such as one with NaN, half of a surrogate pair or a raw control character, is kept as
text if its custom_id can be found: its answer exists, and only a person can say what it is worth.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

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
    """A line of the error file has no custom_id, so that it belongs to no request. Its text is the kind of the line."""


class _Response(msgspec.Struct, gc=False):
    status_code: int | float | str | None = None
    body: msgspec.Raw = NULL
    message: msgspec.Raw = NULL


class _Body(msgspec.Struct, gc=False, kw_only=True):
    response: _Response | None = None
    error: Any = None


class _Line(_Body, gc=False, kw_only=True):
    custom_id: str


class _Loose(msgspec.Struct, gc=False):
    """A line of which only the custom_id can be read."""

    custom_id: str | int | None = None


decode_line: Final = msgspec.json.Decoder(_Line).decode
decode_body: Final = msgspec.json.Decoder(_Body).decode
decode_loosely: Final = msgspec.json.Decoder(_Loose).decode
encode: Final = msgspec.json.Encoder().encode
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Outcome(NamedTuple):
    """What a line of a result file says about its request."""

    custom_id: str
    kind: str
    """`OK`, or why there is no answer."""
    data: bytes
    """The answer's body as it came; of other kinds the error as JSON."""
    status: int | None = None


def understood(line: bytes, *, failed: bool) -> Outcome:
    """Return what a line of a result file says; `failed` if it is from the error file.

    Raises `UnnamedError` if it is a line of the error file without a custom_id, and `MsgspecError` if the line is not
    an answer.
    """
    try:
        if not line.isascii():
            line.decode()  # msgspec does not check the encoding of values that it skips
        answer = decode_line(line)
    except DECODE_ERRORS:
        if line.startswith(_BOM):
            return understood(line.removeprefix(_BOM), failed=failed)
        return _odd(line, failed=failed)
    response = answer.response
    if response is None or answer.error:
        return _failed(answer, answer.custom_id, line, failed=failed)
    code = response.status_code
    status = code if code.__class__ is int else _status(code)
    unlike = failed if status is None else not FIRST_STATUS <= status < FIRST_FAILURE
    body = bytes(response.body)
    if unlike or body == b"null":
        return _failed(answer, answer.custom_id, line, failed=failed)
    return Outcome(answer.custom_id, OK, body)


def _odd(line: bytes, *, failed: bool) -> Outcome:
    """Return the outcome of a line that the strict reader refuses."""
    try:
        text = line.decode()
        custom_id = decode_loosely(text).custom_id
    except DECODE_ERRORS:
        custom_id, text = _find_custom_id(line), line.decode(errors="backslashreplace")
    else:
        if custom_id is None and failed:
            raise UnnamedError(_kind_of_nameless(line))
        if isinstance(custom_id, str):
            return Outcome(custom_id, NO_ANSWER, line)
    if custom_id is None:
        raise msgspec.ValidationError("no custom_id")
    return Outcome(str(custom_id), UNREADABLE, encode(text))


def _kind_of_nameless(line: bytes) -> str:
    try:
        return _failed(decode_body(line), "", line, failed=True).kind
    except DECODE_ERRORS:
        return ERROR


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


def _failed(answer: _Body, custom_id: str, line: bytes, *, failed: bool) -> Outcome:
    response = answer.response or _Response()
    status = _status(response.status_code)
    said = next((bytes(text) for text in (response.body, response.message) if bytes(text) != b"null"), b"")
    if status is not None and FIRST_FAILURE <= status < NO_STATUS:
        kind = f"http_{status}"
    elif answer.error or (failed and said) or (status is not None and status >= NO_STATUS):
        kind = ERROR
    else:
        kind, said = NO_ANSWER, b""
    return Outcome(custom_id, kind, encode(answer.error) if answer.error else said or line, status)


def joined_line(outcome: Outcome, custom_id: bytes, *, job: bytes, check: bytes = b"null") -> bytes:
    """Return a request's line in the joined results. Its custom_id, its job's id and the verdict are JSON."""
    if outcome.kind == OK:
        form = b'{"custom_id":%b,"ok":true,"body":%b,"error":null,"check":%b,"job":%b}\n'
        return form % (custom_id, outcome.data, check, job)
    parts = (
        b'{"custom_id":', custom_id, b',"ok":false,"body":null,"error":{"kind":', encode(outcome.kind),
        b',"status_code":', encode(outcome.status), b',"detail":', outcome.data, b'},"check":null,"job":', job, b"}\n",
    )  # fmt: skip
    return b"".join(parts)


def reason(outcome: Outcome) -> str:
    """Return why a request failed, on one line: the kind and the message."""
    if outcome.kind in NO_MESSAGE:
        return f"{outcome.kind}: {NO_MESSAGE[outcome.kind]}"
    status = outcome.status or 0
    named = status if status >= FIRST_FAILURE else 0
    return f"{outcome.kind}: {cut(describe_error_body(outcome.data, status=named), MAX_REASON)}"
