"""Read the state of each wanted request from the place of results: for names that are not complete, and only for them.

The index files are enough; no result is read. The requests of a job whose results are not there count as unread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import JobSpec, OwnedJob, Phase, RunKey, Wanted
from reconciler.outputs.inputs import read_asked
from reconciler.outputs.paths import job_folder, safe_name
from reconciler.outputs.pulled import Pulled, find
from reconciler.outputs.store import ResultStore
from reconciler.outputs.summary import lacks_a_file
from reconciler.planning.actions import Reason
from reconciler.planning.case import Case
from reconciler.planning.coverage import Account, Coverage, Donor, Outcomes, State, cover
from reconciler.planning.donors import Count, Results, account, kind_without_line
from reconciler.planning.next_part import Rules, next_part
from reconciler.planning.overlap import overlaps
from reconciler.planning.work import Work
from reconciler.planning.work_facts import may_still_answer
from reconciler.requests.keys import KEY_BYTES
from reconciler.settings import Limits


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
    """Whether to count only answers that are in the place of results."""
    unreadable: str = ""
    """Why the place of results cannot be read."""
    cached: ResultStore | None = None
    """Results that plans read from the API. What a part reuses has to be in the place of results."""

    def works(self, cases: Sequence[Case]) -> Mapping[str, Work]:
        """Return what each name wants, request by request, as far as results show it.

        Raises:
            OSError: an input or the place of results cannot be read, or what the package for its URL raises.
        """
        needing = [(case, case.possible_donors) for case in cases if case.decided_by_request]
        there = self.store.jobs() if needing else {}
        cached = self.cached.jobs() if needing and self.cached else {}
        listed = {safe_name(it.job.id) for case in cases for it in case.jobs} if there else ()
        by_name: dict[str, list[str]] = defaultdict(list)
        for own, folder in there.items():
            if own not in listed:
                by_name[folder.partition("/")[0]].append(folder)
        found = {}
        for case, jobs in needing:
            late = any(may_still_answer(it) and self.now < ended_at(it) + self.late_seconds for it in jobs)
            if case.spec is None:
                continue
            names = {safe_name(each) for each in (case.name, *case.lending)}
            unlisted = self._unlisted(case, [folder for each in names for folder in by_name[each]])
            if not (late or unlisted or case.decided_by(jobs)):
                continue
            pulled = {it.job.id: self._pulled(it, there, cached) for it in jobs}
            if late or unlisted or any(pulled.values()) or case.goes_on_by_request:
                wanted = self.wanted_of(case.spec)
                if wanted is not None:
                    found[case.name] = self._work(case, case.spec, wanted, pulled, unlisted)
        return found

    def _pulled(self, owned: OwnedJob, there: Mapping[str, str], cached: Mapping[str, str]) -> Pulled | None:
        """Return a job's results, from the place of results or else from what plans read."""
        own = safe_name(owned.job.id)
        found = find(self.store, there.get(own))
        if self.cached is None or (found and not lacks_a_file(found.summary, owned)):
            return found
        return find(self.cached, cached.get(own)) or found

    def _work(
        self,
        case: Case,
        spec: JobSpec,
        wanted: Wanted,
        pulled: Mapping[str, Pulled | None],
        unlisted: Mapping[tuple[int, str], Donor],
    ) -> Work:
        jobs = case.possible_donors
        pairs = [(it, self._donor(case, it, wanted, pulled[it.job.id])) for it in jobs]
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
        unknown = (it for it, donor in pairs if donor is None and _answers(pulled[it.job.id]))
        lost = _lost(case, coverage) or next(map(_not_known, unknown), "")
        answering = [there.summary for job_id in coverage.reused() if (there := pulled.get(job_id))]
        live = [it for it in oldest_first if it.account is Account.LIVE and not it.assumed]
        return Work(
            coverage=coverage,
            models=tuple(sorted({model for summary in answering for model in summary.models})),
            part=part,
            late_until=max(late, default=None),
            lost=lost,
            overlaps=overlaps(wanted.keys, coverage.states, live),
            unreadable=self.unreadable,
        )

    def _unlisted(self, case: Case, folders: Sequence[str]) -> dict[tuple[int, str], Donor]:
        """Return the jobs that may answer, whose records are gone and whose results are here, by age."""
        lost = {it.job_id for it in case.remembered_gone if it.has_answers}
        found: dict[tuple[int, str], Donor] = {}
        for folder in folders:
            pulled = find(self.store, folder)
            if pulled is None or pulled.summary.project != self.project:
                continue
            it = pulled.summary
            if it.job_id in lost and not it.requests.ok:
                continue
            if not case.lends(it.recipe, it.rerun) and RunKey(it.work, it.rerun) not in case.run_keys:
                continue
            keys, outcomes = pulled.outcomes(kind_without_line(it.status))
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

    def _donor(self, case: Case, owned: OwnedJob, wanted: Wanted, there: Pulled | None) -> Donor | None:
        """Return a job with what it was asked and answered; None if what it was asked is not known.

        A job of the whole work was asked what is wanted. Of a part whose index is not here, any wanted request may be.
        """
        of_work = owned.tags.run_key in case.run_keys
        keys, outcomes = b"", None
        results = Results.UNREAD
        if there is not None:
            keys, outcomes = there.outcomes(kind_without_line(owned.job.status))
        else:
            keys = self._submitted(owned, case.name)
        assumed = not keys and (owned.is_part or not of_work)
        by_us = case.cancelled_by_this_tool(owned)
        stopped = owned.phase is Phase.CANCELLED and not by_us  # then it may have been asked everything
        unknown = assumed and not of_work and owned.phase.ended and not stopped
        known = there if outcomes is not None or unknown else None
        if there is not None:
            whole = known is not None and not lacks_a_file(there.summary, owned)
            results = Results.LOST if there.answers_gone else Results.READ if whole else Results.UNREAD
        keys = keys or wanted.keys
        # What a part reuses has to be in the place of results: before a create, counts are not enough.
        by_counts = not self.exact or results is not Results.UNREAD
        lines = known.summary if known else None
        count = Count(
            asked=(owned.requests or 0) if by_counts else 0,
            read=lines.requests.ok if lines else 0,
            failed=lines.requests.failed + lines.trouble.unnamed if lines else 0,
        )
        how = account(owned.job, results, count, now=self.now, late_seconds=self.late_seconds)
        if unknown and there is not None and how is Account.READ:
            return None
        blank = how is Account.READ and outcomes is None
        in_upload = there is None and bool(owned.job.input_files)
        if assumed and (how is Account.ANSWERED or (blank and not stopped and (of_work or in_upload))):
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
            assumed=assumed,
            outcomes=outcomes if how is Account.READ else None,
            cancelled=owned.phase is Phase.CANCELLED,
            by_us=by_us,
            cap=owned.tags.terms.max_attempts,
        )

    def _submitted(self, owned: OwnedJob, name: str) -> bytes:
        """Return the keys of what a job was asked, by the index of its create; none without one."""
        for folder in dict.fromkeys(job_folder(each, owned.job.id) for each in (name, owned.tags.name)):
            if (found := read_asked(self.store, folder, owned)) is not None:
                return found[1]["keys"]
        return b""


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
    shown = f"results show {coverage.count()[State.ANSWERED]:,}"
    return f"{reused}, and {shown}: the record of a job is gone, or `reuse` does not list its name"


def _answers(there: Pulled | None) -> int:
    return there.summary.requests.ok if there else 0


def _not_known(owned: OwnedJob) -> str:
    return f"job {owned.job.short_id} has answers, and this runner does not know what it was asked"


def ended_at(owned: OwnedJob) -> int:
    """Return when a job ended, Unix seconds."""
    return owned.job.completed_at if owned.job.completed_at is not None else owned.job.created_at
