"""Many applies around the borders of periods: each period gets one job, in any zone and across summer time."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Job, JobSpec, Observed, OwnedJob, Phase, Source, tags
from reconciler.planning.actions import Create
from reconciler.planning.planner import plan
from reconciler.settings import Limits
from reconciler.specs import period
from reconciler.specs.inputs.job_inputs import Inputs
from reconciler.specs.job import jobs_of_document
from reconciler.specs.yaml.reader import read
from reconciler.specs.yaml.source import SourceFile as Text
from tests.specs.make import project, spec
from tests.specs.test_families import ZONES

EXAMPLES = 40
APPLIES = 75
"""Of each example: 10,000 in all."""

LENGTH = {"day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400}


class CreatedJob:
    """The jobs that were created, each with the time at which it ends."""

    def __init__(self) -> None:
        self.jobs: list[tuple[JobSpec, int, float]] = []

    def apply(self, declared: JobSpec, now: float, lasts: float) -> None:
        observed = Observed(owned=tuple(self._seen(number, now) for number in range(len(self.jobs))))
        wanted = plan(Declared(specs=(declared,)), observed, Memory(), now=now)
        for create in wanted.of(Create):
            self.jobs.append((create.spec, int(now), now + lasts))

    def _seen(self, number: int, now: float) -> OwnedJob:
        created, created_at, ends = self.jobs[number]
        written = tags.tags_of(created, project="p", attempt=1, op=f"op{number:06}", source=Source())
        phase = Phase.SUCCEEDED if now >= ends else Phase.ACTIVE
        job = Job(
            id=f"{number:08}",
            phase=phase,
            status="",
            endpoint=created.endpoint,
            model=created.model,
            metadata=tags.write(written),
            created_at=created_at,
        )
        found = tags.read(job)
        assert isinstance(found, OwnedJob)
        return found


@pytest.mark.thorough
@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from(ZONES.split()),
    st.sampled_from(sorted(LENGTH)),
    st.integers(1_200_000_000, 1_900_000_000)
    | st.sampled_from([1_743_296_400, 1_761_440_400, 1_325_239_200]),
    st.sampled_from([0.0, 0.5, 1.7]),
    st.randoms(use_true_random=False),
)
def test_three_thousand_applies_around_borders_create_each_period_once(  # noqa: PLR0917 - hypothesis gives them
    tmp_path_factory: pytest.TempPathFactory,
    zone: str,
    every: str,
    around: int,
    lasts: float,
    chance: random.Random,
) -> None:
    root: Path = tmp_path_factory.mktemp("p")
    text = spec(rerun=f"{{every: {every}, zone: {zone}}}")
    place = project(root, {"a.yaml": text})
    (document,), _ = read(Text("specs/a.yaml", text), Limits())
    inputs, created, visited = Inputs(place), CreatedJob(), set()
    known = period.zone_of(zone)
    assert known is not None
    moments = sorted(around + chance.uniform(-2, 2) * LENGTH[every] for _ in range(APPLIES))
    for now in moments:
        (declared,) = jobs_of_document(document, inputs, Limits(), now=now).specs
        visited.add(period.name_of(dt.datetime.fromtimestamp(now, known).date(), every))
        created.apply(declared, now, lasts * LENGTH[every])
    reruns = [it.rerun for it, _, _ in created.jobs]
    assert len(reruns) == len(set(reruns)), "no period gets two jobs"
    assert set(reruns) <= visited
    if not lasts:
        assert set(reruns) == visited, "each period in which an apply ran gets a job"
