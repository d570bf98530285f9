"""Read the summaries of all results in a store."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.documents.result_summary import NAME, ResultSummary, SummaryT, WorkSummary, decode
from reconciler.results.paths import safe_name
from reconciler.results.store import ResultStore


def work_summaries(store: ResultStore) -> Iterator[WorkSummary]:
    """Yield the summary of every name, in order of their folders; unreadable ones are skipped.

    Raises:
        OSError: the store cannot be listed.
    """
    for folder in store.names(""):
        if (summary := _read(store, folder, WorkSummary)) is not None:
            yield summary


def path_of(store: ResultStore, summary: WorkSummary) -> str:
    """Return the path of a name's joined results, as messages show it."""
    return store.path(f"{safe_name(summary.name)}/{summary.results.path}")


def job_summaries(store: ResultStore) -> dict[str, ResultSummary]:
    """Return the summary of every job, by job id; unreadable ones are skipped.

    Raises:
        OSError: the store cannot be listed.
    """
    found = (_read(store, folder, ResultSummary) for folder in sorted(store.jobs().values()))
    return {summary.job_id: summary for summary in found if summary}


def _read(store: ResultStore, folder: str, kind: type[SummaryT]) -> SummaryT | None:
    try:
        return decode(store.read(f"{folder}/{NAME}"), kind)
    except OSError:
        return None
