"""Download one file of the workspace: in a stream, resumed after an interruption, renamed when it is complete.

Result files never change, so the bytes on this machine are the beginning of the file. Whether the API can resume is
undocumented: if it cannot, it sends the file from its first byte again. An answer that contradicts the API's own
description of the file, such as the sign-in page of a proxy, is not kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final, NoReturn

from msgspec import Struct
from msgspec.structs import replace

from reconciler import file_access
from reconciler.api.client import Reader
from reconciler.api.error_text import is_html
from reconciler.api.errors import (
    ApiError,
    MalformedAnswerError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
)
from reconciler.api.retry import Retrier
from reconciler.api.values import Content, File
from reconciler.errors import ReconcilerError
from reconciler.outputs.digest import PIECE, Digest, Fetched, read
from reconciler.outputs.leases import Heartbeat
from reconciler.requests.index_file import PART
from reconciler.text.sanitize import clean

MAX_BYTES: Final = 64_000_000_000
"""Maximum size of a file whose description has no size, or if any length is accepted."""
_OTHER_MEDIA: Final = re.compile(
    r"text/(html|xml|css)|application/(xhtml\+xml|xml|pdf|zip|javascript)|(image|audio|video|font)/.*"
)
"""Content types that no file of JSON lines has. Others say little: many servers send `application/octet-stream`."""
_AGAIN: Final = "nothing was published, and the next pull asks again"
WEB_PAGE_HINT: Final = f"{_AGAIN}; check that no proxy or sign-in page answers in place of the API"
INCOMPLETE_HINT: Final = f"{_AGAIN}; --incomplete publishes it as it is"


class ContradictionError(ReconcilerError):
    """What was received is not what the API describes. The next run asks again."""

    def __init__(self, name: str, reason: str, *, hint: str) -> None:
        super().__init__(f"{name} is not what the API describes: {reason}", hint=hint)


def fetch(
    reader: Reader,
    retrier: Retrier,
    file_id: str,
    place: Path,
    *,
    heartbeat: Heartbeat,
    any_length: bool = False,
) -> Fetched:
    """Download a file, unless it is present.

    Until it is complete, it has the suffix `PART`. With `any_length`, its description may say another length.

    Raises:
        NotFoundError: the workspace does not have the file, or no longer has it.
        ContradictionError: what the API sent is not the file that it describes.
        ApiError: the download failed; the bytes received stay for the next time.
        OSError: the file cannot be written.
    """
    present = place.stat().st_size if place.exists() else None
    try:
        described = _described(reader, file_id)
    except NotFoundError:
        if present is None:
            raise
        return read(place, heartbeat).result()
    if present is not None and (any_length or described.size in (None, present)):
        return read(place, heartbeat).result()
    if any_length:
        described = replace(described, size=None)
    part = place.with_name(place.name + PART)
    download = _Download(reader=reader, described=described, part=part, heartbeat=heartbeat)
    failures, began = 0, retrier.monotonic()
    while True:
        before = download.here()
        try:
            digest, went_on = download.go_on()
        except ApiError as error:
            if download.here() >= before + PIECE:
                failures, began = 0, retrier.monotonic()
            failures += 1
            heartbeat()
            retrier.wait(error, attempt=failures, began=began)
            continue
        part.replace(place)
        return digest.result(resumed_at=went_on)


def _described(reader: Reader, file_id: str) -> File:
    described = reader.get_file(file_id)
    if described.deleted:
        raise NotFoundError("it was deleted", status=HTTPStatus.GONE)
    return described


class _Download(Struct, frozen=True, kw_only=True):
    """A download, one attempt at a time."""

    reader: Reader
    described: File
    part: Path
    heartbeat: Heartbeat

    def here(self) -> int:
        """Return how many bytes are on this machine."""
        return self.part.stat().st_size if self.part.exists() else 0

    def go_on(self) -> tuple[Digest, int | None]:
        """Fetch the missing bytes. Return the totals of the whole file, and the offset at which the API resumed."""
        here, expected = self.here(), self.described.size
        if here and here == expected:
            return read(self.part, self.heartbeat), None
        if here and (expected is None or here < expected):
            try:
                return self._receive(here)
            except (MalformedAnswerError, RejectedError) as error:
                if error.status not in (None, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
                    raise
        return self._receive(0)

    def _receive(self, here: int) -> tuple[Digest, int | None]:
        expected = self.described.size
        with self.reader.file_content(self.described.id, start=here) as content:
            if is_other_media(self.described, content):
                self._refuse(f"the answer's content type is {clean(content.media_type)}", hint=WEB_PAGE_HINT)
            if expected is not None and content.size not in (None, expected):
                lengths = f"{content.size:,} bytes, and the description of the file says {expected:,}"
                self._refuse(f"the answer has {lengths}", hint=INCOMPLETE_HINT)
            most = MAX_BYTES if expected is None else expected
            digest = read(self.part, self.heartbeat) if content.start else Digest()
            if not content.start:  # a new file, so that a runner still writing to the old one does no damage
                file_access.recreate(self.part).close()
            # Not "ab": such a runner may have moved the end.
            with file_access.update(self.part) as file:
                file.seek(content.start)
                for piece in content.pieces:
                    if not digest.size and is_html(piece, content.media_type):
                        self._refuse("it is a web page", hint=WEB_PAGE_HINT)
                    if digest.size + len(piece) > most:
                        self.part.unlink()
                        reason = f"the answer has more than the {most:,} bytes that it may have"
                        self._refuse(reason, hint=INCOMPLETE_HINT)
                    _write(file.write, piece)
                    digest.add(piece)
                    self.heartbeat()
                os.fsync(file.fileno())
        whole = content.size if expected is None else expected
        if whole is not None and digest.size < whole:
            raise OutcomeUnknownError(
                f"the file ended after {digest.size:,} of {whole:,} bytes", transient=True
            )
        return digest, content.start or None

    def _refuse(self, reason: str, *, hint: str) -> NoReturn:
        raise ContradictionError(self.part.name.removesuffix(PART), reason, hint=hint)


def is_other_media(described: File, content: Content) -> bool:
    """Return whether an answer's content type says that it is not a file of JSON lines. Pure."""
    expected = (described.mimetype or "").partition(";")[0].strip().lower()
    return content.media_type != expected and bool(_OTHER_MEDIA.fullmatch(content.media_type))


def _write(write: Callable[[memoryview], int | None], piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[write(rest) or 0 :]
