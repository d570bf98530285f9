"""Input files on their way to the workspace: each content once a run, streamed, and hashed while it is sent."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError
from reconciler.api.values import Upload
from reconciler.errors import ReconcilerError
from reconciler.model import InputFile, JobSpec, UploadedFile
from reconciler.world import World

TRIES: Final = 4
PAUSE_SECONDS: Final = 0.5
"""Before the second try; doubled before each further one."""


class InputChangedError(ReconcilerError):
    """A file is not what was planned."""


class Uploads:
    """The uploads of one run, shared by its threads.

    Args:
        writer: sends.
        world: clock and log.
        root: the project root that input paths are relative to.
    """

    def __init__(self, writer: Writer, world: World, *, root: Path) -> None:
        self._writer = writer
        self._world = world
        self._root = root
        self._mutex = threading.Lock()
        self._done: dict[str, Future[str]] = {}

    def ids(self, spec: JobSpec) -> tuple[str, ...]:
        """Return the file ids for a spec's inputs, uploading what this run has not uploaded yet.

        Raises:
            InputChangedError: a file's bytes are not those that were planned; its upload is deleted again.
            ApiError: it could not be sent.
        """
        files = [part for part in spec.inputs if isinstance(part, InputFile)]
        uploaded = [part.id for part in spec.inputs if isinstance(part, UploadedFile)]
        return (*(self._once(part) for part in files), *uploaded)

    def _once(self, part: InputFile) -> str:
        with self._mutex:
            ticket = self._done.get(part.sha256)
            mine = ticket is None
            if ticket is None:
                ticket = self._done[part.sha256] = Future()
        if mine:
            try:
                ticket.set_result(self._upload(part))
            except BaseException as error:
                with self._mutex:
                    del self._done[part.sha256]
                ticket.set_exception(error)
                raise
        return ticket.result()

    def _upload(self, part: InputFile) -> str:
        began = self._world.monotonic()
        path = self._root / part.path
        with _opened(path, part) as content:
            if os.fstat(content.fileno()).st_size != part.size:
                raise _changed(part)
            sent = self._send(part, content)
        if sent.sha256 != part.sha256:
            with suppress(ReconcilerError):  # it is no use to anybody, and harms nobody
                self._writer.delete_file(sent.file.id)
            raise _changed(part)
        self._world.log(
            "input.uploaded",
            path=part.path,
            sha256=part.sha256,
            bytes=part.size,
            file_id=sent.file.id,
            elapsed_ms=round((self._world.monotonic() - began) * 1000),
        )
        return sent.file.id

    def _send(self, part: InputFile, content: BinaryIO) -> Upload:
        """Half an upload costs nothing: it is sent again."""
        for left in reversed(range(TRIES)):
            content.seek(0)
            try:
                return self._writer.upload_file(
                    filename=f"{part.sha256}.jsonl", content=content, size=part.size
                )
            except ApiError as error:
                if not left or not error.transient or self._world.stop.is_set():
                    raise
                self._world.log("input.upload_repeated", path=part.path, error=str(error))
                self._world.sleep(PAUSE_SECONDS * 2 ** (TRIES - 1 - left))
        raise AssertionError("the last try returns or raises")  # pragma: no cover


def _opened(path: Path, part: InputFile) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ReconcilerError(
            f"{part.path} cannot be read: {error.strerror}", hint="make it readable, then plan again"
        ) from error


def _changed(part: InputFile) -> InputChangedError:
    return InputChangedError(
        f"{part.path} changed after it was planned (it was sha256 {part.sha256[:12]}…)",
        hint="plan again",
    )
