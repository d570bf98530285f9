"""The text of the ledger's lines: one versioned JSON object each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct

from reconciler.ledger.lines import Line, NewerLine, ReadLine

VERSION: Final = 1
"""The version of the line format. A larger one was written by a newer tool.

Fields with a default may be added within a version: older readers ignore them.
"""


class _Header(Struct, gc=False):
    v: int = 0
    name: Any = ""
    work: Any = ""


_read_header: Final = msgspec.json.Decoder(_Header).decode
_DECODER: Final = msgspec.json.Decoder(ReadLine)
_USUAL: Final = f'{{"v":{VERSION},"kind":"'
"""The beginning of every line that this version writes."""
_CURRENT: Final = _Header(v=VERSION)


def encode(line: Line) -> str:
    """Return the line's text, without the line feed; fields with their default are left out."""
    if isinstance(line, NewerLine):
        return line.text
    return f'{{"v":{VERSION},{msgspec.json.encode(line).decode()[1:]}'


def union(*ledgers: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines of several ledgers, each once, in order."""
    return tuple({encode(line): line for lines in ledgers for line in lines}.values())


def decode(text: str) -> Line | None:
    """Decode one line; None if it is not a complete line of ours."""
    try:
        header = _CURRENT if text.startswith(_USUAL) else _read_header(text)
        if header.v <= VERSION:
            return _DECODER.decode(text) if header.v == VERSION else None
    except (ValueError, RecursionError):  # RecursionError: endless brackets
        return None
    name, work = (it if isinstance(it, str) else "" for it in (header.name, header.work))
    return NewerLine(at=0.0, run_id="", text=text, version=header.v, name=name, work=work)


def decode_block(data: bytes) -> Sequence[Line]:
    """Decode whole lines: those that are ours, in order."""
    with suppress(ValueError, RecursionError):  # some line is not ours
        lines = _DECODER.decode_lines(data)
        usual = data.startswith(_USUAL.encode()) + data.count(f"\n{_USUAL}".encode())
        if len(lines) == usual == data.count(b"\n"):
            return lines
    rows = data.decode(errors="replace").split("\n")
    return [line for row in rows if (line := decode(row)) is not None]
