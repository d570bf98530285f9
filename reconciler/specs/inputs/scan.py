"""The lines of one input file, each decoded strictly and once, and what they amount to.

Some lines at a time are decoded, and taken where nothing about them asks for a closer look, which is how almost all
of them are read; only where something does are they looked at one by one.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Struct, field

from reconciler.specs.inputs.blocks import Text, split
from reconciler.specs.inputs.diagnose import LONGEST, check_utf8, why
from reconciler.specs.inputs.findings import Finding, Findings, Kind
from reconciler.specs.inputs.requirements import FIELDS, NOTHING_KNOWN, Facts

_Id = Annotated[str, msgspec.Meta(min_length=1)]
_MODELS: Final = 20
_FEW: Final = 32
"""Lines that are decoded at a time: Python keeps so many freed objects of a kind at hand for the next ones."""


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
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


_Request: TypeAlias = "tuple[str, Mapping[str, Any]]"
"""A custom_id and a body."""

_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_long: Final = msgspec.json.Decoder(_LongLine).decode
_encode: Final = msgspec.json.Encoder().encode
REFUSED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_DIGITS: Final = 309
"""From so many digits on a whole number is beyond a double."""
_STEP: Final = 50
"""Every fiftieth byte is looked at: among so many digits in a row there are six of those."""
_RUN: Final = b"0" * (_DIGITS // _STEP)
_ZEROS: Final = bytes(ord("0") if byte in b"0123456789" else 0 for byte in range(256))
_HUGE: Final = re.compile(rb"[0-9]{%d}" % _DIGITS)


class Scan(Struct):
    """What was found in the lines."""

    requests: int = 0
    marks: array[int] = field(default_factory=lambda: array("q"))
    """A hash of each custom_id, where they were asked for: enough to suspect that two files share one."""
    longest: int = 0
    """No line has more bytes."""
    facts: Facts = NOTHING_KNOWN


def scan(texts: Iterable[Text], longest: int, findings: Findings, *, marked: bool = False) -> Scan:
    """Check every line.

    Args:
        texts: the lines, some at a time.
        longest: bytes of a line at most; a longer one ends the reading.
        findings: takes what is wrong.
        marked: whether `marks` are wanted.
    """
    seen = _Seen(findings)
    for text in texts:
        found = plain(text, seen.everywhere) if len(text) <= min(longest, LONGEST) else None
        if found is not None:
            seen.take(found, len(text))
        elif not _closely(text, longest, seen):
            break
        if findings.full:
            break
    if not seen.number:
        findings.add(Finding(Kind.EMPTY_FILE))
    facts = Facts(seen.everywhere, frozenset(seen.models))
    marks = array("q", map(hash, seen.ids) if marked else ())
    return Scan(requests=seen.number, marks=marks, longest=seen.longest, facts=facts)


class _Plain(Struct):
    """What some good lines hold."""

    ids: list[str] = field(default_factory=list)
    everywhere: frozenset[str] = FIELDS
    """Those of `FIELDS` that all their bodies have."""
    models: set[str] = field(default_factory=set)


def plain(text: Text, fields: frozenset[str] = FIELDS) -> _Plain | None:
    """Return what some lines hold, None where one is no request or asks for a closer look.

    Decoders forget the first of two equal keys, and say nothing of it. What was decoded is therefore encoded again:
    the same strings have as many quotation marks, whatever the blanks and escapes between them.

    Args:
        text: the lines.
        fields: those of which it matters whether all bodies have them.
    """
    lines, found, marks = split(text), _Plain(everywhere=fields), 0
    try:
        for at in range(0, len(lines), _FEW):
            rows = [*map(_decode, lines[at : at + _FEW])]
            marks += _encode(rows).count(b'"')
            found.ids += [row.custom_id for row in rows]
            bodies = [row.body for row in rows]
            for name in found.everywhere:
                if False in [name in body for body in bodies]:
                    found.everywhere -= {name}
            found.models |= {name for body in bodies if "model" in body for name in _model(body)}
    except REFUSED:
        return None
    if marks != text.count(b'"') + (text.count(rb"\u0022") if b"\\" in text else 0) or b"\r" in text:
        return None
    return None if _RUN in text[::_STEP].translate(_ZEROS) and _HUGE.search(text) else found


def _model(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the model that a body names, none where it names none, and "" for one that is no text."""
    model = body.get("model")
    return () if model is None else (model if isinstance(model, str) else "",)


class _Seen:
    """What the lines up to here amount to."""

    def __init__(self, findings: Findings) -> None:
        self.number = 0
        self.longest = 0
        self.findings = findings
        self.ids: set[str] = set()
        self.everywhere = FIELDS
        self.models: set[str] = set()

    def take(self, found: _Plain, longest: int) -> None:
        """Take good lines, none of which has more bytes than that."""
        self._once(found.ids)
        self.longest = max(self.longest, longest)
        self.everywhere &= found.everywhere
        self.models.update(list(found.models)[: _MODELS - len(self.models)])

    def _once(self, ids: list[str]) -> None:
        """Count requests, and tell the ids that were used before."""
        known = self.ids
        earlier: set[str] = set() if known.isdisjoint(ids) else known.intersection(ids)
        fresh = len(known) + len(ids)
        known.update(ids)
        if len(known) < fresh:
            for number, custom_id in enumerate(ids, self.number + 1):
                if custom_id in earlier:
                    self.findings.add(Finding(Kind.SAME_ID, number, custom_id=custom_id))
                earlier.add(custom_id)
        self.number += len(ids)


def _closely(text: Text, longest: int, seen: _Seen) -> bool:
    """Look at lines one by one; False where one of them is so long that the reading ends."""
    for line in split(text):
        number = seen.number + 1
        if len(line) > longest:
            seen.number = number
            seen.findings.add(Finding(Kind.TOO_LONG, number, more=f": more than {longest:,} bytes"))
            return False
        if line.endswith(b"\r"):
            seen.findings.add(Finding(Kind.CRLF, number))
        taken, found = _judged(number, line)
        for finding in found:
            seen.findings.add(finding)
        if taken and not found:
            custom_id, body = taken
            seen.take(_Plain([custom_id], FIELDS & body.keys(), set(_model(body))), len(line))
        else:
            seen.number = number
        if seen.findings.full:
            break
    return True


def _judged(number: int, line: Text) -> tuple[_Request | None, tuple[Finding, ...]]:
    """Return what a line holds, as far as the decoder takes it, and what is wrong with it."""
    try:
        taken = request(line)
    except REFUSED:
        return None, tuple(why(number, line)) or (Finding(Kind.REFUSED, number),)
    if len(line) > LONGEST or plain(line):
        return taken, ()
    return taken, tuple(why(number, line))


def request(line: Text) -> _Request:
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


def requests(texts: Iterable[Text]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield the number, the custom_id and the body of every good line."""
    number = 0
    for text in texts:
        for line in split(text):
            number += 1
            try:
                custom_id, body = request(line)
            except REFUSED:
                continue
            yield number, custom_id, body
