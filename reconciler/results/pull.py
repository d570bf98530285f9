"""Pull the results of many jobs, several at a time. Only one runner downloads a job; the others wait."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from reconciler.api.client import Reader
from reconciler.context import RunContext
from reconciler.documents.reports import PulledJob
from reconciler.documents.result_summary import ResultSummary, lossy
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.model import OwnedJob
from reconciler.results.heartbeat import StoppedError
from reconciler.results.job_download import JobDownloader
from reconciler.results.leases import Holder, LeaseLostError, LeaseManager
from reconciler.results.paths import folder_of
from reconciler.text.sanitize import clean

PAUSE_SECONDS: Final = 2.0
"""Seconds between two checks of a job that another runner is downloading."""


@dataclass(frozen=True, kw_only=True)
class Puller:
    """Downloads the results of many jobs."""

    run: RunContext[Reader]
    leases: LeaseManager
    downloader: JobDownloader

    def pull(self, jobs: Sequence[OwnedJob]) -> tuple[PulledJob, ...]:
        """Download the missing results of ended jobs, and wait for those that other runners are downloading.

        Raises:
            OSError: the destination cannot be read.
        """
        there = self.leases.store.finished([folder_of(owned) for owned in jobs])
        endings = {owned.job.id: self._end(owned, "present") for owned in jobs if folder_of(owned) in there}
        waiting = [owned for owned in jobs if owned.job.id not in endings]
        while waiting:
            found = self.run.env.map_concurrently(
                self.one, waiting, max_workers=self.run.limits.downloads_in_flight
            )
            endings |= {each.job_id: each for each in found if isinstance(each, PulledJob)}
            waiting = [owned for owned in waiting if owned.job.id not in endings]
            if held := [each for each in found if isinstance(each, Holder)]:
                by = held[0]
                self.run.env.log(
                    "results.waiting_for_lease", jobs=len(held), host=by.host, other_run_id=by.run_id
                )
                self.run.env.sleep(PAUSE_SECONDS)
        return tuple(endings[owned.job.id] for owned in jobs)

    def one(self, owned: OwnedJob) -> PulledJob | Holder:
        """Download the results of one job, and return every outcome as a value; a holder if it is another runner's."""
        try:
            if self.run.env.stop.is_set():
                raise StoppedError  # noqa: TRY301 - the heartbeat raises the same
            return self._claimed(owned)
        except StoppedError:
            message = "the run received a signal to stop; the next pull continues"
            return self._end(owned, "stopped", message=message)
        except LeaseLostError as lost:
            return lost.to
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            failure = ReconcilerError(
                f"{where}{error.strerror or error}",
                hint="fix the destination and run again: the pull continues",
            )
        except ReconcilerError as error:
            failure = error
        self.run.env.log("results.failed", name=owned.tags.name, job_id=owned.job.id, error=str(failure))
        return self._end(owned, "failed", message=clean(str(failure)), hint=clean(failure.hint))

    def _claimed(self, owned: OwnedJob) -> PulledJob | Holder:
        claim = self.leases.acquire(folder_of(owned))
        if claim is None:
            return self._end(owned, "present")
        if isinstance(claim, Holder):
            return claim
        try:
            return self._end(owned, "pulled", summary=self.downloader.download(owned, claim))
        finally:
            with suppress(OSError):  # then it expires
                claim.release()

    def _end(
        self,
        owned: OwnedJob,
        state: str,
        *,
        summary: ResultSummary | None = None,
        message: str = "",
        hint: str = "",
    ) -> PulledJob:
        return PulledJob(
            name=owned.tags.name,
            job_id=owned.job.id,
            status=owned.job.status,
            state=state,
            path=self.leases.store.path(folder_of(owned)),
            summary=summary,
            message=message,
            hint=hint,
        )


def exit_codes(jobs: Sequence[PulledJob]) -> set[ExitCode]:
    """Return the exit codes of a pull: for failures, and for results that are gone or damaged."""
    pulled = [job.summary for job in jobs if job.summary]
    codes: set[ExitCode] = set()
    if any(job.state == "failed" for job in jobs):
        codes.add(ExitCode.PARTIAL if pulled else ExitCode.FAILED)
    if any(lossy(summary) for summary in pulled):
        codes.add(ExitCode.ATTENTION)
    return codes
