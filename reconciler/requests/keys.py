"""Identity of a request: 16 bytes of SHA-256 over its custom_id and its body as canonical JSON (RFC 8785).

Spaces, the order of keys, escapes, and a `body.model` that equals the job's change nothing; anything else does. A line
that RFC 8785 cannot express, that has a key twice or is nested too deeply is identified by its bytes. Whether a request
is submitted again depends on its key, so test vectors pin the form. A new form is a new version.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

import msgspec

from reconciler.model import digests

VERSION: Final = b"request-v1\n"
"""Begins what is hashed for a request."""
BYTES_VERSION: Final = b"request-v1-bytes\n"
"""Begins what is hashed for a line that is identified by its bytes."""
ALL_VERSION: Final = b"requests-v1\n"
"""Begins what is hashed for all requests of a work."""
ALL_LENGTH: Final = 32
KEY_BYTES: Final = 16
_SEARCHES: Final = 50
"""Searches through all keys of a work before a table of them is made."""
MAX_DEPTH: Final = 100
"""Levels of nesting up to which a body has a canonical form; Python's own limits depend on its version."""

_SAFE_DIGITS: Final = b"0" * 16
"""An integer with fewer digits is exact in every JSON reader."""
_ZEROS: Final = bytes(ord("0") if byte in b"0123456789" else 0 for byte in range(256))
_ASTRAL: Final = re.compile(rb"[\xf0-\xf4]")
_HIGH: Final = re.compile(rb"[\xee\xef]")
"""RFC 8785 sorts keys by UTF-16 code units. That is the order of code points, unless one key has a character beyond
U+FFFF and another one from U+E000 on."""
_REFUSED: Final = (msgspec.MsgspecError, RecursionError, ValueError)


@lru_cache(1024)
def _float(text: str) -> msgspec.Raw:
    return msgspec.Raw(digests.canonical(float(text)))


_decode: Final = msgspec.json.Decoder(float_hook=_float).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def identify(line: bytes, model: str | None) -> tuple[dict[str, Any] | None, bytes]:
    """Return a request as a value, None if its line is identified by its bytes, and its key.

    The line has no line feed. A job of an agent has no model.
    """
    try:
        row, written = _canonical(line, model)
    except _REFUSED:
        return None, hashlib.sha256(BYTES_VERSION + line).digest()[:KEY_BYTES]
    return row, hashlib.sha256(VERSION + written).digest()[:KEY_BYTES]


def digest_of(keys: bytes | bytearray) -> str:
    """Return the digest of requests by their keys, whose order does not matter."""
    found = sorted(bytes(keys[at : at + KEY_BYTES]) for at in range(0, len(keys), KEY_BYTES))
    digest = hashlib.sha256(ALL_VERSION)
    for key in found:
        digest.update(key)
    return digest.hexdigest()[:ALL_LENGTH]


class Places:
    """Finds requests by their keys among those of a work: `KEY_BYTES` for each.

    Most follow each other in both. So the next one is tried first, and few are searched for. A table of all keys takes
    some 140 bytes for each, and is made only after many searches.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._searches = 0

    def of(self, others: bytes) -> Iterator[int | None]:
        """Yield the place of each of some other requests, None if the work does not have it."""
        keys, after = self._keys, 0
        for at in range(0, len(others), KEY_BYTES):
            key = others[at : at + KEY_BYTES]
            next_one = keys[after : after + KEY_BYTES] == key
            place = after // KEY_BYTES if next_one else self._search(key)
            if place is not None:
                after = (place + 1) * KEY_BYTES
            yield place

    def _search(self, key: bytes) -> int | None:
        self._searches += 1
        if self._searches > _SEARCHES:
            return self._table.get(key)
        at = self._keys.find(key)
        while at % KEY_BYTES and at > 0:
            at = self._keys.find(key, at + 1)
        return None if at < 0 else at // KEY_BYTES

    @cached_property
    def _table(self) -> Mapping[bytes, int]:
        keys = self._keys
        return {keys[at : at + KEY_BYTES]: at // KEY_BYTES for at in range(0, len(keys), KEY_BYTES)}


def _canonical(line: bytes, model: str | None) -> tuple[dict[str, Any], bytes]:
    """Return a request as a value, and `{"body":…,"custom_id":…}` as canonical JSON.

    msgspec writes canonical JSON for most lines; the others take ten times as long. A decoder drops the first of two
    equal keys. So the quotation marks are compared, whose number does not depend on white space and escapes. Raises
    `ValueError` if RFC 8785 cannot express the request, it has a key twice, or its nesting is too deep.
    """
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH and _depth(line) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if _SAFE_DIGITS in line.translate(_ZEROS) or b"\\u0022" in line:
        return _slowly(line, model)
    row = _decode(line)
    whole: bytes = _encode(row)
    if whole.count(b'"') != line.count(b'"'):
        raise ValueError("a key is there twice")
    request = _request(row, model)
    written: bytes = whole if request is row else _encode(request)
    if not written.isascii() and _ASTRAL.search(written) and _HIGH.search(written):
        return _slowly(line, model)
    return row, written


def _request(row: Any, model: str | None) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the custom_id and the body without a model that equals the job's."""
    custom_id, body = (row.get("custom_id"), row.get("body")) if isinstance(row, dict) else (None, None)
    if not isinstance(custom_id, str) or not isinstance(body, dict):
        raise ValueError("not a request")  # noqa: TRY004 - a line, not an argument
    if model is not None and body.get("model") == model:
        return {"body": {key: value for key, value in body.items() if key != "model"}, "custom_id": custom_id}
    return row if len(row) == 2 else {"body": body, "custom_id": custom_id}  # noqa: PLR2004 - no other field


def _slowly(line: bytes, model: str | None) -> tuple[dict[str, Any], bytes]:
    row = json.loads(line.decode(), object_pairs_hook=_unique)
    return row, digests.canonical(_request(row, model))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _depth(line: bytes) -> int:
    """Return how deep the brackets of a line are nested, regardless of whether it is valid."""
    depth = deepest = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', line):
        bracket = token[0]
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in b"]}":
            depth -= 1
    return deepest
