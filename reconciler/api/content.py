"""The bytes of an answer's body: as they are, or out of one layer of gzip.

The client asks for no compression. httpx would decode as many layers as an answer names, and each multiplies the size
of a piece that was received; one layer of gzip makes at most a thousand bytes of one.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from reconciler.api.errors import MalformedAnswerError


def pieces(answer: httpx.Response) -> Iterator[bytes]:
    """Return an answer's body, in pieces.

    Raises:
        MalformedAnswerError: it is compressed more than once, or in another way than gzip.
        httpx.DecodingError: from the iterator, the compressed bytes are damaged.
    """
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise MalformedAnswerError(
            f"the answer has the content encoding {encoding!r}, and none was asked for"
        )
    return answer.iter_bytes()
