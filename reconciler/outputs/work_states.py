"""Read the state of each wanted request from the place of results: for names that are not complete, and only for them.

The index files are enough; no result is read. A job whose results are not there is a bound: its requests count as
unread until `apply` has brought them.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.documents.result_summary import NAME, ResultSummary, decode
from reconciler.model import JobSpec, OwnedJob, Phase, RunKey, Wanted
from reconciler.outputs.inputs import read_asked
from reconciler.outputs.paths import ERRORS, OUTPUT, job_folder, safe_name
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summary import lacks_a_file
from reconciler.planning.actions import Reason
from reconciler.planning.case import Case
from reconciler.planning.coverage import (
    ANSWERED_INVALID,
    ANSWERED_TRUNCATED,
    ANSWERED_VALID,
    Account,
    Coverage,
    Donor,
    Outcomes,
    State,
    cover,
)
from reconciler.planning.donors import Count, Results, account, kind_without_line
from reconciler.planning.next_part import Rules, Work, next_part
from reconciler.planning.work_facts import may_still_answer
from reconciler.requests import answered, asked
from reconciler.requests.answers import OK
from reconciler.requests.checks import INVALID, TRUNCATED
from reconciler.requests.keys import KEY_BYTES
from reconciler.settings import Limits

_ANSWER: Final = {INVALID: ANSWERED_INVALID, TRUNCATED: ANSWERED_TRUNCATED}


@dataclass(frozen=True, kw_only=True)
class StateReader:
    """Reads the state of each request of a name."""

    store: ResultStore
    project: str
    wanted_of: Callable[[JobSpec], Wanted | None]
    """Returns the requests of a spec; None if an input is not in this clone."""
    limits: Limits
    late_seconds: float
    """How long after a job's end its results may still be incomplete."""
    now: float
    """Unix seconds."""
    exact: bool = False
    """Whether a job of other work of which it is not known what it was asked may have been asked everything."""
    unreadable: str = ""
    """Why the place of results cannot be read."""

    def works(self, cases: Sequence[Case]) -> Mapping[str, Work]:
        """Return what each name wants, request by request, as far as results show it.

        Raises:
            OSError: an input or the place of results cannot be read, or what the package for its URL raises.
        """
        needing = [(case, case.donors) for case in cases if case.decided_by_request]
        there = self.store.jobs() if needing else {}
        by_name: dict[str, list[str]] = defaultdict(list)
        for folder in there.values():
            by_name[folder.partition("/")[0]].append(folder)
        found = {}
        for case, jobs in needing:
            late = any(may_still_answer(it) and self.now < ended_at(it) + self.late_seconds for it in jobs)
            if case.spec is None:
                continue
            names = {safe_name(each) for each in (case.name, *case.spec.reused_names)}
            unlisted = self._unlisted(case, [folder for each in names for folder in by_name[each]])
            if not (late or unlisted or case.decided_by(jobs)):
                continue
            summaries = {it.job.id: self._summary(it, there) for it in jobs}
            again = self.exact and case.spec.retry.max_attempts > 1  # what could not be read is waited for
            read = late or again or unlisted or any(summaries.values())
            if read or case.spec.in_parts or case.spec.reuse:
                wanted = self.wanted_of(case.spec)
                if wanted is not None:
                    found[case.name] = self._work(case, case.spec, wanted, summaries, unlisted)
        return found

    def _summary(self, owned: OwnedJob, there: Mapping[str, str]) -> tuple[str, ResultSummary] | None:
        """Return a job's folder of results and their summary."""
        folder = there.get(safe_name(owned.job.id))
        summary = decode(self.store.read(f"{folder}/{NAME}"), ResultSummary) if folder else None
        return (folder, summary) if folder and summary else None

    def _work(
        self,
        case: Case,
        spec: JobSpec,
        wanted: Wanted,
        summaries: Mapping[str, tuple[str, ResultSummary] | None],
        unlisted: Mapping[tuple[int, str], Donor],
    ) -> Work:
        pairs = [(it, self._donor(case, it, wanted, summaries[it.job.id])) for it in case.donors]
        donors = {**unlisted, **{it.job.age_key: donor for it, donor in pairs if donor}}
        duplicates = {job_id for job_id, why in case.memory.cancels.items() if why == Reason.DUPLICATE}
        # A duplicate comes first: what happened to its original counts.
        oldest_first = [
            donors[age] for age in sorted(donors, key=lambda age: (age[1] not in duplicates, age))
        ]
        coverage = cover(wanted.keys, oldest_first, cap=spec.retry.max_attempts)
        rules = Rules(
            retry_on=spec.retry.words,
            max_attempts=spec.retry.max_attempts,
            canary=spec.canary,
            checks=spec.checks,
            max_requests=self.limits.requests_per_job,
            max_bytes=self.limits.file_bytes,
        )
        late = [
            ended_at(it) + self.late_seconds for it, donor in pairs if donor and donor.account is Account.LATE
        ]
        part = next_part(coverage, rules, wanted)
        unknown = (it for it, donor in pairs if donor is None and _answers(summaries[it.job.id]))
        lost = _lost(case, coverage) or next(map(_not_known, unknown), "")
        return Work(
            coverage=coverage,
            part=part,
            late_until=max(late, default=None),
            lost=lost,
            unreadable=self.unreadable,
        )

    def _unlisted(self, case: Case, folders: Sequence[str]) -> dict[tuple[int, str], Donor]:
        """Return the jobs that may answer, whose records are gone and whose results are here, by age."""
        listed = {safe_name(it.job.id) for it in (*case.jobs, *case.lenders)}
        lost = {it.job_id for it in case.remembered_gone if it.has_answers}
        found: dict[tuple[int, str], Donor] = {}
        for folder in folders:
            if folder.rpartition("/")[2] in listed:
                continue
            it = decode(self.store.read(f"{folder}/{NAME}"), ResultSummary)
            if it is None or it.project != self.project or (it.job_id in lost and not it.requests.ok):
                continue
            if not case.lends(it.recipe, it.rerun) and RunKey(it.work, it.rerun) not in case.run_keys:
                continue
            keys, outcomes = self._outcomes(it.job_id, it.status, folder, it)
            if outcomes is not None:
                found[it.created_at, it.job_id] = Donor(
                    job_id=it.job_id,
                    asked=keys,
                    account=Account.READ,
                    outcomes=outcomes,
                    cancelled=it.status == "CANCELLED",
                    by_us=it.job_id in case.memory.cancels,
                )
        return found

    def _donor(
        self, case: Case, owned: OwnedJob, wanted: Wanted, there: tuple[str, ResultSummary] | None
    ) -> Donor | None:
        """Return a job with what it was asked and answered; None if what it was asked is not known.

        A job of the whole work was asked what is wanted. Of a part whose index is not here, any wanted request may be.
        """
        of_work = owned.tags.run_key in case.run_keys
        keys, outcomes = b"", None
        results = Results.UNREAD
        if there is not None:
            folder, summary = there
            keys, outcomes = self._outcomes(owned.job.id, owned.job.status, folder, summary)
            gone = any(file.state == "gone" for file in summary.files if file.path in (OUTPUT, ERRORS))
            whole = outcomes is not None and not lacks_a_file(summary, owned)
            results = Results.LOST if gone else Results.READ if whole else Results.UNREAD
        if there is None:
            keys = self._submitted(owned, case.name)
        assumed = not keys and (owned.is_part or not of_work)
        by_us = case.cancelled_by_this_tool(owned)
        stopped = owned.phase is Phase.CANCELLED and not by_us  # then it may have been asked everything
        if assumed and not of_work and not stopped and (there is not None or not self.exact):
            return None
        keys = keys or wanted.keys
        # What a part reuses has to be in the place of results: before a create, counts are not enough.
        by_counts = not self.exact or results is not Results.UNREAD
        lines = there[1].requests if there and outcomes else None
        count = Count(
            asked=(owned.requests or 0) if by_counts else 0,
            read=lines.ok if lines else 0,
            failed=lines.failed if lines else 0,
        )
        how = account(owned.job, results, count, now=self.now, late_seconds=self.late_seconds)
        blank = how is Account.READ and outcomes is None
        if assumed and (how is Account.ANSWERED or (blank and of_work and not stopped)):
            how = Account.UNREAD  # all that it was asked has the same outcome: which requests, is not known
        elif blank:
            if assumed and not of_work and not stopped:
                return None  # it has no results, so it answered nothing
            none = kind_without_line(owned.job.status)
            outcomes = Outcomes(kinds=(none,), kind=bytes(len(keys) // KEY_BYTES))
        return Donor(
            job_id=owned.job.id,
            asked=keys,
            account=how,
            outcomes=outcomes if how is Account.READ else None,
            cancelled=owned.phase is Phase.CANCELLED,
            by_us=by_us,
            cap=owned.tags.cap,
        )

    def _submitted(self, owned: OwnedJob, name: str) -> bytes:
        """Return the keys of what a job was asked, by the index of its create; none without one."""
        for folder in dict.fromkeys(job_folder(each, owned.job.id) for each in (name, owned.tags.name)):
            if (found := read_asked(self.store, folder, owned)) is not None:
                return found[1]["keys"]
        return b""

    def _outcomes(
        self, job_id: str, status: str, folder: str, summary: ResultSummary
    ) -> tuple[bytes, Outcomes | None]:
        """Return the keys of what a job was asked, and the outcomes.

        No keys if its inputs were not available when its results were pulled.
        """
        docs = {doc.path: doc for doc in summary.files if doc.state == "whole"}
        if asked.NAME not in docs or answered.NAME not in docs:
            return b"", None
        paths = {
            name: self.store.fetch(f"{folder}/{name}", docs[name].bytes)
            for name in (asked.NAME, answered.NAME)
        }
        was_asked, came = asked.load(paths[asked.NAME]), answered.load(paths[answered.NAME])
        if was_asked is None or came is None or not was_asked.head["ordered"]:
            return b"", None
        same = {was_asked.head["job"], came.head["job"]} == {job_id}
        if not same or len(came.file) * KEY_BYTES != len(was_asked.keys):
            return b"", None
        return was_asked.keys, outcomes_of(came, kind_without_line(status))


def _lost(case: Case, coverage: Coverage) -> str:
    """Return which job had answers that no result shows, because its record is gone; "" if there is none."""
    for gone in case.remembered_gone:
        if gone.has_answers and gone.job_id not in coverage.donors:
            return f"job {gone.job_id} had answers; its record is gone, and its results were not pulled"
    parts = (it for it in case.donors if it.tags.run_key in case.run_keys)
    newest = max(parts, key=lambda it: it.tags.reused, default=None)
    known = sum(coverage.states.count(state) for state in State if state <= State.GONE)
    if newest is None or newest.tags.reused <= known:
        return ""
    reused = f"job {newest.job.short_id} was created when {newest.tags.reused:,} requests were answered"
    return f"{reused}, and results show {coverage.count()[State.ANSWERED]:,}: the record of a job is gone"


def _answers(there: tuple[str, ResultSummary] | None) -> int:
    return there[1].requests.ok if there else 0


def _not_known(owned: OwnedJob) -> str:
    return f"job {owned.job.short_id} has answers, and this runner does not know what it was asked"


def ended_at(owned: OwnedJob) -> int:
    """Return when a job ended, Unix seconds."""
    return owned.job.completed_at if owned.job.completed_at is not None else owned.job.created_at


def outcomes_of(came: answered.AnswersIndex, none: str) -> Outcomes:
    """Return the outcome of each request; `none` is the kind of one without a line."""
    known: dict[tuple[bool, int, int], int] = {}
    kinds: list[str] = []
    column = array("H", bytes(2 * len(came.file)))
    for at, triple in enumerate(zip(map(bool, came.file), came.kind, came.verdict, strict=True)):
        if triple not in known:
            there, kind, verdict = triple
            name = came.kinds[kind]
            answer = _ANSWER.get(verdict, ANSWERED_VALID) if name == OK else name
            known[triple] = len(kinds)
            kinds.append(answer if there else none)
        column[at] = known[triple]
    return Outcomes(kinds=tuple(kinds), kind=column)
