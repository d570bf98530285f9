"""The results of one job that is ours alone: its files fetched, joined, published, and marked with the summary.

Whatever is interrupted leaves what it has got: a file that is whole has its name, one that is not goes on where it
broke off, and only a folder with a summary is finished.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from reconciler import __version__
from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError
from reconciler.context import Run
from reconciler.documents import result_summary
from reconciler.documents.result_summary import FileDoc, RequestsDoc, Summary, TokensDoc, TroubleDoc
from reconciler.errors import ReconcilerError
from reconciler.model import JobSpec, Ours
from reconciler.results import inputs
from reconciler.results.download import Fetched, fetch
from reconciler.results.heartbeat import Beat, StoppedError
from reconciler.results.inputs import ASKED, Questions
from reconciler.results.join import Joined, Sources, join
from reconciler.results.leases import Claim
from reconciler.results.paths import ERRORS, OUTPUT, RESULTS, part
from reconciler.results.store import Store

LATE_SECONDS: Final = 3600.0
"""So long after a job's end a file that is not there may still appear, and is asked for again."""
PATIENCE_SECONDS: Final = 10.0
"""How long to wait for our turn to join before saying that we are alive."""

Files: TypeAlias = Mapping[str, Fetched | None]
"""The provider's files by our name for them; None for one that is gone."""


@dataclass(frozen=True, kw_only=True)
class Bringer:
    """What it takes to bring the results of a job."""

    run: Run[Reader]
    store: Store
    declared: Mapping[str, JobSpec]
    """Specs by the digest of their inputs: `inputs.by_inputs`."""
    turn: threading.Lock = field(default_factory=threading.Lock)
    """One join at a time: memory is that of one job, however many are fetched at once."""

    def bring(self, ours: Ours, claim: Claim) -> Summary:
        """Fetch, join and publish.

        Raises:
            StoppedError: the run was asked to stop.
            LostError: another runner has taken over.
            ReconcilerError: a file could not be had.
            OSError: the destination cannot be written.
        """
        began = self.run.world.monotonic()

        def beat() -> None:
            if self.run.world.stop.is_set():
                raise StoppedError
            claim.renew()

        workshop = self.store.workshop(claim.folder)
        files = {
            name: self._file(ours, file_id, workshop / name, beat)
            for name, file_id in ((OUTPUT, ours.job.output_file), (ERRORS, ours.job.error_file))
            if file_id
        }
        asked, joined, results = inputs.NOWHERE, None, None
        if any(files.values()):
            asked, joined, results = self._join(ours, workshop, files, beat)
        document = _summary(ours, files, asked, joined, results, now=self.run.world.now())
        claim.check()
        whole = [doc.path for doc in document.files if doc.state == "whole"]
        self.store.publish(claim.folder, whole)
        self.store.replace(f"{claim.folder}/{result_summary.NAME}", result_summary.encode(document))
        self.store.clear(claim.folder)
        self._tell(document, elapsed_ms=round((self.run.world.monotonic() - began) * 1000))
        return document

    def _file(self, ours: Ours, file_id: str, place: Path, beat: Beat) -> Fetched | None:
        """Fetch one result file; None where it is gone for good."""
        try:
            fetched = fetch(self.run.api, self.run.retrier, file_id, place, beat=beat)
        except NotFoundError as error:
            ended = ours.job.completed_at or ours.job.created_at
            if self.run.world.now() < ended + LATE_SECONDS:
                raise ReconcilerError(
                    f"{place.name} of job {ours.job.id} is not there (yet)",
                    hint="the job has just ended: run again in a while",
                ) from error
            self.run.world.log("results.gone", name=ours.tags.name, job_id=ours.job.id, file=place.name)
            return None
        if fetched.resumed_at is not None:
            self.run.world.log(
                "results.resumed",
                name=ours.tags.name, job_id=ours.job.id, file=place.name, at_byte=fetched.resumed_at,
            )  # fmt: skip
        return fetched

    def _join(
        self, ours: Ours, workshop: Path, files: Files, beat: Beat
    ) -> tuple[Questions, Joined, Fetched]:
        def bring(file_id: str) -> Path | None:
            place = workshop / f"{ASKED}{part(file_id)}.jsonl"
            try:
                fetch(self.run.api, self.run.retrier, file_id, place, beat=beat)
            except NotFoundError:
                return None
            return place

        asked = inputs.find(
            ours, self.declared, root=self.run.project.root, workshop=workshop, bring=bring, beat=beat
        )
        while not self.turn.acquire(timeout=PATIENCE_SECONDS):
            beat()
        try:
            sources = Sources(
                output=workshop / OUTPUT if files.get(OUTPUT) else None,
                errors=workshop / ERRORS if files.get(ERRORS) else None,
                inputs=asked.files,
                longest=self.run.limits.line_bytes,
            )
            joined, results = join(sources, workshop / RESULTS, beat)
        finally:
            self.turn.release()
        for path in workshop.glob(f"{ASKED}*"):
            path.unlink(missing_ok=True)
        return asked, joined, results

    def _tell(self, done: Summary, *, elapsed_ms: int) -> None:
        about = {"name": done.name, "job_id": done.job_id}
        trouble = done.trouble
        if trouble != TroubleDoc():
            self.run.world.log(
                "results.damaged", **about,
                malformed=trouble.malformed, repeated=trouble.repeated, unknown=trouble.unknown,
            )  # fmt: skip
        self.run.world.log(
            "results.pulled", **about,
            ok=done.requests.ok,
            failed=done.requests.failed,
            missing=done.requests.missing,
            bytes=sum(doc.bytes for doc in done.files),
            elapsed_ms=elapsed_ms,
        )  # fmt: skip


