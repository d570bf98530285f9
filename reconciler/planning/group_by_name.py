"""Groups declared specs, listed jobs and remembered jobs by spec name: one `Case` for each name.

A job belongs to the spec that wants its run key, whatever name is in the job's tags, and otherwise to the name in its
tags. So neither a rename nor a swap of two names submits anything or cancels a job that another spec still wants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, JobSpec, Observed, OwnedJob, RunKey, Unreadable
from reconciler.planning import sharing
from reconciler.planning.adoption import adoptions
from reconciler.planning.case import Case
from reconciler.planning.work import Work

NO_WORKS: Final[Mapping[str, Work]] = {}


def group_by_name(
    declared: Declared,
    observed: Observed,
    memory: Memory,
    *,
    works: Mapping[str, Work] = NO_WORKS,
    now: float,
) -> Iterator[Case]:
    """Group jobs by spec name and yield one case per name, sorted by name."""
    specs = {spec.name: spec for spec in declared.specs}
    adopted = adoptions(specs, observed)
    found = (*observed.owned, *(it.owned for it in adopted if it.owned))
    owned_jobs = sorted(found, key=lambda owned: owned.job.age_key)
    wanted = sharing.owners(declared.specs, owned_jobs)
    problems = {it.run_key: it.problem for it in adopted if it.problem}
    by_key: dict[RunKey, list[OwnedJob]] = defaultdict(list)
    jobs: dict[str, list[OwnedJob]] = defaultdict(list)
    moved: dict[str, list[tuple[OwnedJob, str]]] = defaultdict(list)
    by_work: dict[str, OwnedJob] = {}
    for owned in owned_jobs:
        by_key[owned.tags.run_key].append(owned)
        name = wanted.get(owned.tags.run_key, owned.tags.name)
        jobs[name].append(owned)
        if not owned.adopted:
            by_work[owned.tags.run_key.work] = owned
        if name != owned.tags.name:
            moved[owned.tags.name].append((owned, name))
    unreadable = _unreadable(observed, declared.specs)
    of_any_name = next((it for it in observed.unreadable if it.of_any_name), None)
    seen_ops = frozenset(owned.tags.op for owned in observed.owned)
    replaced = frozenset[str]().union(*(owned.tags.over for owned in observed.owned))
    for name in sorted(specs.keys() | jobs.keys() | moved.keys() | unreadable.keys()):
        spec = specs.get(name)
        owner = "" if spec is None or spec.suspend or wanted[spec.run_key] == name else wanted[spec.run_key]
        own = jobs.get(name, [])
        lent = [it for it, _ in moved.get(name, ())]
        lending = tuple(_lending(spec, specs, by_key)) if spec else ()
        for other in lending:
            lent += [*jobs.get(other, ()), *(it for it, _ in moved.get(other, ()))]
        own_ids = {it.job.id for it in own} if lent else ()
        if spec and owner:
            shared = [it for key in spec.run_keys for it in by_key.get(key, ())]
            own = sorted((*shared, *own), key=lambda owned: owned.job.age_key)
        yield Case(
            name=name,
            spec=spec,
            jobs=tuple(own),
            owner=owner,
            unreadable=tuple(unreadable.get(name, ())),
            of_any_name=of_any_name,
            not_adopted=next((problems[key] for key in spec.run_keys if key in problems), "") if spec else "",
            moved=tuple(moved.get(name, ())),
            lending=lending,
            lenders=tuple({it.job.id: it for it in lent if it.job.id not in own_ids}.values()),
            same_work_as=_same_work(spec, by_work) if spec else None,
            memory=memory,
            missing_ids=observed.missing_ids,
            declared=declared,
            seen_ops=seen_ops,
            replaced=replaced,
            work=works.get(name),
            now=now,
        )


def _lending(
    spec: JobSpec, specs: Collection[str], by_key: Mapping[RunKey, Sequence[OwnedJob]]
) -> Iterable[str]:
    """Return the other names whose jobs may answer for a spec.

    It lists them, or did when a job of its work was created. A name under which its work reused answers, or that no
    spec has any more, was that of the spec itself.
    """
    of_work = [it.tags for key in spec.run_keys for it in by_key.get(key, ())]
    before = (it.name for it in of_work if it.reused or it.name not in specs)
    names = chain(spec.reused_names, before, *(it.lenders for it in of_work))
    return dict.fromkeys(name for name in names if name != spec.name)


def _same_work(spec: JobSpec, by_work: Mapping[str, OwnedJob]) -> OwnedJob | None:
    for key in spec.run_keys:
        owned = by_work.get(key.work)
        if owned and owned.tags.run_key not in spec.run_keys:
            return owned
    return None


def _unreadable(observed: Observed, specs: Sequence[JobSpec]) -> dict[str, list[Unreadable]]:
    """Group jobs under every name that they could belong to; under their id if no name can be read.

    A damaged `rerun` must not hide whose work it is, so the work alone decides.
    """
    wanting: dict[str, set[str]] = defaultdict(set)
    for spec in specs if observed.unreadable else ():
        for key in spec.run_keys:
            wanting[key.work].add(spec.name)
    found: dict[str, list[Unreadable]] = defaultdict(list)
    for job in sorted(observed.unreadable, key=lambda unreadable: unreadable.job.age_key):
        names = {job.name, *(wanting[job.run_key.work] if job.run_key else ())} - {None}
        for name in names or {f"job-{job.job.id}"}:
            found[str(name)].append(job)
    return found
