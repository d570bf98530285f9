"""The promise about the end of a schedule: complete work can be put together from results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.simulation.requests.api import NEVER
from tests.simulation.requests.promises import is_of_work, lends
from tests.simulation.requests.specs import Commit, Spec

if TYPE_CHECKING:
    from tests.simulation.requests.world import Run, World


def complete_stays_complete(world: World, specs: Commit, pull: Run) -> Iterator[str]:
    """The results of a complete work have every wanted request once, with an answer that a job gave to it.

    Of several specs with the same work one has the results.
    """
    by_work: dict[object, list[list[str]]] = defaultdict(list)
    for spec in specs:
        by_work[spec.work].append([f"{spec.name}: {it}" for it in _wrong(world, spec, specs, pull)])
    for several in by_work.values():
        yield from min(several, key=len)


def _wrong(world: World, spec: Spec, specs: Commit, pull: Run) -> Iterator[str]:
    if pull.ended != "done":
        yield f"the pull ended so: {pull.ended}"
    place = pull.runner.place
    jobs = list(world.api.jobs.values())
    gone = any(file.gone_from < NEVER for job in jobs for file in job.files.values())
    if gone or place.emptied or any(job.deleted_at < NEVER for job in jobs):
        return  # then some answers are nowhere any more, or in another place
    file = place.folder / spec.name / "results.jsonl"
    if not file.exists():
        yield "there are no results"
        return
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    wanted = {it.custom_id: it for it in spec.questions}
    if sorted(it["custom_id"] for it in rows) != sorted(wanted):
        yield f"results have {[it['custom_id'] for it in rows]} of {sorted(wanted)}"
        return
    begun = any(is_of_work(spec, job) and "reused" in job.tags for job in jobs)  # under whatever name
    for row in rows:
        asked = wanted[row["custom_id"]]
        gave = [job for job in jobs if lends(spec, job, specs) and asked in job.given()]
        may = [job for job in jobs if begun and job.recipe == spec.recipe and asked in job.given()]
        if row["ok"] and row["job"] not in {job.id for job in (*gave, *may)}:
            yield f"{asked.custom_id} has the answer of {row['job'][:8]}, which gave none to it"
        if not row["ok"] and spec.reuse and any(place.holds(job) and place.knows(job) for job in gave):
            yield f"{asked.custom_id} has no answer in the results, and {gave[0].id[:8]} gave one"
    failed = [it["custom_id"] for it in rows if not it["ok"]]
    known = all(map(place.knows, jobs))
    if spec.reuse and known and len(failed) > spec.failed * len(rows):
        yield f"{', '.join(failed)} have no answer"
