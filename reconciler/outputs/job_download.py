"""Download the results of one job under a lease: fetch its files, index and publish them, write the summary.

An interrupted download keeps its files: a complete one has its final name, an incomplete one is resumed. Only a folder
with a summary is finished.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from reconciler import file_access
from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError
from reconciler.context import RunContext
from reconciler.documents import result_summary
from reconciler.documents.reports import pretty
from reconciler.documents.result_summary import (
    ResultSummary,
    TroubleDoc,
)
from reconciler.errors import ReconcilerError
from reconciler.model import JobSpec, OwnedJob, RunKey
from reconciler.outputs.digest import Fetched, read
from reconciler.outputs.download import INCOMPLETE_HINT, ContradictionError, fetch
from reconciler.outputs.inputs import INPUT_PREFIX, NO_INPUTS, FetchUpload, find_inputs, read_asked
from reconciler.outputs.leases import Heartbeat, Lease
from reconciler.outputs.paths import ERRORS, OUTPUT, safe_name
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summary import Files, shortage, summary
from reconciler.requests import answered, asked
from reconciler.requests.answered import Answered
from reconciler.requests.asked import Asked
from reconciler.requests.checks import Checker, Patterns
from reconciler.text.plural import pluralize

MAX_DELAY_SECONDS: Final = 3600.0
"""For so long after a job's end a missing file may still appear, so a 404 is not final. A 410 always is."""
NEWER: Final = ".newer"
"""The folder of files that are fetched again: what is published stays until all of them are here."""
LOCK_TIMEOUT_SECONDS: Final = 10.0
"""How long to wait for the index lock before the next heartbeat."""


