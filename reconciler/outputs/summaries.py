"""Read the summaries of all results in a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.documents.result_summary import NAME, ResultSummary, SummaryT, WorkSummary, decode
from reconciler.errors import UsageError
from reconciler.outputs.paths import job_folder, safe_name
from reconciler.outputs.store import ResultStore
from reconciler.requests import asked
from reconciler.requests.index_file import read_head
from reconciler.text.suggest import nearest


def work_summaries(store: ResultStore) -> Iterator[WorkSummary]:
    """Yield the summary of every name, in order of their folders; unreadable ones are skipped.

    Raises:
        OSError: the store cannot be listed.
    """
    for folder in store.names(""):
        if (summary := _read(store, folder, WorkSummary)) is not None:
            yield summary


def summary_of(store: ResultStore, name: str) -> WorkSummary:
    """Return the summary of a name's results.

    Raises:
        UsageError: there are none.
    """
    found = {it.name: it for it in work_summaries(store)}
    if name not in found:
        near = nearest(name, sorted(found))
        raise UsageError(
            f"{store.where} has no results of {name}",
            hint=f"did you mean {near}?" if near else "fetch them: reconciler outputs pull",
        )
    return found[name]


def path_of(store: ResultStore, summary: WorkSummary) -> str:
    """Return the path of a name's joined results, as messages show it."""
    return store.path(f"{safe_name(summary.name)}/{summary.results.path}")


def results_file(store: ResultStore, summary: WorkSummary) -> Path:
    """Return a name's joined results as a file of this machine. Raises `OSError`."""
    doc = summary.results
    return store.fetch(f"{safe_name(summary.name)}/{doc.path}", doc.bytes)


def schemas_of(store: ResultStore, summary: WorkSummary) -> Iterator[Any]:
    """Yield the JSON schemas that the requests of a name's results ask for. Raises `OSError`."""
    for job_id in summary.jobs:
        folder = job_folder(summary.name, job_id)
        job = _read(store, folder, ResultSummary)
        for doc in job.files if job else ():
            if doc.path == asked.NAME:
                head = read_head(store.fetch(f"{folder}/{doc.path}", doc.bytes))
                yield from head.get("schemas", ())


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
