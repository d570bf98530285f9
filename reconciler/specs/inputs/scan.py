"""Check the lines of one input file: decode each strictly, count them and collect their ids.

Lines are decoded in batches. A batch without anything suspicious is accepted as a whole, which is the normal case;
otherwise its lines are checked one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct, field

from reconciler.catalogue.bodies import BODIES
from reconciler.catalogue.mistakes import fit
from reconciler.specs.inputs.blocks import Text, split
from reconciler.specs.inputs.diagnose import MAX_LENGTH, check_utf8, diagnose_line, repeats_a_key
from reconciler.specs.inputs.findings import Finding, FindingKind, Findings
from reconciler.specs.inputs.requirements import FIELDS, FileFacts

_Id = Annotated[str, msgspec.Meta(min_length=1)]
_MAX_MODELS: Final = 20
JUDGED_LINES: Final = 1_000
"""So many lines at the beginning of a file are checked for plain mistakes: a generated file has one in each line."""
_LINES_AT_A_TIME: Final = 32
"""Lines decoded at a time: Python keeps about this many freed objects of a type for reuse."""


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One request. Its body is decoded, not skipped: skipping would accept invalid UTF-8 and 1e400."""

    custom_id: _Id
    body: dict[str, Any]


_SKIPPED: Final = [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in FIELDS]
_Body = msgspec.defstruct("_Body", [*_SKIPPED, ("model", Any, msgspec.UNSET)])
"""The body of a long line: checked as JSON and skipped, since decoding takes many times its size."""