class JobDownloader(Struct, frozen=True, kw_only=True, dict=True):
    """Downloads the results of a job."""

    run: RunContext[Reader]
    store: ResultStore
    declared: Mapping[str, JobSpec]
    """Specs by the digest of their inputs: `inputs.by_inputs`."""
    accept_incomplete: bool = False
    """Whether to publish files that have fewer lines than the API counts, or another length."""
    turn: threading.Lock = msgspec.field(default_factory=threading.Lock)
    """One index at a time, so that only one job's index uses memory."""

    def download(self, owned: OwnedJob, claim: Lease, *, again: bool = False) -> ResultSummary:
        """Fetch, index and publish; if `again`, also files that are present.

        Raises:
            ContradictionError: a file is not what the API describes, or has fewer lines than the API counts or than
                the file that was fetched before. What is published stays.
            StoppedError: the run received a signal to stop.
            LeaseLostError: another runner has taken over.
            ReconcilerError: a file could not be downloaded.
            OSError: the destination cannot be written.
        """
        began, heartbeat = self.run.env.monotonic(), claim.beat
        staging_dir = self.store.staging_dir(claim.folder)
        fetched_dir = staging_dir / NEWER if again else staging_dir
        if again:
            file_access.make_folder(fetched_dir)
        files: dict[str, Fetched | None] = {
            name: self._file(owned, file_id, fetched_dir / name, heartbeat, again=again)
            for name, file_id in ((OUTPUT, owned.job.output_file), (ERRORS, owned.job.error_file))
            if file_id
        }
        short = _fewer(files, staging_dir, heartbeat) if again else shortage(owned, files)
        if short and not self.accept_incomplete:
            for name in files:
                (fetched_dir / name).unlink(missing_ok=True)
            raise ContradictionError(" and ".join(files), short, hint=INCOMPLETE_HINT)
        if again:
            for name in files:
                (fetched_dir / name).replace(staging_dir / name)
            fetched_dir.rmdir()
        origin, found = self._index(owned, claim.folder, staging_dir, files, heartbeat)
        files |= {name: read(staging_dir / name, heartbeat).result() for name in (asked.NAME, answered.NAME)}
        document = summary(owned, files, origin, found, self.run.shown_prices, now=self.run.env.now())
        claim.check()
        whole = [doc.path for doc in document.files if doc.state == "whole"]
        self.store.publish(claim.folder, whole)
        self.store.replace(f"{claim.folder}/{result_summary.NAME}", pretty(document))
        self._log(document, elapsed_ms=round((self.run.env.monotonic() - began) * 1000))
        return document

    def _file(
        self, owned: OwnedJob, file_id: str, place: Path, heartbeat: Heartbeat, *, again: bool
    ) -> Fetched | None:
        """Fetch one result file. Return None if the provider no longer has it."""
        try:
            fetched = self._fetch(file_id, place, heartbeat)
        except NotFoundError as error:
            if again:
                raise
            ended = owned.job.completed_at or owned.job.created_at
            if error.status != HTTPStatus.GONE and self.run.env.now() < ended + MAX_DELAY_SECONDS:
                raise ReconcilerError(
                    f"{place.name} of job {owned.job.id} does not exist (yet)",
                    hint="the job has just ended: run again in a few minutes",
                ) from error
            self.run.env.log("results.gone", name=owned.tags.name, job_id=owned.job.id, file=place.name)
            return None
        if fetched.resumed_at is not None:
            self.run.env.log(
                "results.resumed",
                name=owned.tags.name, job_id=owned.job.id, file=place.name, at_byte=fetched.resumed_at,
            )  # fmt: skip
        return fetched

    def _fetch(self, file_id: str, place: Path, heartbeat: Heartbeat) -> Fetched:
        api, retrier, any_length = self.run.api, self.run.retrier, self.accept_incomplete
        return fetch(api, retrier, file_id, place, heartbeat=heartbeat, any_length=any_length)

    def index_submitted(self, owned: OwnedJob, claim: Lease) -> None:
        """Publish the index of what a new job was asked, if its inputs are on this machine. Raises as `download`."""
        staging_dir = self.store.staging_dir(claim.folder)
        with self._one_at_a_time(claim.beat):
            was_asked, origin = self._asked(owned, lambda _: None, claim.beat)
            if origin != NO_INPUTS:
                was_asked.write(
                    staging_dir / asked.NAME, asked.head_of(owned.job.id, owned.tags.inputs, origin)
                )
        claim.check()
        if origin != NO_INPUTS:
            self.store.publish(claim.folder, [asked.NAME])
        self.store.clear(claim.folder)

    def _index(
        self, owned: OwnedJob, folder: str, staging_dir: Path, files: Files, heartbeat: Heartbeat
    ) -> tuple[str, tuple[Asked, Answered]]:
        """Index the job's requests and their outcomes. Return where the inputs are from, and the index."""

        def fetch_upload(file_id: str) -> Path | None:
            place = staging_dir / f"{INPUT_PREFIX}{safe_name(file_id)}.jsonl"
            try:
                self._fetch(file_id, place, heartbeat)
            except NotFoundError:
                return None
            return place

        whole = {name: fetched for name, fetched in files.items() if fetched}
        with self._one_at_a_time(heartbeat):
            there = read_asked(self.store, folder, owned)
            was_asked, origin = asked.reopen(*there) if there else self._asked(owned, fetch_upload, heartbeat)
            with Patterns() as patterns:
                answers = answered.read_answers(
                    {name: staging_dir / name for name in whole},
                    was_asked,
                    Checker(was_asked.schemas, patterns),
                    ordered=origin != NO_INPUTS,
                    longest=self.run.limits.line_bytes,
                    heartbeat=heartbeat,
                )
            head = asked.head_of(owned.job.id, owned.tags.inputs, origin)
            was_asked.write(staging_dir / asked.NAME, head)
            head["files"] = {name: fetched.sha256 for name, fetched in whole.items()}
            answers.write(staging_dir / answered.NAME, head)
        for path in staging_dir.glob(f"{INPUT_PREFIX}*"):
            path.unlink(missing_ok=True)
        return origin, (was_asked, answers)

    @contextmanager
    def _one_at_a_time(self, heartbeat: Heartbeat) -> Iterator[None]:
        while not self.turn.acquire(timeout=LOCK_TIMEOUT_SECONDS):
            heartbeat()
        try:
            yield
        finally:
            self.turn.release()

    def _asked(self, owned: OwnedJob, fetch_upload: FetchUpload, heartbeat: Heartbeat) -> tuple[Asked, str]:
        """Index the job's requests. Return the index, and where the inputs are from."""
        root, longest, model = self.run.project.root, self.run.limits.line_bytes, self._model(owned)
        origin, files = find_inputs(
            owned, self.declared, root=root, fetch_upload=fetch_upload, heartbeat=heartbeat
        )
        return asked.read_inputs(files, model=model, longest=longest, heartbeat=heartbeat), origin

    def _model(self, owned: OwnedJob) -> str | None:
        """Return the declared model: the API may show another name for it."""
        return self._models.get(owned.tags.run_key, owned.job.model)

    @cached_property
    def _models(self) -> Mapping[RunKey, str | None]:
        return {key: spec.model for spec in self.declared.values() for key in spec.run_keys}

    def _log(self, done: ResultSummary, *, elapsed_ms: int) -> None:
        about = {"name": done.name, "job_id": done.job_id}
        trouble = done.trouble
        if trouble != TroubleDoc():
            self.run.env.log("results.damaged", **about, **structs.asdict(trouble))
        if done.difference:
            self.run.env.log("results.incomplete", **about, difference=done.difference)
        self.run.env.log(
            "results.pulled", **about,
            ok=done.requests.ok,
            failed=done.requests.failed,
            missing=done.requests.missing,
            bytes=sum(doc.bytes for doc in done.files),
            elapsed_ms=elapsed_ms,
        )  # fmt: skip


def _fewer(files: Files, folder: Path, heartbeat: Heartbeat) -> str:
    """Return which newly fetched file has fewer lines than the one that is present, "" if none has."""
    for name, fetched in files.items():
        before = read(folder / name, heartbeat).result().lines if (folder / name).exists() else 0
        if fetched and fetched.lines < before:
            return f"{name} has {pluralize(fetched.lines, 'line')} now, and had {before:,}"
    return ""
