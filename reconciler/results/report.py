"""The outcome of a pull, as a document and as exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from reconciler.documents.reports import PullDoc, PulledJob
from reconciler.documents.result_summary import lossy
from reconciler.errors import ExitCode
from reconciler.model import Target
from reconciler.results.paths import folder_of
from reconciler.results.pull import Ending, Present, Pulled, PullFailed, Stopped
from reconciler.results.store import ResultStore
from reconciler.text.sanitize import clean


def pull_doc(
    endings: Sequence[Ending], *, target: Target, store: ResultStore, running: int, code: ExitCode
) -> PullDoc:
    """Return the output of `outputs pull`."""
    return PullDoc(
        project=target.project,
        base_url=target.base_url,
        sandbox=target.sandbox,
        to=store.where,
        running=running,
        jobs=tuple(_job(ending, store) for ending in endings),
        exit_code=int(code),
    )


def _job(ending: Ending, store: ResultStore) -> PulledJob:
    summary, message, hint = None, "", ""
    match ending:
        case Pulled():
            state, summary = "pulled", ending.summary
        case Present():
            state = "present"
        case PullFailed():
            state, message, hint = "failed", clean(str(ending.error)), clean(ending.error.hint)
        case Stopped():
            state, message = "stopped", "the run received a signal to stop; the next pull continues"
        case _:
            assert_never(ending)
    owned = ending.owned
    return PulledJob(
        name=owned.tags.name,
        job_id=owned.job.id,
        status=owned.job.status,
        state=state,
        path=store.path(folder_of(owned)),
        summary=summary,
        message=message,
        hint=hint,
    )


def exit_codes(endings: Sequence[Ending]) -> set[ExitCode]:
    """Return the exit codes of the endings: for failures, and for results that are gone or damaged."""
    pulled = [ending.summary for ending in endings if isinstance(ending, Pulled)]
    codes: set[ExitCode] = set()
    if any(isinstance(ending, PullFailed) for ending in endings):
        codes.add(ExitCode.PARTIAL if pulled else ExitCode.FAILED)
    if any(lossy(summary) for summary in pulled):
        codes.add(ExitCode.ATTENTION)
    return codes
