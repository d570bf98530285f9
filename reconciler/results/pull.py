"""The results of many jobs, several at a time, each by one runner: claimed, brought, or waited for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler.api.client import Reader
from reconciler.context import Run
from reconciler.documents.result_summary import Summary
from reconciler.errors import ReconcilerError
from reconciler.model import Ours
from reconciler.results.heartbeat import StoppedError
from reconciler.results.job_download import Bringer
from reconciler.results.leases import Clerk, Holder, LostError
from reconciler.results.paths import folder_of

PAUSE_SECONDS: Final = 2.0
"""Between two looks at what another runner is fetching."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The results were fetched."""

    ours: Ours
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The results were there, or another runner fetched them meanwhile."""

    ours: Ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The results could not be fetched; the next pull goes on."""

    ours: Ours
    error: ReconcilerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The run was asked to stop before this was done; the next pull goes on."""

    ours: Ours


Ending: TypeAlias = Pulled | Present | Failed | Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Somebody else is fetching the results."""

    ours: Ours
    by: Holder


@dataclass(frozen=True, kw_only=True)
class Puller:
    """What it takes to fetch the results of many jobs."""

    run: Run[Reader]
    clerk: Clerk
    bringer: Bringer

    def pull(self, jobs: Sequence[Ours]) -> tuple[Ending, ...]:
        """Fetch the results of ended jobs that are not there yet, and wait for those that others are fetching.

        Raises:
            OSError: the destination cannot be looked at.
        """
        there = self.clerk.store.finished([folder_of(ours) for ours in jobs])
        endings: dict[str, Ending] = {
            ours.job.id: Present(ours=ours) for ours in jobs if folder_of(ours) in there
        }
        waiting = [ours for ours in jobs if ours.job.id not in endings]
        while waiting:
            found = self.run.world.spread(self.one, waiting, at_once=self.run.limits.downloads_in_flight)
            held = [each for each in found if isinstance(each, Held)]
            endings.update({each.ours.job.id: each for each in found if not isinstance(each, Held)})
            waiting = [each.ours for each in held]
            if held:
                by = held[0].by
                self.run.world.log("results.waited_for", jobs=len(held), host=by.host, other_run_id=by.run_id)
                self.run.world.sleep(PAUSE_SECONDS)
        return tuple(endings[ours.job.id] for ours in jobs)

    def one(self, ours: Ours) -> Ending | Held:
        """Fetch the results of one job, whatever comes of it."""
        try:
            if self.run.world.stop.is_set():
                raise StoppedError  # noqa: TRY301 - as whoever is at work says it
            return self._claimed(ours)
        except StoppedError:
            return Stopped(ours=ours)
        except LostError as lost:
            return Held(ours=ours, by=lost.to)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            failure = ReconcilerError(
                f"{where}{error.strerror or error}", hint="mend the destination, then run again: it goes on"
            )
        except ReconcilerError as error:
            failure = error
        self.run.world.log("results.failed", name=ours.tags.name, job_id=ours.job.id, error=str(failure))
        return Failed(ours=ours, error=failure)

    def _claimed(self, ours: Ours) -> Ending | Held:
        claim = self.clerk.claim(folder_of(ours))
        if claim is None:
            return Present(ours=ours)
        if isinstance(claim, Holder):
            return Held(ours=ours, by=claim)
        try:
            return Pulled(ours=ours, summary=self.bringer.bring(ours, claim))
        finally:
            with suppress(OSError):  # then it ends with its time
                claim.release()
