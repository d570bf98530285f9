"""Read the summaries of all jobs that were pulled into a folder."""

from __future__ import annotations

from pathlib import Path

from reconciler import file_access
from reconciler.documents.result_summary import MAX_SUMMARY_BYTES, NAME, ResultSummary, decode


def read_summaries(destination: Path) -> dict[str, ResultSummary]:
    """Return every summary below a folder, by job id; unreadable ones are skipped.

    If two folders have the same job, the first in order of name counts.
    """
    found: dict[str, ResultSummary] = {}
    for path in sorted(destination.glob(f"*/*/*/{NAME}")):
        try:
            with file_access.open_to_read(file_access.unlinked(path)) as file:
                summary = decode(file.read(MAX_SUMMARY_BYTES))
        except OSError:
            continue
        if summary is not None:
            found.setdefault(summary.job_id, summary)
    return found
