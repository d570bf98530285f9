"""The lines of one input file, each decoded strictly and once, and what they amount to."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from reconciler.specs.blocks import Line, Lines
from reconciler.specs.demands import FIELDS, NOTHING_KNOWN, Facts
from reconciler.specs.findings import Finding, Findings, Kind
from reconciler.specs.lines import LONGEST, check_utf8, why

_Id = Annotated[str, msgspec.Meta(min_length=1)]
_SHAPES: Final = 1000
"""So many different sets of keys are remembered; of further ones only the keys that matter."""
_MODELS: Final = 20


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One request. Its body is decoded whole: to skip it would let pass what is no UTF-8, and 1e400."""

    custom_id: _Id
    body: dict[str, Any]


class _Body(msgspec.Struct):
    """The body of a long line, which decoded would take many times its size: checked as JSON, and skipped."""

    messages: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    input: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    inputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    prompt: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    document: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    model: Any = msgspec.UNSET


class _LongLine(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: _Id
    body: _Body


_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_long: Final = msgspec.json.Decoder(_LongLine).decode
REFUSED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(slots=True)
class Scan:
    """What was found in the lines."""

    requests: int = 0
    marks: array[int] = field(default_factory=lambda: array("q"))
    """A hash of each custom_id: enough to suspect that two files share one."""
    longest: int = 0
    """Bytes of the longest line."""
    facts: Facts = NOTHING_KNOWN


def scan(  # noqa: C901, PLR0912 - the hot loop: a call for each of its steps would double its time
    blocks: Iterable[Lines], longest: int, findings: Findings
) -> Scan:
    """Check every line.

    Args:
        blocks: the lines, some at a time.
        longest: bytes of a line at most; a longer one ends the reading.
        findings: takes what is wrong.
    """
    marks = array("q")
    ids: set[str] = set()
    shapes: set[tuple[str, ...]] = set()
    models: set[str] = set()
    body: Mapping[str, Any]
    number = known = longest_seen = 0
    for lines, text in blocks:
        plain = _is_plain(text, len(lines))
        longest_seen = max(longest_seen, *map(len, lines))
        for line in lines:
            number += 1
            size = len(line)
            if size > longest:
                findings.add(Finding(Kind.TOO_LONG, number, more=f": more than {longest:,} bytes"))
                break
            try:
                if size <= LONGEST:
                    short = _decode(line)
                    custom_id, body = short.custom_id, short.body
                else:
                    custom_id, body = request(line)
            except REFUSED:
                for finding in why(number, line):
                    findings.add(finding)
                continue
            if not plain:
                for finding in _odd(number, line):
                    findings.add(finding)
            ids.add(custom_id)
            if len(ids) == known:
                findings.add(Finding(Kind.SAME_ID, number, custom_id=custom_id))
            known = len(ids)
            marks.append(hash(custom_id))
            if "model" in body and len(models) < _MODELS and (model := body["model"]) is not None:
                models.add(model if isinstance(model, str) else "")
            shape = tuple(body)
            if shape not in shapes:
                shapes.add(shape if len(shapes) < _SHAPES else tuple(sorted(FIELDS & body.keys())))
    if not number:
        findings.add(Finding(Kind.EMPTY_FILE))
    facts = Facts(FIELDS.intersection(*shapes), frozenset(models))
    return Scan(requests=number, marks=marks, longest=longest_seen, facts=facts)


def _is_plain(text: Line, lines: int) -> bool:
    """Tell whether nothing in some lines asks for a closer look: much faster than to look at each."""
    return b"\r" not in text and all(text.count(key) == lines for key in (b'"custom_id"', b'"body"'))


def _odd(number: int, line: Line) -> Iterator[Finding]:
    """Yield what is wrong with a line that the decoder takes."""
    if line.endswith(b"\r"):
        yield Finding(Kind.CRLF, number)
    elif any(line.count(key) != 1 for key in (b'"custom_id"', b'"body"')) and len(line) <= LONGEST:
        yield from why(number, line)


def request(line: Line) -> tuple[str, Mapping[str, Any]]:
    """Return a line's custom_id and body; of the body of a long line, only the fields that are looked at.

    Raises:
        REFUSED: it is no request.
    """
    if len(line) <= LONGEST:
        short = _decode(line)
        return short.custom_id, short.body
    long = _decode_long(line)
    if not line.isascii():
        check_utf8(line)  # the decoder does not look into what it skips
    return long.custom_id, {key: True if key in FIELDS else value for key, value in _given(long.body)}


def _given(body: _Body) -> Iterator[tuple[str, Any]]:
    fields = msgspec.structs.asdict(body).items()
    return ((name, value) for name, value in fields if value is not msgspec.UNSET)


def requests(blocks: Iterable[Lines]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield the number, the custom_id and the body of every good line."""
    number = 0
    for lines, _ in blocks:
        for line in lines:
            number += 1
            try:
                custom_id, body = request(line)
            except REFUSED:
                continue
            yield number, custom_id, body
