"""Compare what was submitted, what the API counts and what the result files hold, and check results. Pure.

An answer counts only if it can be fetched: a job without an output file has no answers, whatever the API counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple, TypeAlias

from msgspec import Meta, Struct

from reconciler.model.jobs import Job, Phase

_Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Received(NamedTuple):
    """The requests in a job's result files."""

    ok: int
    """Answered, in lines that can be read."""
    failed: int
    """With an error, or in a line that cannot be read."""


def submitted_requests(job: Job, submitted: int | None) -> int | None:
    """Return how many requests a job has: the number submitted, or the API's if that is larger; None if unknown."""
    return max(job.total_requests, job.answered_requests, submitted or 0) or None


def fetchable_answers(job: Job) -> int:
    """Return how many answers can be fetched, as the API counts them."""
    return job.succeeded_requests if job.output_file else 0


def missing_requests(job: Job, submitted: int | None, received: Received | None = None) -> int | None:
    """Return how many requests have neither an answer that can be fetched nor an error; None if that is not known.

    The files count if they were read, and otherwise the API's numbers.
    """
    asked = submitted_requests(job, submitted)
    return None if asked is None else max(0, asked - sum(received or _counted(job)))


def _counted(job: Job) -> Received:
    return Received(fetchable_answers(job), job.failed_requests)


def difference(job: Job, submitted: int | None, received: Received | None = None) -> str:
    """Return how the numbers of a succeeded job differ; "" if they agree, or if the job did not succeed.

    `submitted` is the number of requests in its tags, None if that is not known; `received` is what its result files
    hold, if they were read.
    """
    if job.phase is not Phase.SUCCEEDED:
        return ""
    if not received and job.output_file and job.answered_requests == job.total_requests >= (submitted or 0):
        return ""  # most jobs
    return "; ".join(_differences(job, submitted, received))


def _differences(job: Job, submitted: int | None, received: Received | None) -> Iterator[str]:
    asked = submitted_requests(job, submitted) or 0
    counted = _counted(job)
    if missing := missing_requests(job, submitted, received):
        yield f"{missing:,} of {asked:,} requests have no answer"
    if 0 < job.total_requests < asked:
        yield f"the API counts only {job.total_requests:,} requests"
    if counted.ok < job.succeeded_requests:
        yield f"the API counts {job.succeeded_requests:,} answers and names no output file"
    if received is not None and received != counted:
        api = f"the API counts {counted.ok:,} answers and {counted.failed:,} failures"
        yield f"{api}, the files have {received.ok:,} and {received.failed:,}"


class Checks(Struct, frozen=True, kw_only=True):
    """Shares, 0 to 1, above which a succeeded job needs attention."""

    failed: _Share = 0.0
    """Share of requests that failed."""
    invalid: _Share = 0.0
    """Share of answers that are not what the request's `response_format` asks for, in pulled results."""
    truncated: _Share = 1.0
    """Share of answers that were cut off at the limit of tokens, in pulled results."""

    def broken(self, counts: Mapping[str, tuple[int, int]]) -> dict[str, str]:
        """Return the checks that do not hold, each with its limit in words.

        `counts` has, for each check that is known, how many requests or answers it counts, and of how many.
        """
        return {
            name: f"checks.{name}: at most {getattr(self, name):.4g}"
            for name, (number, of) in counts.items()
            if of and number / of > getattr(self, name)
        }


class Checked(Struct, frozen=True, kw_only=True, gc=False):
    """What the checks of a job's answers found."""

    answers: int
    invalid: int
    truncated: int
    words: str
    """The same for readers; "" if all answers are valid."""
