"""One spec's timeline as cells: one row for each entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.history.timeline import EntryDoc
from reconciler.text.timestamps import rfc3339

STORY_HEAD: Final = ("AT", "WHAT", "JOB", "DETAIL", "COMMIT", "WHO", "KNOWN BY", "RUN URL")


def story_rows(entries: Iterable[EntryDoc], *, whole: bool) -> list[tuple[str, ...]]:
    """Return the cells of every entry.

    Args:
        entries: the entries, in order.
        whole: whether to write whole ids, and "" instead of "-" for an empty cell.
    """
    none = "" if whole else "-"
    return [
        (
            rfc3339(it.at),
            it.what.replace("_", " "),
            (it.job_id if whole else it.job_id[:8]) if it.job_id else none,
            it.detail or none,
            (it.commit if whole else it.commit[:7]) if it.commit else none,
            it.actor or none,
            it.source,
            it.run_url or none,
        )
        for it in entries
    ]
