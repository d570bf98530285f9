"""What came of a pull, as a document and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from reconciler.documents.reports import PullDoc, PulledJob
from reconciler.documents.result_summary import lossy
from reconciler.errors import ExitCode
from reconciler.model import Target
from reconciler.results.paths import folder_of
from reconciler.results.pull import Ending, Failed, Present, Pulled, Stopped
from reconciler.results.store import Store
from reconciler.text.sanitize import clean


def pull_doc(
    endings: Sequence[Ending], *, target: Target, store: Store, running: int, code: ExitCode
) -> PullDoc:
    """Return what `outputs pull` writes."""
    return PullDoc(
        project=target.project,
        base_url=target.base_url,
        sandbox=target.sandbox,
        to=store.where,
        running=running,
        jobs=tuple(_job(ending, store) for ending in endings),
        exit_code=int(code),
    )


def _job(ending: Ending, store: Store) -> PulledJob:
    summary, message, hint = None, "", ""
    match ending:
        case Pulled():
            state, summary = "pulled", ending.summary
        case Present():
            state = "present"
        case Failed():
            state, message, hint = "failed", clean(str(ending.error)), clean(ending.error.hint)
        case Stopped():
            state, message = "stopped", "the run was asked to stop; the next pull goes on"
        case _:
            assert_never(ending)
    ours = ending.ours
    return PulledJob(
        name=ours.tags.name,
        job_id=ours.job.id,
        status=ours.job.status,
        state=state,
        path=store.path(folder_of(ours)),
        summary=summary,
        message=message,
        hint=hint,
    )


def exit_codes(endings: Sequence[Ending]) -> set[ExitCode]:
    """Return what the endings ask for: failures, and what a person should know of what was fetched."""
    pulled = [ending.summary for ending in endings if isinstance(ending, Pulled)]
    codes: set[ExitCode] = set()
    if any(isinstance(ending, Failed) for ending in endings):
        codes.add(ExitCode.PARTIAL if pulled else ExitCode.FAILED)
    if any(lossy(summary) for summary in pulled):
        codes.add(ExitCode.ATTENTION)
    return codes