def _summary(
    ours: Ours, files: Files, asked: Questions, joined: Joined | None, results: Fetched | None, *, now: float
) -> Summary:
    """Say what came of it. Pure."""
    ids = {OUTPUT: ours.job.output_file, ERRORS: ours.job.error_file}
    documents = [_document(name, ids[name], fetched) for name, fetched in files.items()]
    if results is not None:
        documents.append(_document(RESULTS, None, results))
    usage = joined.usage if joined else None
    return msgspec.convert(
        ours.facts()
        | {
            "tool": __version__,
            "pulled_at": now,
            "inputs": asked.origin,
            "requests": _requests(ours, files, joined),
            "tokens": TokensDoc(
                prompt=usage.prompt, completion=usage.completion, total=usage.total, answers=usage.answers
            )
            if usage and usage.answers
            else None,
            "trouble": TroubleDoc(
                malformed=joined.malformed, repeated=joined.repeated, unknown=joined.unknown
            )
            if joined
            else TroubleDoc(),
            "files": tuple(documents),
        },
        Summary,
    )


def _document(name: str, file_id: str | None, fetched: Fetched | None) -> FileDoc:
    if fetched is None:
        return FileDoc(path=name, file_id=file_id, state="gone")
    return FileDoc(
        path=name,
        file_id=file_id,
        state="whole",
        bytes=fetched.size,
        sha256=fetched.sha256,
        lines=fetched.lines,
    )


def _requests(ours: Ours, files: Files, joined: Joined | None) -> RequestsDoc:
    """Count the requests: in the files where all are here, else as the API counts them."""
    if joined is None or None in files.values():
        return RequestsDoc(
            total=ours.requests,
            ok=ours.job.succeeded_requests,
            failed=ours.job.failed_requests,
            missing=ours.missing,
            failures={},
        )
    failed = sum(joined.failures.values())
    total = joined.requests
    missing: int | None = joined.missing
    if total is None:
        total = ours.requests
        missing = None if total is None else max(0, total - joined.ok - failed)
    return RequestsDoc(
        total=total,
        ok=joined.ok,
        failed=failed,
        missing=missing,
        failures=joined.failures,
        first_missing=tuple(joined.first_missing),
    )
