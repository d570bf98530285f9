"""Uploads input files: each content once, whichever run or spec needs it, and streamed.

An upload is named by the digest of its content, so an existing one is found by its name and used again. The list of
uploads is read once per run. A file that the list does not show is uploaded.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, NotFoundError
from reconciler.api.values import File, Upload
from reconciler.context import RunContext
from reconciler.errors import ReconcilerError, explaining
from reconciler.file_access import open_to_read
from reconciler.model import InputFile, JobSpec, UploadedFile
from reconciler.text.plural import pluralize
from reconciler.workspace import upload_index

T = TypeVar("T")
LIST: Final = "list"


class InputChangedError(ReconcilerError):
    """A file changed after it was planned."""


class Uploads:
    """The uploads of one run, shared by its threads."""

    def __init__(self, run: RunContext[Writer]) -> None:
        self._run = run
        self._env = run.env
        self._settings = run.project.settings.uploads
        self._mutex = threading.Lock()
        self._done: dict[str, Future[Any]] = {}
        """By the digest of an upload's content, and the list by `LIST`."""
        self._reused: dict[str, str] = {}
        """The ids of uploads of earlier runs that are used again, each with the digest of its content."""
        self._gone: set[str] = set()
        """The ids of those that no longer exist, although the list shows them."""

    def expect(self, specs: Iterable[JobSpec]) -> None:
        """Announce how many bytes there may be to send."""
        files = {part.sha256: part.size for spec in specs for part in spec.uploads}
        if files:
            self._env.progress.expect("uploading", sum(files.values()))

    def ids(self, spec: JobSpec) -> tuple[str, ...]:
        """Return the file ids for a spec's inputs, uploading what the workspace does not hold yet.

        Raises `InputChangedError` if a file's bytes are not those that were planned; its upload is deleted again;
        `ApiError` if it could not be sent; `ReconcilerError` if its content is not in this clone.
        """
        uploaded = [part.id for part in spec.inputs if isinstance(part, UploadedFile)]
        return (*(self._once(it.sha256, partial(self._id_of, it)) for it in spec.uploads), *uploaded)

    def _id_of(self, part: InputFile) -> str:
        if found := self._found(part):
            return found
        with self._env.span("upload"):
            return self._upload(part)

    def forget_deleted(self, ids: Iterable[str]) -> bool:
        """Return whether any of these uploads of earlier runs is gone, and forget those: the next `ids` uploads them.

        Raises `ApiError` if an upload could not be read.
        """
        gone = [file_id for file_id in ids if file_id in self._reused and self._is_gone(file_id)]
        for file_id in gone:
            with self._mutex:
                self._done.pop(self._reused.pop(file_id, ""), None)
                self._gone.add(file_id)
            self._env.log("input.upload_vanished", file_id=file_id)
        return bool(gone)

    def _is_gone(self, file_id: str) -> bool:
        try:
            file = self._run.api.get_file(file_id)
        except NotFoundError:
            return True
        return file.deleted or not upload_index.not_expired(file, self._env.now())

    def _once(self, key: str, make: Callable[[], T]) -> T:
        """Return what `make` returns for a key, called by the first thread that needs it, and again if it fails."""
        with self._mutex:
            ticket = self._done.get(key)
            mine = ticket is None
            if ticket is None:
                ticket = self._done[key] = Future()
        if mine:
            try:
                ticket.set_result(make())
            except BaseException as error:
                with self._mutex:
                    del self._done[key]
                ticket.set_exception(error)
                raise
        found: T = self._env.result_of(ticket)
        return found

    def _found(self, part: InputFile) -> str | None:
        """Return the id of a usable upload of this content, None if there is none."""
        if not self._settings.reuse:
            return None
        until = self._env.now() + self._settings.reuse_hours * 3600
        for file in self._once(LIST, self._list).get(upload_index.name_of(part.sha256), ()):
            if file.id in self._gone or not upload_index.matches(
                file, part, until=until, visibility=self._settings.visibility
            ):
                continue
            if self._settings.verify and not self._is_content(file, part):
                continue
            with self._mutex:
                self._reused[file.id] = part.sha256
            facts = {"path": part.path, "sha256": part.sha256, "bytes": part.size, "file_id": file.id}
            self._env.log("input.reused", **facts)
            self._env.progress.expect("uploading", -part.size)
            return file.id
        return None

    def _is_content(self, file: File, part: InputFile) -> bool:
        """Read an upload back and return whether its content has the digest in its name."""
        digest = hashlib.sha256()
        try:
            with self._run.api.file_content(file.id) as content:
                for piece in content.pieces:
                    digest.update(piece)
        except ApiError as error:  # sending it again does no harm
            self._env.log("upload.verify_failed", file_id=file.id, error=str(error))
            return False
        found = digest.hexdigest()
        if found != part.sha256:
            self._env.log("upload.content_mismatch", file_id=file.id, filename=file.filename, sha256=found)
        return found == part.sha256

    def _list(self) -> dict[str, list[File]]:
        """Return our uploads by name; none if they cannot be read, since sending again does no harm."""
        found: dict[str, list[File]] = {}
        try:
            for file in upload_index.list_uploads(self._run.api):
                found.setdefault(file.filename, []).append(file)
        except ApiError as error:
            self._env.log("uploads.list_failed", error=str(error))
        return found

    def _upload(self, part: InputFile) -> str:
        began = self._env.monotonic()
        if part.pointer:
            raise ReconcilerError(
                f"{part.label} is a Git LFS pointer, and its content is not in this clone",
                hint=f'git lfs pull --include "{part.path}"',
            )
        with opened(self._run.project.root, part) as content:
            if (size := content.seek(0, os.SEEK_END)) != part.size:
                content.seek(0)
                found = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]  # has readinto
                raise changed_since(
                    part,
                    f"{pluralize(size, 'byte')} instead of {part.size:,}; it has sha256 {found}",
                )
            sent = self._send(part, content)
        if sent.sha256 != part.sha256:
            with suppress(ReconcilerError):  # it is useless and does no harm
                self._run.api.delete_file(sent.file.id)
            raise changed_since(part, f"it has sha256 {sent.sha256}")
        self._env.log(
            "input.uploaded",
            path=part.path,
            sha256=part.sha256,
            bytes=part.size,
            file_id=sent.file.id,
            elapsed_ms=round((self._env.monotonic() - began) * 1000),
        )
        return sent.file.id

    def _send(self, part: InputFile, content: BinaryIO) -> Upload:
        """Send a file, again after a failure: half an upload costs nothing. API and retry limits bound the attempts."""
        attempt, began, progress = 1, self._env.monotonic(), self._env.progress
        while True:
            content.seek(0)
            sent = 0

            def on_progress(amount: int) -> None:
                nonlocal sent
                sent += amount
                progress.advance("uploading", amount)

            self._run.retrier.before_write()
            try:
                return self._run.api.upload_file(
                    filename=upload_index.name_of(part.sha256),
                    content=content,
                    size=part.size,
                    expiry_hours=self._settings.expiry_hours,
                    visibility=self._settings.visibility,
                    on_progress=on_progress,
                )
            except ApiError as error:
                progress.advance("uploading", -sent)
                if self._env.stop.is_set():
                    raise
                self._run.retrier.wait(error, attempt=attempt, began=began)
                self._env.log("input.upload_repeated", path=part.path, error=str(error))
                if self._env.stop.is_set():  # while it waited
                    raise
                attempt += 1


def opened(root: Path, part: InputFile) -> BinaryIO:
    """Open what is uploaded. Raises `ReconcilerError` if a file cannot be read."""
    if part.content is not None:
        return io.BytesIO(part.content)
    with explaining(f"{part.label} cannot be read", "make it readable, then plan again"):
        return open_to_read(root / part.path)


def changed_since(part: InputFile, found: str) -> InputChangedError:
    """Return the error that a file changed after it was planned; `found` is its digest now."""
    return InputChangedError(
        f"{part.label} changed after it was planned: it was sha256 {part.sha256}, now {found}",
        hint="plan again",
    )
