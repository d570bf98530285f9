"""The results of a name: those of its newest work that has answers, joined from the results of its jobs.

They are made from the store alone. A runner that is killed leaves the earlier ones; the next pull sees from the summary
that jobs are missing in it, and joins again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from reconciler import file_access
from reconciler.documents.reports import pretty
from reconciler.documents.result_summary import (
    NAME,
    ResultSummary,
    WorkSummary,
    decode,
)
from reconciler.errors import ReconcilerError
from reconciler.model import RunKey, digests
from reconciler.outputs.digest import Digest, Fetched
from reconciler.outputs.leases import Lease
from reconciler.outputs.paths import RESULTS, safe_name
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summary import file_doc, work_summary
from reconciler.requests import answered, answers, asked
from reconciler.requests.answered import FILES
from reconciler.requests.asked import AskedIndex
from reconciler.requests.index_file import PART
from reconciler.requests.join import Joined, Part, join
from reconciler.requests.keys import Places

SEEN_LENGTH: Final = 16
KEPT: Final = "kept-"
"""In front of `seen` if the results are older than these jobs: they are joined again once their work is wanted."""


class WorkResults(Struct, frozen=True, kw_only=True):
    """Joins the results of names."""

    store: ResultStore
    wanted: Mapping[str, Collection[RunKey]]
    """The work that specs declare, by name."""
    newest: Mapping[str, RunKey]
    """The work of the newest job of each name in the workspace."""
    order_of: Callable[[RunKey], AskedIndex | None] = lambda _: None
    """Returns the requests of declared work in their order; None if its inputs are not on this machine."""
    lends: Callable[[RunKey, ResultSummary, str], bool] = lambda _, __, ___: False
    """Returns whether the answers of a job of other work may count for declared work, also if that work began so: then
    the text is the name under which it did."""
    beside: Mapping[str, Collection[str]] = {}
    """The other names whose folders may have answers for a name."""

    def summary(self, name: str) -> WorkSummary | None:
        """Return the summary of a name's results, None if there is none."""
        return decode(self.store.read(f"{safe_name(name)}/{NAME}"), WorkSummary)

    def is_current(self, name: str, run_key: RunKey) -> bool:
        """Return whether results are those of the work that is wanted now."""
        wanted = self.wanted.get(name)
        return run_key in wanted if wanted else self.newest.get(name, run_key) == run_key

    def is_newest(self, summary: WorkSummary, folders: Sequence[str]) -> bool:
        """Return whether a join of the jobs in these folders would choose the same results. Raises `OSError`."""
        kept = summary.seen == KEPT + seen(folders)
        if not kept and summary.seen != seen(folders):
            return False
        if self.is_current(summary.name, RunKey(summary.work, summary.rerun)):
            return not kept and self._has_all_lines(summary)
        wanted, jobs = self.wanted.get(summary.name, ()), self._jobs(folders)
        return not any(_has_answers(job) and _run_key(job) in wanted for job in jobs.values()) and not any(
            self._is_answered(key, jobs) for key in wanted
        )

    def _has_all_lines(self, summary: WorkSummary) -> bool:
        """Return whether results that were joined without the inputs have a line for each request nevertheless."""
        order = None if summary.ordered else self.order_of(RunKey(summary.work, summary.rerun))
        return order is None or order.count == summary.results.lines

    def join(self, name: str, folders: Sequence[str], lease: Lease, *, now: float) -> WorkSummary:
        """Join and publish the results of a name from the folders of its jobs, at least one.

        Raises `ReconcilerError` if the results of a job are damaged; they are then pulled again; `OSError` if the store
        cannot be read or written.
        """
        folder = safe_name(name)
        jobs = self._jobs(folders)
        if not jobs:
            raise self._damaged(folders[0])
        work, before = self._choose(name, jobs), self.summary(name)
        mine = {it: job for it, job in jobs.items() if _run_key(job) == work} | self._lenders(work, jobs)
        of_work = sorted(mine.items(), key=lambda pair: _age(pair[1]))
        found = ((self._part(*pair), _run_key(pair[1]) == work) for pair in of_work)
        # A custom_id alone does not show that a job of other work was asked the same.
        parts = [part for part, own in found if part and (own or part.asked.head["ordered"])]
        whole = all(summary.of is None and _run_key(summary) == work for _, summary in of_work)
        order = None if whole else self.order_of(work)
        if not whole and order is None and before is not None and before.seen:
            # Without its inputs, a work in parts cannot be put together: the earlier results stay.
            kept = structs.replace(before, current=False, seen=KEPT + seen(folders))
            self.store.replace(f"{folder}/{NAME}", pretty(kept))
            return kept
        known = whole or order is not None
        order = order or max((part.asked for part in reversed(parts)), key=_completeness, default=_NOTHING)
        joined = Joined()
        place = self.store.staging_dir(folder) / f"{RESULTS}{PART}"
        try:
            written = _write(place, parts, order, joined, lease.beat)
            lease.check()
            published = self.store.publish_results(folder, place, written.sha256)
        finally:
            place.unlink(missing_ok=True)
        summaries = [it for _, it in of_work if _run_key(it) == work or it.job_id in joined.jobs]
        document = work_summary(
            summaries,
            order,
            joined,
            name=name,
            work=work.work,
            rerun=work.rerun,
            current=self.is_current(name, work),
            ordered=known and bool(order.head["ordered"]),
            results=file_doc(published, None, written),
            seen=seen(folders),
            made_at=now,
        )
        self.store.replace(f"{folder}/{NAME}", pretty(document))
        self.store.tidy(folder, published)
        self.store.clear(folder)
        return document

    def _jobs(self, folders: Sequence[str]) -> Mapping[str, ResultSummary]:
        found = {it: decode(self.store.read(f"{it}/{NAME}"), ResultSummary) for it in folders}
        return {it: summary for it, summary in found.items() if summary}

    def _choose(self, name: str, jobs: Mapping[str, ResultSummary]) -> RunKey:
        """Return the work to show: the wanted one if it has answers, else the newest that has."""
        for key in self.wanted.get(name, ()):
            if self._is_answered(key, jobs):
                return key
        keys, here = self.wanted.get(name, ()), f"{safe_name(name)}/"
        own = [job for folder, job in jobs.items() if folder.startswith(here) or _run_key(job) in keys]
        having = [job for job in own if _has_answers(job)] or own or [*jobs.values()]
        wanted = [job for job in having if _run_key(job) in keys]
        return _run_key(max(wanted or having, key=_age))

    def _lenders(self, work: RunKey, jobs: Mapping[str, ResultSummary]) -> dict[str, ResultSummary]:
        """Return the jobs of other run keys whose answers count.

        They were asked the same requests, or they count by the spec, or because the first job reused some.
        """
        keys = next((keys for keys in self.wanted.values() if work in keys), (work,))
        first = min((job for job in jobs.values() if _run_key(job) in keys), key=_age, default=None)
        begun = first.name if first is not None and first.reused and first.attempt == 1 else ""
        others = ((folder, job) for folder, job in jobs.items() if _run_key(job) != work)
        return {
            folder: job for folder, job in others if _run_key(job) in keys or self.lends(work, job, begun)
        }

    def _is_answered(self, work: RunKey, jobs: Mapping[str, ResultSummary]) -> bool:
        """Return whether jobs of other work, with those of the work itself, answer everything of it."""
        lenders = self._lenders(work, jobs)
        if not lenders:
            return False
        if (order := self.order_of(work)) is None:
            return False
        own = {folder: job for folder, job in jobs.items() if _run_key(job) == work}
        places, found = Places(order.keys), bytearray(order.count)
        for part in filter(None, (self._part(*pair) for pair in (lenders | own).items())):
            for at, place in enumerate(places.of(part.asked.keys)):
                if place is not None and part.answered.rank(at) > answers.RANK[answers.UNREADABLE]:
                    found[place] = 1
        return all(found)

    def _part(self, folder: str, summary: ResultSummary) -> Part | None:
        """Return a job's results as files of this machine; None if it has none."""
        docs = {doc.path: doc for doc in summary.files if doc.state == "whole"}
        if answered.NAME not in docs:
            return None
        paths = {name: self.store.fetch(f"{folder}/{name}", doc.bytes) for name, doc in docs.items()}
        if any(not path.exists() or path.stat().st_size != docs[name].bytes for name, path in paths.items()):
            raise self._damaged(folder)
        was_asked, came = asked.load(paths[asked.NAME]), answered.load(paths[answered.NAME])
        digests_of = {name: docs[name].sha256 for name in FILES if name in docs}
        if was_asked is None or came is None or came.head["files"] != digests_of:
            raise self._damaged(folder)
        files = {number: paths[name] for number, name in enumerate(FILES, start=1) if name in paths}
        return Part(job_id=summary.job_id, asked=was_asked, answered=came, files=files)

    def _damaged(self, folder: str) -> ReconcilerError:
        self.store.remove(f"{folder}/{NAME}")
        return ReconcilerError(
            f"the results in {self.store.path(folder)} are damaged",
            hint="run again: the next pull repairs them",
        )


def _completeness(asked: AskedIndex) -> tuple[bool, int]:
    return bool(asked.head["ordered"]), asked.count


def seen(folders: Sequence[str]) -> str:
    """Return a digest of the folders of a name's jobs."""
    ids = sorted(folder.rpartition("/")[2] for folder in folders)
    return digests.sha256("\n".join(ids).encode())[:SEEN_LENGTH]


_NOTHING: Final = AskedIndex({"ordered": False})


def _write(
    place: Path, parts: Sequence[Part], order: AskedIndex, joined: Joined, heartbeat: Callable[[], None]
) -> Fetched:
    digest = Digest()
    with file_access.recreate(place) as file:
        for data in join(parts, order, heartbeat, joined):
            file.write(data)
            digest.add(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.result()


def _run_key(job: ResultSummary) -> RunKey:
    return RunKey(job.work, job.rerun)


def _has_answers(job: ResultSummary) -> bool:
    """Return whether a work has answers with this job: its own, or those that were there when it was created."""
    return bool(job.requests.ok or job.reused)


def _age(job: ResultSummary) -> tuple[int, str]:
    return job.created_at, job.job_id
