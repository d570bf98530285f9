"""The jobs of a workspace, as documents and as text."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from reconciler.documents.reports import ListedJob
from reconciler.model import Job, tags
from reconciler.render.tables import table_text
from reconciler.text.plural import age
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339


def listed(job: Job) -> ListedJob:
    """Return the document of a job of the workspace."""
    name = job.metadata.get(tags.NAME)
    more = {
        "metadata": {
            key: value if isinstance(value, str) else json.dumps(value, default=str)
            for key, value in job.metadata.items()
        },
        "project": tags.project_of(job),
        "name": name if isinstance(name, str) else None,
    }
    return msgspec.convert(msgspec.structs.asdict(job) | more, ListedJob)


def jobs_text(jobs: Sequence[ListedJob], *, now: float, owners: bool) -> str:
    """Return jobs as a table; `owners` adds the project of each."""
    head = ("JOB", *(("PROJECT",) if owners else ()), "NAME", "STATUS", "ANSWERED", "FAILED", "AGE", "MODEL")
    rows = [
        (
            job.id,
            *((job.project or "-",) if owners else ()),
            job.name or "-",
            job.status,
            f"{job.completed_requests:,} of {job.total_requests:,}" if job.total_requests else "?",
            f"{job.failed_requests:,}",
            age(now - job.created_at),
            job.model or job.agent_id or "-",
        )
        for job in jobs
    ]
    return table_text(head, rows)


def job_text(job: ListedJob) -> str:
    """Return everything that is known about one job, one fact per line."""
    facts = msgspec.structs.asdict(job)
    metadata = facts.pop("metadata")
    lines = [f"{key:<20} {_fact(key, value)}" for key, value in facts.items() if value not in (None, (), "")]
    lines += [f"{key:<20} {value}" for key, value in sorted(metadata.items())]
    return "".join(f"{clean(line)}\n" for line in lines)


def _fact(key: str, value: object) -> str:
    if key.endswith("_at") and isinstance(value, int):
        return rfc3339(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
