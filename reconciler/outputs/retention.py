"""Delete at the provider the files of our jobs that `keep_at_provider` no longer keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgspec.structs import replace

from reconciler.api.client import Reader, Writer
from reconciler.api.errors import ApiError, NotFoundError
from reconciler.context import RunContext
from reconciler.documents.reports import DeletedFile
from reconciler.documents.result_summary import ResultSummary, needs_attention
from reconciler.errors import LedgerError, ReconcilerError
from reconciler.ledger.lines import FileDelete
from reconciler.model import Job, tags
from reconciler.outputs.digest import read
from reconciler.outputs.paths import safe_name
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summaries import read_summary
from reconciler.text.plural import age
from reconciler.workspace import listing
from reconciler.workspace.recall import recall
from reconciler.workspace.upload_index import list_uploads

INPUTS: Final = "inputs"
RESULTS: Final = "results"


class KeptError(ReconcilerError):
    """No file may be deleted now."""


def due(
    jobs: Iterable[Job],
    *,
    pulled: Collection[str],
    keep: Mapping[str, float],
    spared: Collection[str] = (),
    now: float,
) -> Iterator[DeletedFile]:
    """Yield the files that no job needs any more, by id, except those that are `spared`. Pure.

    A file stays if any job that uses it may still need it: one that is not `pulled`, has not ended, or ended less long
    ago than `keep` says for this use. `keep` has seconds for `inputs` and `results`; without a number, files stay.
    """
    users: dict[str, list[tuple[str, Job]]] = defaultdict(list)
    for job in jobs:
        for kind, file_id in _files(job):
            users[file_id].append((kind, job))

    def since(job: Job) -> float:
        return -1 if job.completed_at is None or not job.phase.ended else now - job.completed_at

    for file_id in sorted(users.keys() - set(spared)):
        using = users[file_id]
        if all(job.id in pulled and kind in keep and since(job) >= keep[kind] for kind, job in using):
            kind, job = min(using, key=lambda it: (it[0] == INPUTS, since(it[1])))
            yield DeletedFile(
                name=str(job.metadata.get(tags.NAME)),
                job_id=job.id,
                file_id=file_id,
                kind=kind,
                reason=f"{kind} of {job.short_id}, which ended {age(since(job))} ago and is pulled",
            )


def _files(job: Job) -> Iterator[tuple[str, str]]:
    """Yield the files that a job uses, each with its kind."""
    yield from ((INPUTS, file_id) for file_id in job.input_files)
    yield from ((RESULTS, file_id) for file_id in (job.output_file, job.error_file) if file_id)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Finds and deletes the files that the provider need not keep."""

    run: RunContext[Reader]
    keep: Mapping[str, float]
    """As `due` takes it."""
    jobs: Sequence[Job]
    """Our jobs that have ended."""
    store: ResultStore
    """The place of results."""
    named: frozenset[str]
    """The uploaded files that specs name: they are not ours to delete."""

    def find(self, pulled: Collection[str]) -> tuple[DeletedFile, ...]:
        """Return the files to delete, by the ledger, the jobs and the uploads as they are now.

        Raises `KeptError` if a row of the list of jobs cannot be read, `LedgerError` if the ledger cannot be read,
        `ListingError` if the list of jobs could not be read whole, and `ApiError` if the API could not be read.
        """
        memory, now = recall(self.run).memory, self.run.env.now()
        gone = {file_id for file_id, is_gone in memory.deleted_files.items() if is_gone}
        found = partial(due, pulled=pulled, keep=self.keep, spared=self.named | gone, now=now)
        if not any(found(self.jobs)):
            return ()
        listed = listing.whole(self.run)
        if listed.odd:
            raise KeptError(f"job {listed.odd[0].job.id} cannot be read, and may use any file")
        hidden = memory.recent(now) - {job.id for job in listed.jobs}
        uploads: Collection[str] = ()  # a job that is not listed yet may use any
        if not hidden and all(memory.settles_at(it) <= now for it in memory.open_creates):
            uploads = {file.id for file in list_uploads(self.run.api)} | memory.deleted_files.keys()
        return tuple(
            replace(it, tried=it.file_id in memory.deleted_files)
            for it in found(listed.jobs)
            if it.kind == RESULTS or it.file_id in uploads
        )

    def verified(self) -> frozenset[str]:
        """Return our jobs with a file to delete whose results are in their place, complete and unaltered.

        Raises what `find` does, and `OSError` if the place of results cannot be read.
        """
        folders, began = self.store.jobs(), self.run.env.monotonic()
        here = {job.id: job for job in self.jobs if safe_name(job.id) in folders}
        files = {it.file_id for it in self.find(here)}
        asked = (job for job in here.values() if any(file_id in files for _, file_id in _files(job)))
        return frozenset(job.id for job in asked if self._is_whole(job, folders[safe_name(job.id)], began))

    def _is_whole(self, job: Job, folder: str, began: float) -> bool:
        """Return whether all results of a job are here, as summary and API describe them."""
        summary = read_summary(self.store, folder, ResultSummary)
        if summary is None or summary.job_id != job.id or needs_attention(summary):
            return False
        here = {doc.file_id: doc for doc in summary.files if doc.file_id}
        lines = sum(doc.lines for doc in here.values())
        if here.keys() != {job.output_file, job.error_file} - {None} or lines < job.answered_requests:
            return False
        self.store.clear(folder)  # so that what is there is read
        try:
            for doc in summary.files:
                file = self.store.fetch(f"{folder}/{doc.path}", doc.bytes)
                if self._is_over(began) or read(file, lambda: None).result().sha256 != doc.sha256:
                    return False
        except FileNotFoundError:
            return False
        finally:
            self.store.clear(folder)
        for file_id, doc in here.items():
            with suppress(NotFoundError):  # then there is nothing to lose
                if self.run.api.get_file(file_id).size not in (None, doc.bytes):
                    return False
        return True

    def _is_over(self, began: float) -> bool:
        """Return whether the next pull is to do the rest: an apply cannot begin while files are deleted."""
        env = self.run.env
        return env.stop.is_set() or env.monotonic() > began + self.run.limits.deadline_seconds

    def delete(self, api: Writer, files: Sequence[DeletedFile]) -> tuple[DeletedFile, ...]:
        """Delete files at the provider. The ledger has each intent before, and each outcome afterwards.

        Raises `KeptError` if another runner wrote to the ledger since it was read, perhaps that it creates a job;
        `LedgerError` if the intents could not be recorded.
        """
        env, began = self.run.env, self.run.env.monotonic()

        def line(it: DeletedFile, *, gone: bool) -> FileDelete:
            return FileDelete(at=env.now(), run_id=env.run_id, reason=it.reason, gone=gone, **_facts(it))

        def deleted(it: DeletedFile) -> DeletedFile:
            if self._is_over(began):
                return replace(it, state="stopped")
            try:
                problem = "" if api.delete_file(it.file_id) else "the API says that it was not deleted"
            except NotFoundError:
                problem = ""
            except ApiError as error:
                problem = str(error)
            if problem:
                env.log("file.delete_failed", **_facts(it), error=problem)
                return replace(it, state="failed", reason=f"{it.reason}: {problem}")
            env.log("file.deleted", **_facts(it), reason=it.reason)
            try:
                env.ledger.append(line(it, gone=True))
            except LedgerError as error:  # it has the intent
                env.log("ledger.degraded", error=str(error))
            return replace(it, state="deleted")

        new = [it for it in files if not it.tried] or files[
            :1
        ]  # a file that cannot be deleted fills no ledger
        if not env.ledger.claim([line(it, gone=False) for it in new]):
            raise KeptError("another runner wrote to the ledger at the same time")
        return tuple(env.map_concurrently(deleted, files, max_workers=self.run.limits.in_flight))


def _facts(it: DeletedFile) -> dict[str, str]:
    return {"name": it.name, "job_id": it.job_id, "file_id": it.file_id}
