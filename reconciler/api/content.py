"""The bytes of an answer's body: as they are, or out of one layer of gzip, in pieces of bounded size.

The client asks for no compression. httpx would decode as many layers as the answer names, each without a bound, so
its decoders are not used.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final, cast

import httpx

from reconciler.api.errors import MalformedAnswerError, OutcomeUnknownError

PIECE: Final = 1 << 20
"""Maximum number of bytes that one step decompresses."""


def pieces(answer: httpx.Response) -> Iterator[bytes]:
    """Yield an answer's body.

    Raises:
        MalformedAnswerError: it is compressed more than once, or in another way than gzip.
        OutcomeUnknownError: the compressed bytes are damaged or end too early.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    received = cast("Iterable[bytes]", answer.stream)
    match encoding:
        case "" | "identity":
            return iter(received)
        case "gzip" | "x-gzip":
            return _decompressed(received)
        case _:
            raise MalformedAnswerError(
                f"the answer has the content encoding {encoding!r}, and none was asked for"
            )


def _decompressed(received: Iterable[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        for piece in received:
            while piece and not decoder.eof:
                yield decoder.decompress(piece, PIECE)
                piece = decoder.unconsumed_tail  # noqa: PLW2901 - what is left of it
    except zlib.error as error:
        raise _damaged(str(error)) from None
    if not decoder.eof:
        raise _damaged("it ends too early")


def _damaged(why: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(f"the compressed answer is damaged: {why}", transient=True)
