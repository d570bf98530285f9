"""Pull the results of many jobs, several at a time. Only one runner downloads a job; the others wait."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError
from reconciler.context import RunContext
from reconciler.documents import result_summary
from reconciler.documents.reports import PulledJob
from reconciler.documents.result_summary import ResultSummary, needs_attention
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.file_access import hint_of
from reconciler.model import OwnedJob, RunKey
from reconciler.results.download import ContradictionError
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
    asked: frozenset[RunKey] = frozenset()
    """The work whose results are fetched again if their numbers differ."""

    def pull(self, jobs: Sequence[OwnedJob]) -> tuple[PulledJob, ...]:
        """Download the missing results of ended jobs, and wait for those that other runners are downloading.

        Incomplete results of the `asked` work are downloaded again: the API may have more of them now.

        Raises:
            OSError: the destination cannot be read.
        """
        there = self.leases.store.finished([folder_of(owned) for owned in jobs])
        present = [owned for owned in jobs if folder_of(owned) in there]
        again = {owned.job.id for owned in present if self._is_incomplete(owned)}
        endings = {
            owned.job.id: self._end(owned, "present") for owned in present if owned.job.id not in again
        }
        waiting = [owned for owned in jobs if owned.job.id not in endings]
        while waiting:
            found = self.run.env.map_concurrently(
                lambda owned: self.one(owned, again=owned.job.id in again),
                waiting,
                max_workers=self.run.limits.downloads_in_flight,
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

    def _is_incomplete(self, owned: OwnedJob) -> bool:
        """Return whether results are of the `asked` work, and their numbers differ."""
        if owned.tags.run_key not in self.asked:
            return False
        summary = self._present(owned)
        return summary is not None and bool(summary.difference)

    def _present(self, owned: OwnedJob) -> ResultSummary | None:
        data = self.leases.store.read(f"{folder_of(owned)}/{result_summary.NAME}")
        return result_summary.decode(data) if data else None

    def one(self, owned: OwnedJob, *, again: bool) -> PulledJob | Holder:
        """Download the results of one job, and return every outcome as a value; a holder if it is another runner's."""
        try:
            if self.run.env.stop.is_set():
                raise StoppedError  # noqa: TRY301 - the heartbeat raises the same
            return self._claimed(owned, again=again)
        except StoppedError:
            message = "the run received a signal to stop; the next pull continues"
            return self._end(owned, "stopped", message=message)
        except LeaseLostError as lost:
            return lost.to
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            failure = ReconcilerError(
                f"{where}{error.strerror or error}",
                hint=hint_of(error, "fix the destination and run again: the pull continues"),
            )
        except ReconcilerError as error:
            failure = error
        self.run.env.log("results.failed", name=owned.tags.name, job_id=owned.job.id, error=str(failure))
        state = "refused" if isinstance(failure, ContradictionError) else "failed"
        return self._end(owned, state, message=clean(str(failure)), hint=clean(failure.hint))

    def _claimed(self, owned: OwnedJob, *, again: bool) -> PulledJob | Holder:
        claim = self.leases.acquire(folder_of(owned), again=again)
        if claim is None:
            return self._end(owned, "present")
        if isinstance(claim, Holder):
            return claim
        try:
            return self._end(owned, "pulled", summary=self.downloader.download(owned, claim, again=again))
        except NotFoundError:  # only of results that are fetched again: those that are present stay
            return self._end(owned, "present", summary=self._present(owned))
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
    """Return the exit codes of a pull: for failures, and for results that need attention."""
    pulled = [job.summary for job in jobs if job.summary]
    codes: set[ExitCode] = set()
    if any(job.state == "failed" for job in jobs):
        codes.add(ExitCode.PARTIAL if pulled else ExitCode.FAILED)
    if any(job.state == "refused" for job in jobs) or any(map(needs_attention, pulled)):
        codes.add(ExitCode.ATTENTION)
    return codes