class _LongLine(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: msgspec.Raw
    body: msgspec.Raw


_KEYS_ONLY: Final = len('{"custom_id":,"body":}')
_SHORTEST_REPEAT: Final = len('"body":0,')

_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_long: Final = msgspec.json.Decoder(_LongLine).decode
_decode_id: Final = msgspec.json.Decoder(_Id).decode
_decode_body: Final = msgspec.json.Decoder(_Body).decode
_encode: Final = msgspec.json.Encoder().encode
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_DIGITS: Final = 309
"""A whole number with at least this many digits is too large for a double."""
_STEP: Final = 50
"""Only every fiftieth byte is checked first: a run of `_DIGITS` digits contains six of them."""
_RUN: Final = b"0" * (_DIGITS // _STEP)
_ZEROS: Final = bytes(ord("0") if byte in b"0123456789" else 0 for byte in range(256))
_HUGE: Final = re.compile(rb"[0-9]{%d}" % _DIGITS)


def scan(texts: Iterable[Text], longest: int, findings: Findings) -> Scan:
    """Check every line up to one that is longer than `longest` bytes, and add the problems to `findings`."""
    seen = Scan(findings)
    for text in texts:
        found = decode_batch(text, seen.everywhere) if len(text) <= min(longest, MAX_LENGTH) else None
        if found is not None:
            seen.take(found, len(text))
            seen.judge(text)
        elif not _check_line_by_line(text, longest, seen):
            break
        if findings.full:
            break
    if not seen.number:
        findings.add(Finding(FindingKind.EMPTY_FILE))
    return seen


class _Batch(Struct):
    """The contents of a batch of valid lines."""

    ids: list[str] = field(default_factory=list)
    fields_in_all_lines: frozenset[str] = FIELDS
    """The members of `FIELDS` that all their bodies have."""
    models: set[str] = field(default_factory=set)


def decode_batch(text: Text, fields: frozenset[str] = FIELDS) -> _Batch | None:
    """Return the contents of a batch of lines, None if one is invalid or suspicious.

    Decoders silently drop the first of two equal keys. The decoded lines are therefore encoded again, and the quotation
    marks compared: their number does not depend on white space and escapes. `fields` are looked for in all bodies.
    """
    lines, found, marks = split(text), _Batch(fields_in_all_lines=fields), 0
    try:
        for at in range(0, len(lines), _LINES_AT_A_TIME):
            rows = [*map(_decode, lines[at : at + _LINES_AT_A_TIME])]
            marks += _encode(rows).count(b'"')
            found.ids += [row.custom_id for row in rows]
            bodies = [row.body for row in rows]
            for name in found.fields_in_all_lines:
                if False in [name in body for body in bodies]:
                    found.fields_in_all_lines -= {name}
            found.models |= {name for body in bodies if "model" in body for name in _model(body)}
    except DECODE_ERRORS:
        return None
    if marks != text.count(b'"') + (text.count(rb"\u0022") if b"\\" in text else 0) or b"\r" in text:
        return None
    return None if _RUN in text[::_STEP].translate(_ZEROS) and _HUGE.search(text) else found


def _model(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the model that a body names, if any; "" for one that is not text."""
    model = body.get("model")
    return () if model is None else (model if isinstance(model, str) else "",)


class Scan:
    """The totals of the lines so far."""

    def __init__(self, findings: Findings) -> None:
        self.number = 0
        self.longest = 0
        """Upper bound of the bytes of a line."""
        self.findings = findings
        self.ids: set[str] = set()
        self.everywhere = FIELDS
        self.models: set[str] = set()
        self.fitting = frozenset(BODIES)
        self._unjudged = JUDGED_LINES

    @property
    def facts(self) -> FileFacts:
        """The facts of the file as a whole."""
        return FileFacts(self.everywhere, frozenset(self.models), self.fitting, self.longest)

    def take(self, found: _Batch, longest: int) -> None:
        """Add a batch of valid lines; `longest` is an upper bound of their bytes."""
        self._once(found.ids)
        self.longest = max(self.longest, longest)
        self.everywhere &= found.fields_in_all_lines
        self.models.update(list(found.models)[: _MAX_MODELS - len(self.models)])

    def judge(self, text: Text) -> None:
        """Keep the endpoints for which lines have no plain mistakes."""
        if self._unjudged > 0:
            lines = split(text)
            self._unjudged -= len(lines)
            self.fitting = fit(self.fitting, lines)

    def _once(self, ids: list[str]) -> None:
        """Count requests, and report ids that were used before."""
        known = self.ids
        earlier: set[str] = set() if known.isdisjoint(ids) else known.intersection(ids)
        fresh = len(known) + len(ids)
        known.update(ids)
        if len(known) < fresh:
            for number, custom_id in enumerate(ids, self.number + 1):
                if custom_id in earlier:
                    self.findings.add(Finding(FindingKind.SAME_ID, number, custom_id=custom_id))
                earlier.add(custom_id)
        self.number += len(ids)


def _check_line_by_line(text: Text, longest: int, seen: Scan) -> bool:
    """Check lines one by one; return False if one is too long, which stops the reading."""
    for line in split(text):
        number = seen.number + 1
        if len(line) > longest:
            seen.number = number
            seen.findings.add(Finding(FindingKind.TOO_LONG, number, more=f": more than {longest:,} bytes"))
            return False
        if line.endswith(b"\r"):
            seen.findings.add(Finding(FindingKind.CRLF, number))
        taken, found = _check_line(number, line)
        for finding in found:
            seen.findings.add(finding)
        if taken and not found:
            custom_id, body = taken
            seen.take(_Batch([custom_id], FIELDS & body.keys(), set(_model(body))), len(line))
            if len(line) <= MAX_LENGTH:
                seen.judge(line)
        else:
            seen.number = number
        if seen.findings.full:
            break
    return True


def _check_line(number: int, line: Text) -> tuple[tuple[str, Mapping[str, Any]] | None, tuple[Finding, ...]]:
    """Return the contents of a line, if it can be decoded, and its problems."""
    try:
        taken = request(line)
    except DECODE_ERRORS:
        return None, tuple(diagnose_line(number, line)) or (Finding(FindingKind.REFUSED, number),)
    if len(line) > MAX_LENGTH or decode_batch(line):
        return taken, ()
    return taken, tuple(diagnose_line(number, line))


def request(line: Text) -> tuple[str, Mapping[str, Any]]:
    """Return a line's custom_id and body; for a long line, only the fields of the body that are checked.

    Raises `DECODE_ERRORS` if it is not a request.
    """
    if len(line) <= MAX_LENGTH:
        short = _decode(line)
        return short.custom_id, short.body
    long = _decode_long(line)
    if not line.isascii():
        check_utf8(line)  # the decoder does not check skipped values
    left = len(line) - len(long.custom_id) - len(long.body)
    if left >= _KEYS_ONLY + _SHORTEST_REPEAT and repeats_a_key(line):
        raise msgspec.ValidationError
    fields = msgspec.structs.asdict(_decode_body(long.body)).items()
    given = ((name, value) for name, value in fields if value is not msgspec.UNSET)
    return _decode_id(long.custom_id), {name: True if name in FIELDS else value for name, value in given}


def requests(
    texts: Iterable[Text], longest: float = math.inf
) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield the number, the custom_id and the body of every valid line of at most `longest` bytes."""
    lines = (line for text in texts for line in split(text))
    for number, line in enumerate(lines, start=1):
        if len(line) <= longest:
            with suppress(*DECODE_ERRORS):
                yield number, *request(line)
