"""The output of `validate` and `jobs`: documents and their text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from reconciler.documents.reports import (
    ListedJob,
    ProblemDoc,
    ValidateDoc,
)
from reconciler.errors import Problem
from reconciler.model import Job, JobSpec, tags
from reconciler.render.problems import problems_text
from reconciler.render.tables import table_text
from reconciler.specs.load import Loaded
from reconciler.text.plural import age, pluralize
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339


def validation_doc(specs: Sequence[JobSpec], problems: Iterable[Problem]) -> ValidateDoc:
    """Return the result of a validation."""
    return ValidateDoc(
        specs=len(specs),
        requests=sum(spec.requests or 0 for spec in specs),
        problems=tuple(
            ProblemDoc(
                path=_encodable(it.path),
                line=it.line,
                column=it.column,
                message=_encodable(it.message),
                hint=_encodable(it.hint),
                warning=it.warning,
            )
            for it in problems
        ),
    )


def _encodable(text: str) -> str:
    """Escape what JSON cannot encode: file names may hold bytes that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def validation_text(loaded: Loaded, *, colour: bool) -> str:
    """Return the result of a validation as text."""
    warnings = f"{problems_text(loaded.warnings, colour=colour)}\n" if loaded.warnings else ""
    chosen = [spec for spec in loaded.specs if loaded.selected is None or spec.name in loaded.selected]
    requests = pluralize(sum(spec.requests or 0 for spec in chosen), "request")
    if loaded.selected is None:
        return f"{warnings}{pluralize(len(chosen), 'spec')} valid, {requests}\n"
    return (
        f"{warnings}{pluralize(len(chosen), 'spec')} selected, {requests}; all "
        f"{len(loaded.specs):,} specs are valid\n"
    )


def listed(job: Job) -> ListedJob:
    """Return the document of a job of the workspace."""
    name = job.metadata.get(tags.NAME)
    more = {
        "metadata": _strings(job.metadata),
        "project": tags.project_of(job),
        "name": name if isinstance(name, str) else None,
    }
    return msgspec.convert(msgspec.structs.asdict(job) | more, ListedJob)


def _strings(metadata: Mapping[str, object]) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in metadata.items()
    }


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
