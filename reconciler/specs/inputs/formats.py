"""Recognize a file that is not JSONL of requests as what it is, once, from its first bytes or the keys of a line."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import BinaryIO, Final, NamedTuple

from reconciler.specs.inputs.findings import Finding, FindingKind

_HEAD: Final = 64 * 1024
"""Bytes that decide."""
_BINARY: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PK\x03\x04": "a ZIP archive, as Excel writes too",
    b"PAR1": "Parquet",
}
_SEPARATORS: Final = (b",", b";", b"\t")
_TABLES: Final = (".csv", ".tsv")
_CR: Final = re.compile(rb"\}\r\s*(\{|$)")
_ARRAY: Final = re.compile(rb"\[\s*\{")
_OPEN: Final = re.compile(rb"\{.*[{\[,:]|\{", re.DOTALL)
"""A first line of an object that goes on below."""


class Wrapper(NamedTuple):
    """How a provider writes one request on a line."""

    provider: str
    id: str
    """The key of the request's id."""
    body: str
    """The key of the request's body."""
    marks: frozenset[str]
    """Keys of which at least one is there; `reconciler convert` drops them."""


WRAPPERS: Final = (
    Wrapper("OpenAI", "custom_id", "body", frozenset({"method", "url"})),
    Wrapper("Anthropic", "custom_id", "params", frozenset({"params"})),
    Wrapper("Gemini", "key", "request", frozenset({"request"})),
    Wrapper("Bedrock", "recordId", "modelInput", frozenset({"modelInput"})),
)


def wrapper_of(keys: AbstractSet[str]) -> Wrapper | None:
    """Return whose batch format a line with these keys is; None if it is no known one."""
    return next((it for it in WRAPPERS if it.body in keys and keys & it.marks), None)


def holds_result(keys: AbstractSet[str]) -> bool:
    """Whether a line with these keys is the result of a batch, of this API or of another provider."""
    return "modelOutput" in keys or ("body" not in keys and bool(keys & {"response", "result"}))


def of_keys(number: int, keys: AbstractSet[str]) -> Finding | None:
    """Return the finding for a line whose keys are those of results or of another provider's requests."""
    if holds_result(keys):
        return Finding(FindingKind.RESULTS, number)
    wrapper = wrapper_of(keys)
    if wrapper is None:
        return None
    marks = " and ".join(f"`{key}`" for key in sorted(keys & wrapper.marks))
    return Finding(FindingKind.PROVIDER, number, more=f" of {wrapper.provider} ({marks} on the line)")


def of_file(stream: BinaryIO, path: str) -> Finding | None:
    """Return the finding for a file that is not JSONL at all; None if its lines are to be read.

    The position of the stream is restored. Of the path, only the suffix counts.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    binary = next((name for magic, name in _BINARY.items() if head.startswith(magic)), None)
    if binary:
        return Finding(FindingKind.BINARY, more=f" ({binary})")
    wide = len(head) > 1 and any(head[:64:2]) != any(head[1:64:2])  # every second byte is zero
    if wide or head.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
        return Finding(FindingKind.UTF16)
    text = head.removeprefix(BOM_UTF8).lstrip()
    kind = next((kind for kind, holds in _KINDS.items() if holds(text, path)), None)
    return Finding(kind) if kind else None


def _lines(text: bytes) -> list[bytes]:
    """Return the first two lines."""
    return [line.strip() for line in text.split(b"\n", 2)[:2]]


def _is_pretty(text: bytes, _: str) -> bool:
    first, *more = _lines(text)
    return bool(more and _OPEN.fullmatch(first)) and not more[0].startswith(b"{")


def _is_table(text: bytes, path: str) -> bool:
    lines = _lines(text)
    if not lines[0] or any(line.startswith((b"{", b"[")) for line in lines):
        return False
    rows = len(lines) > 1 and any(all(it in line for line in lines) for it in _SEPARATORS)
    return rows or path.lower().endswith(_TABLES)


_KINDS: Final[dict[FindingKind, Callable[[bytes, str], bool]]] = {
    FindingKind.CR: lambda text, _: b"\n" not in text and _CR.search(text) is not None,
    FindingKind.ARRAY: lambda text, _: _ARRAY.match(text) is not None,
    FindingKind.PRETTY: _is_pretty,
    FindingKind.CSV: _is_table,
}
"""What a text that is not JSONL may be, and how to recognize it from its beginning and its path."""
