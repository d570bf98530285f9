"""Read the summaries of all results in a store, and add to jobs what their results hold, for plans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from msgspec.structs import replace

from reconciler.documents.result_summary import (
    NAME,
    ResultSummary,
    SummaryT,
    WorkSummary,
    check_words,
    decode,
)
from reconciler.errors import UsageError
from reconciler.model import Checked, Observed, OwnedJob, Phase, RunKey
from reconciler.model.completeness import Received
from reconciler.outputs.paths import ERRORS, OUTPUT, job_folder, safe_name
from reconciler.outputs.store import FolderStore, ResultStore
from reconciler.text.suggest import did_you_mean


def work_summaries(store: ResultStore) -> Iterator[WorkSummary]:
    """Yield the summary of every name, in order of their folders; unreadable ones are skipped.

    Raises `OSError` if the store cannot be listed.
    """
    for folder in store.names(""):
        if (summary := read_summary(store, folder, WorkSummary)) is not None:
            yield summary


def summary_of(store: ResultStore, name: str) -> WorkSummary:
    """Return the summary of a name's results. Raises `UsageError` if there are none."""
    found = {it.name: it for it in work_summaries(store)}
    if name not in found:
        hint = did_you_mean(name, found, "fetch them: reconciler outputs pull")
        raise UsageError(f"{store.where} has no results of {name}", hint=hint)
    return found[name]


def path_of(store: ResultStore, summary: WorkSummary) -> str:
    """Return the path of a name's joined results, as messages show it."""
    return store.path(f"{safe_name(summary.name)}/{summary.results.path}")


def results_file(store: ResultStore, summary: WorkSummary) -> Path:
    """Return a name's joined results as a file of this machine. Raises `OSError`."""
    doc = summary.results
    return store.fetch(f"{safe_name(summary.name)}/{doc.path}", doc.bytes)


def job_summaries(store: ResultStore) -> dict[str, ResultSummary]:
    """Return the summary of every job, by job id; unreadable ones are skipped.

    Raises `OSError` if the store cannot be listed.
    """
    found = (read_summary(store, folder, ResultSummary) for folder in sorted(store.jobs().values()))
    return {summary.job_id: summary for summary in found if summary}


def with_received(
    observed: Observed, folder: Path, wanted: Collection[RunKey], name_of: Callable[[OwnedJob], str]
) -> Observed:
    """Add to the succeeded jobs of wanted work what their results in a folder hold.

    `name_of` returns the name under which a job's results belong.
    """
    store = FolderStore(folder)
    return replace(
        observed,
        owned=tuple(
            _with_results(it, store, {name_of(it), it.tags.name})
            if it.phase is Phase.SUCCEEDED and it.tags.run_key in wanted
            else it
            for it in observed.owned
        ),
    )


def _with_results(owned: OwnedJob, store: FolderStore, names: Collection[str]) -> OwnedJob:
    """Return a job with what its results hold, unless they were not pulled, or a part of them was gone."""
    for name in names:
        summary = read_summary(store, job_folder(name, owned.job.id), ResultSummary)
        if summary is not None and any(file.path in (OUTPUT, ERRORS) for file in summary.files):
            if any(file.state == "gone" for file in summary.files):
                return owned
            ok, found = summary.requests.ok, summary.checks
            checked = Checked(
                answers=ok, invalid=found.invalid, truncated=found.truncated, words=check_words(found)
            )
            return replace(owned, received=Received(ok, summary.requests.failed), checked=checked)
    return owned


def read_summary(store: ResultStore, folder: str, kind: type[SummaryT]) -> SummaryT | None:
    """Return the summary in a folder; None if there is none that can be read."""
    try:
        return decode(store.read(f"{folder}/{NAME}"), kind)
    except OSError:
        return None
