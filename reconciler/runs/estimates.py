"""Add to the creates of a plan what they may cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import asdict, replace

from reconciler.catalogue import models
from reconciler.catalogue.workload import Load
from reconciler.context import ApiT, RunContext
from reconciler.cost.estimate import estimate
from reconciler.documents.result_summary import NAME, ResultSummary, decode, usage
from reconciler.ledger.memory import Memory
from reconciler.model import InlineRequests, Input, InputFile, JobSpec, Observed, OwnedJob, UploadedFile
from reconciler.model.money import Estimate, Usage, Workload
from reconciler.outputs.paths import job_folder
from reconciler.outputs.place import local_folder
from reconciler.outputs.store import FolderStore
from reconciler.planning.actions import Create, Plan
from reconciler.runs.results import READ, read_results
from reconciler.text.timestamps import rfc3339

ENOUGH: Final = 1_000
"""Answers of the newest jobs that an estimate rests on: prompts change, so older ones say less."""
MAX_READ: Final = 3
"""Summaries of jobs that are read for one name, if the ledger does not know what they used."""
DATE: Final = len("YYYY-MM-DD")
_MAXIMA: Final = frozenset({"longest", "largest_output", "largest_n"})
"""The fields of a workload that are not sums."""


def with_estimates(
    run: RunContext[ApiT], plan: Plan, observed: Observed, memory: Memory, *, read: bool
) -> Plan:
    """Return a plan with an estimate of each create.

    If `read`, the results of canaries are read from the API if nothing else says what they used. Raises what reading
    the prices raises.
    """
    creates = plan.of(Create)
    earlier = _Earlier(run, observed, memory)
    if read and (unknown := [job for it in creates if it.spec.canary for job in earlier.unknown(it.spec)]):
        specs = [it.spec for it in creates]
        read_results(run, FolderStore(run.folder / READ), unknown, specs, observed.owned)
        earlier = _Earlier(run, observed, memory)

    def estimated(create: Create) -> Create:
        return replace(create, estimate=_estimate(run, create, earlier))

    return replace(
        plan,
        decisions=tuple(
            replace(it, actions=tuple(estimated(a) if isinstance(a, Create) else a for a in it.actions))
            if it.of(Create)
            else it
            for it in plan.decisions
        ),
    )


def _estimate(run: RunContext[ApiT], create: Create, earlier: _Earlier) -> Estimate:
    spec, prices = create.spec, run.prices
    unknown = Estimate(currency=prices.currency)
    if spec.model is None:
        return replace(unknown, gaps=("the model of an agent is not known, and so is its price",))
    price = prices.of(spec.model, rfc3339(run.env.now())[:DATE])
    if price is None:
        return replace(unknown, gaps=(f"the price of {spec.model} is not known: add it to prices.yaml",))
    loads = [*map(_workload, spec.inputs)]
    if None in loads or create.requests is None:
        return replace(unknown, prices=price.date, gaps=(_unread(spec.inputs),))
    model = models.by_name().get(prices.resolve(spec.model, rfc3339(run.env.now())[:DATE]))
    return estimate(
        _together([it for it in loads if it]),
        earlier.of(spec),
        price,
        requests=create.requests,
        in_all=create.in_all or create.requests,
        endpoint=spec.endpoint,
        context=model.context if model else None,
    )


def _workload(part: Input) -> Workload | None:
    """Return what the requests of an input may use; None if they were not read."""
    if isinstance(part, InputFile):
        return part.workload
    if not isinstance(part, InlineRequests):
        return None
    lines = part.lines.splitlines()
    load = Load()
    load.add([msgspec.json.decode(line)["body"] for line in lines])
    return load.workload(
        requests=len(lines), size=sum(map(len, lines)), longest=max(map(len, lines), default=0)
    )


def _together(loads: Sequence[Workload]) -> Workload:
    values = {name: [getattr(it, name) for it in loads] for name in Workload.__struct_fields__}
    return Workload(**{name: (max if name in _MAXIMA else sum)(found) for name, found in values.items()})


def _unread(inputs: Sequence[Input]) -> str:
    if any(isinstance(part, UploadedFile) for part in inputs):
        return "an input is an uploaded file, which was not read: name a file of this checkout to estimate its cost"
    return "an input was not read: its content is not on this machine"


class _Earlier:
    """What earlier jobs of a name and recipe used: by the ledger, otherwise by results on this machine."""

    def __init__(self, run: RunContext[ApiT], observed: Observed, memory: Memory) -> None:
        self._memory = memory
        self._owned: Mapping[str, list[OwnedJob]] = defaultdict(list)
        for it in observed.owned:
            self._owned[it.tags.name].append(it)
        self._seen: Mapping[tuple[str, str], list[tuple[float, Usage]]] = defaultdict(list)
        for line in memory.usage.values():
            self._seen[line.name, line.recipe].append((line.at, line.usage))
        folder = local_folder(run.project, run.env.environ)
        self._stores = [FolderStore(it) for it in (run.folder / READ, folder) if it and it.is_dir()]

    def of(self, spec: JobSpec) -> Usage:
        """Return the sum of what the newest jobs used."""
        found = [it for name in (spec.name, *spec.reused_names) for it in self._of(name, spec.recipe)]
        sums = asdict(Usage())
        for _, used in sorted(found, key=lambda it: it[0], reverse=True):
            for name in sums:
                sums[name] += getattr(used, name)
            if sums["answers"] >= ENOUGH:
                break
        return Usage(**sums)

    def unknown(self, spec: JobSpec) -> Sequence[OwnedJob]:
        """Return the newest jobs with answers of which nothing says what they used; none if others say enough."""
        jobs = self._without_usage(spec.name, spec.recipe)
        return [] if self.of(spec).answers else [it for it in jobs if it.job.has_answers]

    def _of(self, name: str, recipe: str) -> Iterator[tuple[float, Usage]]:
        yield from (it for it in self._seen.get((name, recipe), ()) if it[1].answers)
        for it in self._without_usage(name, recipe):
            summaries = (_summary(store, f"{job_folder(name, it.job.id)}/{NAME}") for store in self._stores)
            for summary in filter(None, summaries):
                yield it.job.created_at, usage(summary, it.job.succeeded_requests)
                break

    def _without_usage(self, name: str, recipe: str) -> Sequence[OwnedJob]:
        known = self._memory.usage
        jobs = [it for it in self._owned.get(name, ()) if it.tags.recipe == recipe and it.phase.ended]
        newest = sorted(jobs, key=lambda it: it.job.age_key, reverse=True)[:MAX_READ]
        return [it for it in newest if it.job.id not in known]


def _summary(store: FolderStore, path: str) -> ResultSummary | None:
    try:
        return decode(store.read(path), ResultSummary)
    except OSError:
        return None
