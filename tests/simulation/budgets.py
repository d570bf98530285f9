"""Schedules in which up to eight runners with a shared ledger apply under a budget of costs.

Each runner applies all names or one of them, so that they race for what is left of the budget. The oracle is the truth
of the server: for every create that it accepts, the sum of what the jobs of the last 24 hours can cost. A job can cost
what its tags say; once a line of the ledger has its usage, it costs what the server says that it used.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from msgspec import structs

from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import UsageSeen
from reconciler.model import InlineRequests, JobSpec, Position, digests
from reconciler.model.money import Usage
from reconciler.planning.actions import Hold, Reason
from reconciler.settings import Guards, Limits
from tests.simulation.accepted import Accepted
from tests.simulation.git import Commit, Git
from tests.simulation.history import PROJECT, CreatedJob, History, RunRecord
from tests.simulation.machines import Luck, Runner
from tests.simulation.play import Story
from tests.simulation.process import START
from tests.simulation.schedule import LAG, LATE, SETTLE, TIMEOUT, Schedule
from tests.simulation.server import LIVE, Server
from tests.simulation.setups import Setup
from tests.simulation.stage import Stage
from tests.simulation.tool import GENEROUS
from tests.simulation.wire import Delays
from tests.simulation.workspace import Climate

DAY: Final = 86_400.0
HOUR: Final = 3600.0
NAMES: Final = tuple(f"job-{number}" for number in range(8))
MODEL: Final = "mistral-small-2603"
OUTPUT_PRICE: Final = Decimal("0.3")
"""Micros for one token out of `MODEL` in a batch."""
MAX_TOKENS: Final = 1000


@dataclass(frozen=True, kw_only=True)
class BudgetSchedule(Schedule):
    """A schedule with a budget."""

    jobs: float
    """How many of the smallest jobs the budget of a day has room for."""
    pulls: float
    """Share of ended jobs whose usage is recorded before the next epoch."""


def of(seed: int) -> BudgetSchedule:
    """Return the schedule of a seed."""
    dice = random.Random(f"budget {seed}")
    lasting, runners = dice.random() < 0.7, dice.choice((2, 3, 5, 8))
    return BudgetSchedule(
        seed=seed,
        setup=Setup(
            name=f"{runners} with a shared ref",
            runners=runners,
            ledger="ref" if lasting else "ref, fresh clones",
        ),
        in_git=True,
        epochs=dice.choice((1, 2, 3)),
        limits=Limits(
            timeout_seconds=TIMEOUT,
            settle_seconds=SETTLE,
            late_seconds=0.0,
            deadline_seconds=dice.choice((60.0, 200.0, 900.0)),
            in_flight=dice.choice((1, 2, 8)),
            reads_in_flight=dice.choice((1, 4)),
        ),
        delays=Delays(timeout=TIMEOUT, late=LATE, slow=dice.choice((0.0, 0.3, 1.0))),
        climate=Climate(
            lag=LAG,
            lagging=dice.choice((0.0, 0.3, 1.0)),
            page_cap=dice.choice((0, 0, 0, 2)),
            unlucky=dice.choice((0.0, 0.2)),
        ),
        speed=dice.choice((0.002, 0.02, 0.1)),
        faults=dice.choice((0.0, 0.0, 0.04, 0.12, 0.25)),
        kills=dice.choice((0.0, 0.2, 0.5)),
        stops=dice.choice((0.0, 0.0, 0.1)),
        full=dice.choice((0.0, 0.0, 0.2)),
        cut_off=dice.choice((0.0, 0.1)),
        people=dice.choice((0, 0, 1, 2)),
        jobs=dice.choice((1.1, 1.6, 2.5, 4.0, 7.0)),
        pulls=dice.choice((0.0, 0.5, 1.0)),
    )


class _Git(Git):
    """Eight names, each with a work of its own, so that only the budget keeps runners from creating all of them."""

    def a_spec(self, name: str) -> JobSpec:
        dice = self._dice
        return JobSpec(
            name=name,
            endpoint="/v1/chat/completions",
            model=MODEL,
            inputs=(_requests(name, dice.choice((1, 1, 2, 3))),),
            retry=structs.replace(super().a_spec(name).retry, max_attempts=2),
            reuse=False,
            on_change=dice.choice(("replace", "finish")),
            on_remove=dice.choice(("cancel", "keep")),
            timeout_hours=1,
            declared_at=Position(path=f"specs/{name}.yaml", line=1),
        )

    def edited(self) -> tuple[JobSpec, ...]:
        """Return the last specs, of which some are to be run again, and some are gone."""
        dice = self._dice
        kept = (spec for spec in self.commits[-1].specs if dice.random() < 0.9)
        return tuple(
            structs.replace(spec, rerun=str(len(self.commits))) if dice.random() < 0.6 else spec
            for spec in kept
        )


def _requests(word: str, count: int) -> InlineRequests:
    body: digests.Json = {"max_tokens": MAX_TOKENS, "messages": [{"content": "Hi", "role": "user"}]}
    requests: list[digests.Json] = [{"body": body, "custom_id": f"{word}-{at}"} for at in range(count)]
    return InlineRequests(body=digests.canonical(requests), count=count)


def cheapest() -> int:
    """Return about what the smallest job can cost: the tokens that it may answer with."""
    return int(MAX_TOKENS * OUTPUT_PRICE)


class _Stage(Stage):
    """A stage whose runners have a budget, in micros."""

    schedule: BudgetSchedule
    git: _Git
    budget: int

    def guards(self, *, permissive: bool) -> Guards:
        """Return the budget, and no other bounds."""
        del permissive
        return structs.replace(GENEROUS, max_cost_per_day=float(Decimal(self.budget).scaleb(-6)))


@dataclass
class Truth:
    """What every job can cost, as the server and the readers of results know it."""

    history: History
    budget: int
    used: dict[str, int]
    """What jobs cost whose usage is in the ledger, in micros, by id."""

    def cost(self, job: CreatedJob) -> int | None:
        """Return what a job costs, or can cost; None if its tags do not say it."""
        return self.used.get(job.id, job.most)

    def of_a_day(self, now: float, by: RunRecord | None = None) -> int:
        """Return the cost of all jobs of the tool within 24 hours.

        A run `by` cannot know of a job whose record was deleted before any runner saw it (docs/guarantees.md).
        """
        jobs = (it for it in self.history.jobs.values() if it.project == PROJECT and now - DAY < it.at <= now)
        known = (it for it in jobs if by is None or it.deleted_at is None or it.id in by.knew)
        return sum(self.cost(job) or 0 for job in known)

    def the_budget_of_a_day_is_kept(self, create: Accepted) -> Iterator[str]:
        """The jobs that the API accepted within any 24 hours cost at most the budget."""
        if create.job.most is None:
            yield "nothing says what it can cost"
        spent = self.of_a_day(create.job.at, create.by)
        if spent > self.budget:
            yield f"{spent:,} micros in 24 hours, of {self.budget:,}"


class _Story(Story):
    """What happens until peace comes."""

    _stage: _Stage

    def __init__(self, stage: _Stage, truth: Truth) -> None:
        super().__init__(stage)
        self._truth = truth

    def tell(self) -> None:
        stage, dice = self._stage, self._dice
        for runner in stage.runners:
            runner.offset = dice.uniform(-1.0, 1.0)
        for epoch in range(stage.schedule.epochs):
            if epoch:
                stage.git.commit(stage.git.edited())
            for _ in range(stage.schedule.people):
                when = stage.baton.now + dice.random() * dice.choice((5, 60, 300))
                stage.baton.at(when, dice.choice((self._people.cancel, self._people.delete)))
            stage.baton.side_by_side(self._work, stage.runners, at_once=len(stage.runners))
            stage.baton.sleep(dice.choice((0.0, 60.0, HOUR, 6 * HOUR, DAY - 30.0, DAY + HOUR)))
            record_usage(stage, self._truth, dice)

    def _one_run(self, runner: Runner) -> None:
        stage, dice = self._stage, self._dice
        commit = len(stage.git.commits) - 1
        names = [spec.name for spec in stage.git.commits[commit].specs]
        one = names and dice.random() < 0.6
        stage.apply(
            runner,
            commit,
            self._luck(),
            asks=False,
            selected=frozenset({dice.choice(names)}) if one else None,
        )


def record_usage(stage: _Stage, truth: Truth, dice: random.Random) -> None:
    """Let another runner read results of some ended jobs, and record their usage."""
    for job in stage.history.jobs.values():
        ended = job.project == PROJECT and stage.server.status(job.id) not in (*LIVE, None)
        if ended and job.id not in truth.used and job.most and dice.random() < stage.schedule.pulls:
            tokens = 10 * dice.randrange(int(job.most / OUTPUT_PRICE) // 10 + 1)  # a whole number of micros
            truth.used[job.id] = int(tokens * OUTPUT_PRICE)
            line = UsageSeen(
                at=START + stage.baton.now,
                run_id="a reader",
                job_id=job.id,
                name=job.name,
                model=MODEL,
                usage=Usage(answers=1, completion=tokens),
            )
            stage.remote.add(encode(line))
            stage.history.counts["usages"] += 1


def play(schedule: BudgetSchedule, server: Server, *, tracing: bool = False) -> History:
    """Play a schedule and return what happened."""
    stage = _Stage(schedule, server, tracing=tracing)
    stage.git = _Git(stage.dice("git"), jobs=lambda: [*stage.history.jobs.values()])
    stage.git.commits[0] = Commit(stage.git.commits[0].id, tuple(map(stage.git.a_spec, NAMES)))
    stage.budget = int(schedule.jobs * cheapest())
    truth = Truth(stage.history, stage.budget, {})
    stage.workspace.promises = (truth.the_budget_of_a_day_is_kept,)
    _Story(stage, truth).tell()
    no_reservation_lasts_beyond_its_settle_time(stage, truth)
    return stage.history


def no_reservation_lasts_beyond_its_settle_time(stage: _Stage, truth: Truth) -> None:
    """Once every create of dead runners has settled, what is left is the budget less what the accepted jobs cost."""
    limits, delays = stage.schedule.limits, stage.schedule.delays
    stage.baton.sleep(limits.deadline_seconds + limits.settle_seconds + delays.late + delays.timeout + LAG)
    stage.workspace.peaceful = True
    mosts = [job.most for job in stage.history.jobs.values() if job.most]
    if not mosts:
        return
    small = structs.replace(stage.git.a_spec("last"), inputs=(_requests("", 1),))
    stage.git.commit((small,))
    stage.budget = truth.budget = truth.of_a_day(stage.baton.now) + min(mosts)
    planned = stage.apply(stage.runners[0], len(stage.git.commits) - 1, Luck())
    stage.history.counts["last"] += 1
    decision = next((it for it in planned.plan.decisions if it.name == "last"), None) if planned else None
    held = decision is None or any(hold.reason is Reason.HELD_BACK for hold in decision.of(Hold))
    if held:
        ended = stage.history.runs[-1].ended
        what = f"there is room, and nothing was created: {ended}"
        stage.history.violated(no_reservation_lasts_beyond_its_settle_time.__name__, what)
