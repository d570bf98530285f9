"""Find a request that is certainly longer than a model's context. No other request is doubted.

Tokenizers do not join words that have white space between them, so a text has at least as many tokens as words. The
bytes of a line bound nothing from below: they may be an image, or spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from reconciler import file_access
from reconciler.model import InlineRequests, Input, InputFile, JobSpec

BYTES_PER_WORD: Final = 2
"""The fewest: a letter and a space."""
MAX_LOOKED_AT: Final = 1000
"""Long lines of an input that are read."""
_WORD: Final = re.compile(r"(?:^|\s)[^\W_]")
"""The beginning of a word."""


class _Chunk(Struct):
    text: Any = None


class _Message(Struct):
    content: str | list[_Chunk] | None = None


class _Body(Struct):
    messages: list[_Message] | None = None
    prompt: str | None = None
    suffix: str | None = None
    input: Any = None
    """Of embeddings and moderations: one text or several, each for itself."""

    def words(self) -> int:
        """Return the words of the longest text that the model reads at once."""
        parts = [*(it.content for it in self.messages or ()), self.prompt, self.suffix]
        whole = [*parts, *(chunk.text for part in parts if isinstance(part, list) for chunk in part)]
        each = self.input if isinstance(self.input, list) else [self.input]
        return max([sum(map(_words, whole)), *map(_words, each)])


class _Request(Struct):
    body: _Body
    custom_id: str = ""


def first_too_long(spec: JobSpec, root: Path, context: int) -> tuple[str, int] | None:
    """Return the id and the number of words of the first request with more words than `context`, None if none has."""
    for part in spec.inputs:
        with suppress(OSError):  # the create reports it
            for line in _long_lines(part, root, BYTES_PER_WORD * context):
                with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    request = msgspec.json.decode(line, type=_Request)
                    if (words := request.body.words()) > context:
                        return request.custom_id, words
    return None


def _long_lines(part: Input, root: Path, least: int) -> Iterator[bytes]:
    if isinstance(part, InlineRequests):
        lines: BinaryIO = BytesIO(part.lines if len(part.lines) > least else b"")
    elif isinstance(part, InputFile) and part.workload and part.workload.longest > least:
        lines = file_access.open_to_read(root / part.path)
    else:
        return
    with lines:
        yield from islice((line for line in lines if len(line) > least), MAX_LOOKED_AT)


def _words(text: object) -> int:
    return sum(1 for _ in _WORD.finditer(text)) if isinstance(text, str) else 0
