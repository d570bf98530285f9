"""Group what is declared, listed and remembered by spec name: one `Case` for each name.

A job belongs to the spec that wants its run key, whatever the job's tags call it, and otherwise to the name in its
tags. So neither a rename nor a swap of two names submits anything or cancels what another spec still wants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, JobSpec, Observed, Ours, RunKey, Unreadable
from reconciler.planning.adoption import adoptions
from reconciler.planning.case import Case


def cases(declared: Declared, observed: Observed, memory: Memory, *, now: float) -> Iterator[Case]:
    """Group jobs by spec name and yield one case per name, sorted by name."""
    specs = {spec.name: spec for spec in declared.specs}
    wanted = {key: spec.name for spec in declared.specs for key in spec.run_keys}
    adopted = adoptions(specs, observed)
    problems = {wanted[it.run_key]: it.problem for it in adopted if it.problem and it.run_key in wanted}
    jobs: dict[str, list[Ours]] = defaultdict(list)
    moved: dict[str, list[tuple[Ours, str]]] = defaultdict(list)
    by_work: dict[str, Ours] = {}
    for ours in sorted(
        (*observed.ours, *(it.ours for it in adopted if it.ours)), key=lambda ours: ours.job.age_key
    ):
        name = wanted.get(ours.tags.run_key, ours.tags.name)
        jobs[name].append(ours)
        if not ours.adopted:
            by_work[ours.tags.run_key.work] = ours
        if name != ours.tags.name:
            moved[ours.tags.name].append((ours, name))
    unreadable = _unreadable(observed, wanted)
    seen_ops = frozenset(ours.tags.op for ours in observed.ours)
    replaced = frozenset[str]().union(*(ours.tags.over for ours in observed.ours))
    for name in sorted(specs.keys() | jobs.keys() | moved.keys() | unreadable.keys()):
        spec = specs.get(name)
        yield Case(
            name=name,
            spec=spec,
            jobs=tuple(jobs.get(name, ())),
            unreadable=tuple(unreadable.get(name, ())),
            not_adopted=problems.get(name, ""),
            moved=tuple(moved.get(name, ())),
            same_work_as=_same_work(spec, by_work) if spec else None,
            memory=memory,
            gone=observed.gone,
            lineage=declared.lineage,
            newer=declared.newer,
            uncommitted=declared.uncommitted,
            seen_ops=seen_ops,
            replaced=replaced,
            now=now,
            run_keys=frozenset(spec.run_keys) if spec else frozenset(),
        )


def _same_work(spec: JobSpec, by_work: Mapping[str, Ours]) -> Ours | None:
    found = (by_work.get(key.work) for key in spec.run_keys)
    return next((ours for ours in found if ours and ours.tags.run_key not in spec.run_keys), None)


def _unreadable(observed: Observed, wanted: Mapping[RunKey, str]) -> dict[str, list[Unreadable]]:
    """File each job under every name it could belong to; under its id where no name can be read.

    A damaged `rerun` must not hide whose work it is, so the work alone decides.
    """
    found: dict[str, list[Unreadable]] = defaultdict(list)
    for job in sorted(observed.unreadable, key=lambda unreadable: unreadable.job.age_key):
        work = job.run_key.work if job.run_key else None
        names = {job.name, *(name for key, name in wanted.items() if key.work == work)} - {None}
        for name in names or {f"job-{job.job.id}"}:
            found[str(name)].append(job)
    return found
