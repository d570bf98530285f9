"""What `validate`, `status` and `jobs` write: values made of what was gathered, and their text."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from reconciler import tags
from reconciler.cli.say import say
from reconciler.document import CancelDoc, CreateDoc, DecisionDoc, HoldDoc, JobDoc, KeepDoc, PlanDoc
from reconciler.errors import Problem
from reconciler.model import Job, JobSpec
from reconciler.planfile import rfc3339
from reconciler.render import folded
from reconciler.render.clean import clean
from reconciler.render.markdown import escape
from reconciler.render.plan_words import reason_words
from reconciler.render.problems import problems_text
from reconciler.render.text import table_text
from reconciler.render.words import age, count
from reconciler.reports import (
    ListedJob,
    ProblemDoc,
    StatusDoc,
    StatusRow,
    ValidateDoc,
    pretty,
)
from reconciler.specs.load import Loaded


def validation_doc(specs: Sequence[JobSpec], problems: Iterable[Problem]) -> ValidateDoc:
    """Return what a check found."""
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
    """File names may hold bytes that are no UTF-8, and JSON takes none of them."""
    return text.encode(errors="backslashreplace").decode()


def validation_text(loaded: Loaded, *, colour: bool) -> str:
    """Return what a check found, for a reader."""
    told = f"{problems_text(loaded.warnings, colour=colour)}\n" if loaded.warnings else ""
    chosen = [spec for spec in loaded.specs if loaded.selected is None or spec.name in loaded.selected]
    requests = count(sum(spec.requests or 0 for spec in chosen), "request")
    if loaded.selected is None:
        return f"{told}{count(len(chosen), 'spec')} valid, {requests}\n"
    return f"{told}{count(len(chosen), 'spec')} selected, {requests}; all {len(loaded.specs):,} specs are valid\n"


def status_doc(plan: PlanDoc) -> StatusDoc:
    """Return every declared job of a plan as it stands."""
    return StatusDoc(
        project=plan.target.project,
        base_url=plan.target.base_url,
        sandbox=plan.target.sandbox,
        rows=tuple(_row(decision) for decision in plan.decisions if decision.declared_at),
    )


def _row(decision: DecisionDoc) -> StatusRow:
    """The wanted work comes first among a decision's actions: it is what the name stands for."""
    action = decision.actions[0]
    replaced = next((cancel.job for cancel in decision.of(CancelDoc)), None)
    job = replaced if isinstance(action, CreateDoc) else action.job
    detail = action.detail if isinstance(action, KeepDoc | HoldDoc) else ""
    if isinstance(action, CreateDoc):
        state = "to replace" if replaced else "to create"
    elif isinstance(action, HoldDoc):
        state = "on hold"
    else:
        state = job.status if job else "record gone"
    return StatusRow(
        name=decision.name,
        family=decision.family,
        state=state,
        reason=action.reason,
        job=job,
        attention=decision.attention,
        detail=detail,
    )


def write_status(report: StatusDoc, *, now: float, form: str, everything: bool = False) -> None:
    """Write a status to stdout; a family's jobs that are in one state are one line unless `everything` is asked for."""
    if form == "json":
        say(pretty(report))
        return
    head = ("NAME", "STATE", "JOB", "ANSWERED", "FAILED", "AGE", "WHY")
    rows = [_cells(row, now) for row in report.rows] if everything else list(_folded(report.rows, now))
    if form == "markdown":
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows]
        say("\n".join(lines) + "\n")
    elif rows:
        say(table_text(head, rows))
    else:
        say("nothing is declared\n")


def _folded(rows: Sequence[StatusRow], now: float) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row, and of a family's rows that are in one state together, where the first stood."""
    totals = Counter(row.family for row in rows)
    groups: dict[Hashable, list[StatusRow]] = defaultdict(list)
    for row in rows:
        alike = (row.family, row.state, row.reason, row.attention, row.detail if row.attention else "")
        groups[alike if row.family else row.name].append(row)
    for group in groups.values():
        if len(group) < folded.FROM:
            yield from (_cells(row, now) for row in group)
            continue
        first = group[0]
        jobs = [row.job for row in group if row.job]
        total = sum(max(job.total_requests, job.completed_requests) for job in jobs)
        answered = f"{sum(job.completed_requests for job in jobs):,} of {total:,}" if total else "-"
        failed = f"{sum(job.failed_requests for job in jobs):,}" if jobs else "-"
        ages = (age(now - min(job.created_at for job in jobs)) if jobs else "-",)
        name = folded.called(first.family, len(group), totals[first.family])
        _, state, *_, why = _cells(first, now)
        yield (name, state, f"{len(jobs):,} jobs" if jobs else "-", answered, failed, *ages, why)


def _cells(row: StatusRow, now: float) -> tuple[str, ...]:
    sign = "! " if row.attention else ""
    why = ": ".join(filter(None, [reason_words(row.reason), row.detail]))
    return (row.name, sign + row.state, *_job_cells(row.job, now), why)


def _job_cells(job: JobDoc | None, now: float) -> tuple[str, ...]:
    if job is None:
        return ("-", "-", "-", "-")
    total = max(job.total_requests, job.completed_requests)
    answered = f"{job.completed_requests:,} of {total:,}" if total else "?"
    return (job.id[:8], answered, f"{job.failed_requests:,}", age(now - job.created_at))


def listed(job: Job) -> ListedJob:
    """Return a job of the workspace for a machine."""
    name = job.metadata.get(tags.NAME)
    return ListedJob(
        id=job.id,
        status=job.status,
        endpoint=job.endpoint,
        model=job.model,
        agent_id=job.agent_id,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        total_requests=job.total_requests,
        completed_requests=job.completed_requests,
        succeeded_requests=job.succeeded_requests,
        failed_requests=job.failed_requests,
        input_files=job.input_files,
        output_file=job.output_file,
        error_file=job.error_file,
        errors=job.errors,
        metadata=_strings(job.metadata),
        project=tags.project_of(job),
        name=name if isinstance(name, str) else None,
    )


def _strings(metadata: Mapping[str, object]) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in metadata.items()
    }


def jobs_text(jobs: Sequence[ListedJob], *, now: float, owners: bool) -> str:
    """Return jobs as a table, with their owners where several projects are shown."""
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
    """Return all that is known of one job, a line a fact."""
    import msgspec

    facts = msgspec.structs.asdict(job)
    metadata = facts.pop("metadata")
    lines = [f"{key:<20} {_fact(key, value)}" for key, value in facts.items() if value not in (None, (), "")]
    lines += [f"{key:<20} {value}" for key, value in sorted(metadata.items())]
    return "".join(f"{clean(line)}\n" for line in lines)


def _fact(key: str, value: object) -> str:
    if key.endswith("_at") and isinstance(value, int):
        return rfc3339(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
