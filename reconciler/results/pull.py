"""Pull the results of many jobs, several at a time. Only one runner downloads a job; the others wait."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler.api.client import Reader
from reconciler.context import RunContext
from reconciler.documents.result_summary import ResultSummary
from reconciler.errors import ReconcilerError
from reconciler.model import OwnedJob
from reconciler.results.heartbeat import StoppedError
from reconciler.results.job_download import JobDownloader
from reconciler.results.leases import Holder, LeaseLostError, LeaseManager
from reconciler.results.paths import folder_of

PAUSE_SECONDS: Final = 2.0
"""Seconds between two checks of a job that another runner is downloading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The results were downloaded."""

    owned: OwnedJob
    summary: ResultSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The results were present, or another runner downloaded them meanwhile."""

    owned: OwnedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFailed:
    """The results could not be downloaded; the next pull continues."""

    owned: OwnedJob
    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The run received a signal to stop before this was done; the next pull continues."""

    owned: OwnedJob


Ending: TypeAlias = Pulled | Present | PullFailed | Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldByOther:
    """Another runner is downloading the results."""

    owned: OwnedJob
    by: Holder


@dataclass(frozen=True, kw_only=True)
class Puller:
    """Downloads the results of many jobs."""

    run: RunContext[Reader]
    leases: LeaseManager
    downloader: JobDownloader

    def pull(self, jobs: Sequence[OwnedJob]) -> tuple[Ending, ...]:
        """Download the missing results of ended jobs, and wait for those that other runners are downloading.

        Raises:
            OSError: the destination cannot be read.
        """
        there = self.leases.store.finished([folder_of(owned) for owned in jobs])
        endings: dict[str, Ending] = {
            owned.job.id: Present(owned=owned) for owned in jobs if folder_of(owned) in there
        }
        waiting = [owned for owned in jobs if owned.job.id not in endings]
        while waiting:
            found = self.run.env.map_concurrently(
                self.one, waiting, max_workers=self.run.limits.downloads_in_flight
            )
            held = [each for each in found if isinstance(each, HeldByOther)]
            endings.update({each.owned.job.id: each for each in found if not isinstance(each, HeldByOther)})
            waiting = [each.owned for each in held]
            if held:
                by = held[0].by
                self.run.env.log(
                    "results.waiting_for_lease", jobs=len(held), host=by.host, other_run_id=by.run_id
                )
                self.run.env.sleep(PAUSE_SECONDS)
        return tuple(endings[owned.job.id] for owned in jobs)

    def one(self, owned: OwnedJob) -> Ending | HeldByOther:
        """Download the results of one job, and return every outcome as a value."""
        try:
            if self.run.env.stop.is_set():
                raise StoppedError  # noqa: TRY301 - the heartbeat raises the same
            return self._claimed(owned)
        except StoppedError:
            return Stopped(owned=owned)
        except LeaseLostError as lost:
            return HeldByOther(owned=owned, by=lost.to)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            failure = ReconcilerError(
                f"{where}{error.strerror or error}",
                hint="fix the destination and run again: the pull continues",
            )
        except ReconcilerError as error:
            failure = error
        self.run.env.log("results.failed", name=owned.tags.name, job_id=owned.job.id, error=str(failure))
        return PullFailed(owned=owned, error=failure)

    def _claimed(self, owned: OwnedJob) -> Ending | HeldByOther:
        claim = self.leases.acquire(folder_of(owned))
        if claim is None:
            return Present(owned=owned)
        if isinstance(claim, Holder):
            return HeldByOther(owned=owned, by=claim)
        try:
            return Pulled(owned=owned, summary=self.downloader.download(owned, claim))
        finally:
            with suppress(OSError):  # then it expires
                claim.release()
