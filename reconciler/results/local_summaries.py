"""What was pulled into a folder before: the summaries of all jobs in it."""

from __future__ import annotations

from pathlib import Path

from reconciler.documents.result_summary import LARGEST, NAME, Summary, decode


def read_all(destination: Path) -> dict[str, Summary]:
    """Return every summary below a folder, by job id; what cannot be read or understood is left out.

    Of a job that is found twice, the first folder in order of name counts.
    """
    found: dict[str, Summary] = {}
    for path in sorted(destination.glob(f"*/*/*/{NAME}")):
        try:
            with path.open("rb") as file:
                summary = decode(file.read(LARGEST))
        except OSError:
            continue
        if summary is not None:
            found.setdefault(summary.job_id, summary)
    return found
