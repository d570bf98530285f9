"""Pull the results of many jobs, several at a time, and join them by name. Only one runner does each; others wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.api.client import Reader
from reconciler.api.errors import NotFoundError
from reconciler.context import RunContext
from reconciler.documents import result_summary
from reconciler.documents.reports import DeletedFile, NameResults, PulledJob, pretty
from reconciler.documents.result_summary import ResultSummary, decode, needs_attention
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.file_access import hint_of
from reconciler.model import OwnedJob, RunKey
from reconciler.outputs.current import WorkResults
from reconciler.outputs.download import ContradictionError
from reconciler.outputs.job_download import JobDownloader
from reconciler.outputs.leases import (
    UNKNOWN_HOLDER,
    Holder,
    Lease,
    LeaseLostError,
    LeaseManager,
    StoppedError,
)
from reconciler.outputs.paths import job_folder, safe_name
from reconciler.outputs.summary import lacks_a_file
from reconciler.text.sanitize import clean

PAUSE_SECONDS: Final = 2.0
"""Seconds between two checks of a job or name that another runner works on."""

_Item = TypeVar("_Item", OwnedJob, str)
_Report = TypeVar("_Report", PulledJob, NameResults)


class Puller(Struct, frozen=True, kw_only=True):
    """Downloads the results of many jobs."""

    run: RunContext[Reader]
    leases: LeaseManager
    downloader: JobDownloader
    results: WorkResults
    name_of: Callable[[OwnedJob], str]
    """Returns the name under which a job's results belong."""
    asked: frozenset[RunKey] = frozenset()
    """The work whose results are fetched again if their numbers differ."""

    def pull(self, jobs: Sequence[OwnedJob]) -> tuple[PulledJob, ...]:
        """Download the missing results of ended jobs, and wait for those that other runners are downloading.

        Results are downloaded again if a file has appeared since or their summary is damaged, and those of the `asked`
        work if they are incomplete: the API may have more of them now. Raises `OSError` if the place of results cannot
        be read.
        """
        moved = self._moved(jobs)
        there = moved.keys() - {safe_name(it.job.id) for it in jobs if self._forget_damaged(it, moved)}
        present = [owned for owned in jobs if safe_name(owned.job.id) in there]
        again = {owned.job.id for owned in present if self._is_incomplete(owned)}
        missing = [it for it in jobs if it.job.id in again or safe_name(it.job.id) not in there]
        found = self._each(missing, lambda it: self._pulled(it, again=it.job.id in again))
        ends = {end.job_id: end for end in found}
        return tuple(ends.get(owned.job.id) or self._end(owned, "present") for owned in jobs)

    def preview(self, jobs: Sequence[OwnedJob]) -> tuple[PulledJob, ...]:
        """Return which results of ended jobs are present, and which a pull would download. Raises `OSError`."""
        there = self.leases.store.jobs()
        return tuple(self._end(it, "present" if safe_name(it.job.id) in there else "due") for it in jobs)

    def join(self, pulled: Sequence[PulledJob], jobs: Sequence[OwnedJob]) -> tuple[NameResults, ...]:
        """Join the results of the names of jobs, pulled or not, unless nothing has changed. Wait for other runners.

        Raises `OSError` if the place of results cannot be read.
        """
        fresh = {job.name for job in pulled if job.state == "pulled"}
        folders: dict[str, list[str]] = defaultdict(list)
        for folder in self.leases.store.jobs().values():
            folders[folder.partition("/")[0]].append(folder)
        beside, having = self.results.beside, {it for it in map(self.name_of, jobs) if folders[safe_name(it)]}
        lent = {name for name, others in beside.items() if not having.isdisjoint(others)}

        def joined(name: str) -> NameResults | Holder:
            names = (name, *beside.get(name, ()))
            several = [folder for each in names for folder in folders[safe_name(each)]]
            return self._joined(name, several, again=not fresh.isdisjoint(names))

        return tuple(self._each(sorted(having | lent), joined))

    def _moved(self, jobs: Sequence[OwnedJob]) -> Mapping[str, str]:
        """Move the results of renamed specs. Return the folders of all jobs by their own names."""
        store, there = self.leases.store, self.leases.store.jobs()
        left: set[str] = set()
        for owned in jobs:
            own, new = safe_name(owned.job.id), self._folder_of(owned)
            old = there.get(own) or job_folder(owned.tags.name, owned.job.id)
            if old != new:
                pulled = there.pop(
                    own, None
                )  # otherwise the index of the requests is alone, or nothing is there
                left.add(old.partition("/")[0])
                if store.move(old, new) and pulled:
                    there[own] = new
        for name in left - {folder.partition("/")[0] for folder in there.values()}:
            store.remove(f"{name}/{result_summary.NAME}")
            store.tidy(name, "")
        return there

    def _each(self, items: Sequence[_Item], action: Callable[[_Item], _Report | Holder]) -> list[_Report]:
        """Do something with every item, several at a time, until no other runner works on any of them."""
        ends: list[_Report] = []
        waiting = list(items)
        while waiting:
            found = self.run.env.map_concurrently(
                action, waiting, max_workers=self.run.limits.downloads_in_flight
            )
            ends += [each for each in found if not isinstance(each, Holder)]
            held = [each for each in found if isinstance(each, Holder)]
            waiting = [it for it, each in zip(waiting, found, strict=True) if isinstance(each, Holder)]
            if held:
                by = held[0]
                self.run.env.log(
                    "results.waiting_for_lease", jobs=len(held), host=by.host, other_run_id=by.run_id
                )
                self.run.env.sleep(PAUSE_SECONDS)
        return ends

    def _folder_of(self, owned: OwnedJob) -> str:
        return job_folder(self.name_of(owned), owned.job.id)

    def _is_incomplete(self, owned: OwnedJob) -> bool:
        """Return whether a result file has appeared since, or results of the `asked` work have numbers that differ."""
        summary = self.present(owned)
        if summary is None:
            return False
        return lacks_a_file(summary, owned) or bool(owned.tags.run_key in self.asked and summary.difference)

    def _forget_damaged(self, owned: OwnedJob, there: Container[str]) -> bool:
        """Delete the summary of results if it is damaged, so that they are pulled again. Return whether it was."""
        path = f"{self._folder_of(owned)}/{result_summary.NAME}"
        data = self.leases.store.read(path) if safe_name(owned.job.id) in there else None
        damaged = data is not None and result_summary.is_damaged(data)
        if damaged:
            self.leases.store.remove(path)
        return damaged

    def present(self, owned: OwnedJob) -> ResultSummary | None:
        """Return the summary of a job's results at their place, None if there is none. Raises `OSError`."""
        data = self.leases.store.read(f"{self._folder_of(owned)}/{result_summary.NAME}")
        return decode(data, ResultSummary)

    def _pulled(self, owned: OwnedJob, *, again: bool) -> PulledJob | Holder:
        def claimed() -> PulledJob | Holder:
            claim = self.leases.acquire(self._folder_of(owned), again=again)
            if claim is None:
                return self._end(owned, "present")
            if isinstance(claim, Holder):
                return claim
            if again:
                self._forget_join(self.name_of(owned))
            try:
                with claim, self.run.env.span("pull"):
                    summary = self.downloader.download(owned, claim, again=again)
                return replace(self._end(owned, "pulled"), summary=summary)
            except NotFoundError:  # only of results that are fetched again: those that are present stay
                return replace(self._end(owned, "present"), summary=self.present(owned))

        def ended(state: str, message: str, hint: str) -> PulledJob:
            if state != "stopped":
                self.run.env.log("results.failed", name=owned.tags.name, job_id=owned.job.id, error=message)
            return replace(self._end(owned, state), message=message, hint=hint)

        return self._attempt(claimed, ended)

    def _joined(self, name: str, folders: Sequence[str], *, again: bool) -> NameResults | Holder:
        store, results = self.leases.store, self.results

        def ended(state: str, message: str = "", hint: str = "") -> NameResults:
            return NameResults(name=name, state=state, message=message, hint=hint)

        def claimed() -> NameResults | Holder:
            before = results.summary(name)
            state = "unchanged"
            if again or before is None or not results.is_newest(before, folders):
                claim = self.leases.acquire(safe_name(name), again=True)
                if not isinstance(claim, Lease):
                    return claim or UNKNOWN_HOLDER
                with claim:
                    before = results.join(name, folders, claim, now=self.run.env.now())
                state = "joined"
            current = results.is_current(name, RunKey(before.work, before.rerun))
            if current != before.current:
                before = replace(before, current=current)
                store.replace(f"{safe_name(name)}/{result_summary.NAME}", pretty(before))
            path = store.path(f"{safe_name(name)}/{before.results.path}")
            return replace(ended(state), path=path, summary=before)

        return self._attempt(claimed, ended)

    def _forget_join(self, name: str) -> None:
        """Note that a name's results must be joined again, also if this run is killed."""
        summary = self.results.summary(name)
        if summary is not None:
            self.leases.store.replace(
                f"{safe_name(name)}/{result_summary.NAME}", pretty(replace(summary, seen=""))
            )

    def _attempt(
        self, action: Callable[[], _Report | Holder], ended: Callable[[str, str, str], _Report]
    ) -> _Report | Holder:
        """Do something, and return every failure as a report; a holder if another runner does it."""
        try:
            if self.run.env.stop.is_set():
                raise StoppedError  # noqa: TRY301 - the heartbeat raises the same
            return action()
        except StoppedError:
            return ended("stopped", "the run received a signal to stop; the next pull continues", "")
        except LeaseLostError as lost:
            return lost.to
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            hint = hint_of(error, "fix the place of results and run again: the pull continues")
            return ended("failed", clean(f"{where}{error.strerror or error}"), hint)
        except ReconcilerError as error:
            state = "refused" if isinstance(error, ContradictionError) else "failed"
            return ended(state, clean(str(error)), clean(error.hint))

    def _end(self, owned: OwnedJob, state: str) -> PulledJob:
        return PulledJob(
            name=self.name_of(owned),
            job_id=owned.job.id,
            status=owned.job.status,
            state=state,
            path=self.leases.store.path(self._folder_of(owned)),
        )


def exit_codes(
    jobs: Sequence[PulledJob], names: Sequence[NameResults], files: Sequence[DeletedFile], *, unable: bool
) -> set[ExitCode]:
    """Return the exit codes of a pull: for failures (`unable`: no file could be deleted), and for attention."""
    pulled = [job.summary for job in jobs if job.summary]
    states = {it.state for part in (jobs, names, files) for it in part}
    codes: set[ExitCode] = set()
    if unable or "failed" in states:
        codes.add(ExitCode.PARTIAL if pulled or "deleted" in states else ExitCode.FAILED)
    if "refused" in states or any(map(needs_attention, pulled)):
        codes.add(ExitCode.ATTENTION)
    return codes
