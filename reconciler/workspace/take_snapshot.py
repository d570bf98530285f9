"""Make a snapshot: choose the jobs and the ledger's lines that may decide something in a plan. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import structs

import reconciler
from reconciler.api import wire
from reconciler.api.values import OddRow
from reconciler.errors import ReconcilerError
from reconciler.ledger import line_format
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import (
    CreateConfirmed,
    CreateIntended,
    CreateRefused,
    CreateUnknown,
    Ended,
    FileDelete,
    Line,
    NotificationLine,
)
from reconciler.model import TAG_PREFIX, Job, JobSpec, OwnedJob, Phase, RunKey, Target, tags
from reconciler.model.source_tag import MAX_VALUE
from reconciler.planning import adoption
from reconciler.text.plural import DAY
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339
from reconciler.workspace import observe
from reconciler.workspace.snapshot import FORMAT_VERSION, OtherProject, SnapshotDoc, fingerprint

MAX_ERROR: Final = 500
"""Maximum characters of each error of a job."""


def make(
    jobs: Sequence[Job],
    ledger: Sequence[Line],
    *,
    target: Target,
    now: float,
    specs: Sequence[JobSpec] = (),
    complete: bool = False,
    odd: Sequence[OddRow] = (),
) -> SnapshotDoc:
    """Make a snapshot of a whole list and a ledger; of foreign jobs, only those that specs adopt. Pure.

    Without `complete`, more may be declared than `specs`: then every job of the project is in it. Raises
    `ReconcilerError` if a job that may be ours cannot be read, so a plan from the snapshot could submit its work again.
    """
    adopted = adoption.adopted_ids(specs)
    memory = remember(ledger, settle_seconds=0)
    wanted = observe.Watched(project=target.project, wanted=frozenset(), adopted=adopted)
    known_jobs = observe.by_memory(memory, [row.job for row in odd])
    for lost in observe.sort_out((), wanted, known=known_jobs, odd=odd).unreadable:
        raise ReconcilerError(
            f"no snapshot was saved: job {lost.job.id} may be of this project, and {lost.problem}",
            hint="run `reconciler plan` without a snapshot: that plan holds what the job may be",
        )
    known = memory.jobs.keys() | observe.by_memory(memory, jobs).keys()
    ours = known | {job.id for job in jobs if tags.project_of(job) == target.project}
    own_jobs = [job for job in jobs if job.id in ours or job.id in adopted]
    read = (tags.read(job) for job in own_jobs)
    owned = [it for it in read if isinstance(it, OwnedJob) and it.tags.project == target.project]
    explained = _explained(owned, ledger, before=now - DAY)
    for job_id in sorted(explained & memory.jobs.keys())[:1]:  # it shows that this is the ledger's workspace
        explained.remove(job_id)
    past = _past(owned, explained - adopted, specs, before=now - DAY) if complete else {}
    own_jobs = [job for job in own_jobs if job.id not in past]
    watched = observe.Watched(project=target.project, wanted=frozenset())
    kept = {job.id for job in own_jobs}
    others = [job for job in jobs if job.id not in kept]
    return SnapshotDoc(
        format_version=FORMAT_VERSION,
        tool_version=reconciler.__version__,
        created_at=rfc3339(now),
        target=target,
        jobs=tuple(_written(job, adopted) for job in own_jobs),
        other_jobs=len(others) + len(odd),
        other_pending=observe.sort_out(others, watched, odd=odd).pending.others,
        other_projects=tuple(_of_others(job for job in jobs if job.id not in ours)),
        ledger=tuple(map(line_format.encode, _deciding(ledger, explained, past.values()))),
    )


def _explained(owned: Iterable[OwnedJob], ledger: Iterable[Line], *, before: float) -> set[str]:
    """Return the jobs that have succeeded, about which the ledger says nothing else and nothing since `before`."""
    recorded: dict[str, set[RunKey | None]] = defaultdict(set)
    for line in ledger:
        if isinstance(line, CreateConfirmed | Ended):
            recorded[line.job_id].add(RunKey(line.work, line.rerun) if line.at < before else None)
    done = ((it.job.id, {it.tags.run_key}) for it in owned if it.phase is Phase.SUCCEEDED)
    return {job_id for job_id, key in done if recorded.get(job_id, key) == key}


def _past(
    owned: Iterable[OwnedJob], explained: Collection[str], specs: Iterable[JobSpec], *, before: float
) -> dict[str, str]:
    """Return the jobs that decide nothing, each with the op of its create.

    They are explained, from before a time (Unix seconds), and share neither name nor work with a spec or another job.
    If one is declared again, a plan from the snapshot creates it, and its apply finds that it was submitted.
    """
    done = {it.job.id: it.tags for it in owned if it.job.id in explained and it.job.created_at < before}
    rest = {it.job.id: it.tags for it in owned if it.job.id not in done}
    names = {it.name for it in rest.values()}.union(it.name for it in specs)
    works = {it.run_key.work for it in rest.values()}.union(key.work for it in specs for key in it.run_keys)
    return {
        job_id: it.op
        for job_id, it in done.items()
        if it.name not in names and it.run_key.work not in works and it.over.isdisjoint(rest)
    }


def _of_others(jobs: Iterable[Job]) -> Iterator[OtherProject]:
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for job in jobs:
        read = tags.read(job) if tags.project_of(job) else None
        if isinstance(read, OwnedJob):
            holds = job.phase in (Phase.ACTIVE, Phase.SUCCEEDED, Phase.UNKNOWN)
            found[clean(read.tags.project)][not holds].add(fingerprint(read.tags.run_key))
    for project, (holding, ended) in sorted(found.items()):
        rest = ended - holding
        yield OtherProject(project=project, holding=tuple(sorted(holding)), ended=tuple(sorted(rest)))


def _deciding(ledger: Sequence[Line], explained: Collection[str], past_ops: Iterable[str]) -> Iterator[Line]:
    """Yield the lines that may decide something.

    The list shows the explained jobs, so lines about them add nothing. A create whose outcome is known, notifications
    and deleted files decide nothing.
    """
    settled = {line.op for line in ledger if isinstance(line, CreateConfirmed | CreateRefused)}
    settled.update(past_ops)
    for line in ledger:
        match line:
            case CreateIntended() | CreateUnknown() | CreateRefused():
                decides = line.op not in settled
            case CreateConfirmed() | Ended():
                decides = line.job_id not in explained
            case _:
                decides = not isinstance(line, NotificationLine | FileDelete)
        if decides:
            yield line


def _written(job: Job, adopted: Collection[str]) -> wire.BatchJob:
    errors = [{"message": error[:MAX_ERROR]} for error in job.errors]
    if job.id not in adopted:  # whose inputs are compared with the spec's
        job = structs.replace(job, input_files=())
    return msgspec.convert(
        structs.asdict(structs.replace(job, error_file=None))
        | {"metadata": _tags(job.metadata), "errors": errors},
        wire.BatchJob,
    )


def _tags(metadata: Mapping[str, object]) -> dict[str, str]:
    """Return our tags, of the source only commit and folder.

    A tag that cleaning would alter is marked, so that it stays unreadable.
    """
    found = {key: str(value) for key, value in metadata.items() if key.startswith(TAG_PREFIX)}
    texts = {key: value if clean(value) == value else f"\ufffd{clean(value)}" for key, value in found.items()}
    shown = {clean(key): value[:MAX_VALUE] for key, value in texts.items()}
    words = shown.pop(tags.SOURCE, "").split(" ")
    place = " ".join(word for word in words if word.startswith(("commit=", "root=")))
    return shown | ({tags.SOURCE: place} if place else {})
