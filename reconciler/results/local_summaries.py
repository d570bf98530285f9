"""Read the summaries of all jobs that were pulled into a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler import file_access
from reconciler.documents.result_summary import MAX_SUMMARY_BYTES, NAME, ResultSummary, decode


def summaries_below(destination: Path) -> Iterator[tuple[Path, ResultSummary]]:
    """Yield the folder and the summary of every job below a folder, in order of name; unreadable ones are skipped."""
    for path in sorted(destination.glob(f"*/*/*/{NAME}")):
        try:
            with file_access.open_to_read(file_access.unlinked(path)) as file:
                summary = decode(file.read(MAX_SUMMARY_BYTES))
        except OSError:
            continue
        if summary is not None:
            yield path.parent, summary


def read_summaries(destination: Path) -> dict[str, ResultSummary]:
    """Return every summary below a folder, by job id; unreadable ones are skipped.

    If two folders have the same job, the first in order of name counts.
    """
    found: dict[str, ResultSummary] = {}
    for _, summary in summaries_below(destination):
        found.setdefault(summary.job_id, summary)
    return found
