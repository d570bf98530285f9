"""Ways to create jobs on an API without idempotency keys, side by side in the same world.

The first three imitate other tools; they share the real client and the real list. The last two are the real
code. `python -m tests.simulation --table --schedules N` prints the table that `benchmarks/results/` keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler.api.client import Writer
from reconciler.api.errors import ApiError, OutcomeUnknownError, RateLimitedError, UnreachableError
from reconciler.context import RunContext
from reconciler.execution.prepared_create import PreparedCreate, prepare
from reconciler.execution.uploads import Uploads
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import CreateIntended, CreateRefused
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, JobSpec, Phase, Position
from reconciler.planning.actions import Create as Order
from reconciler.planning.actions import Reason
from reconciler.settings import Limits
from reconciler.workspace import listing, observe
from tests.simulation.faults import Hostile
from tests.simulation.git import NAMES, WORKS, Commit
from tests.simulation.machines import Luck, Runner
from tests.simulation.schedule import LAG, LATE, SETTLE, TIMEOUT, Schedule
from tests.simulation.server import LIVE, Server
from tests.simulation.setups import APART, HOST, NOTHING, Setup
from tests.simulation.stage import Stage
from tests.simulation.wire import Delays
from tests.simulation.workspace import Climate

Protocol: TypeAlias = Callable[[RunContext[Writer], Declared], None]
TRIES: Final = 5


def blind_repeat(run: RunContext[Writer], declared: Declared) -> None:
    """List; create what is missing; on any passing failure wait and send again: a generic retry layer."""
    for prepared in _missing(run, declared, Memory()):
        for attempt in range(TRIES):
            try:
                run.api.create_job(prepared.request)
            except (UnreachableError, RateLimitedError, OutcomeUnknownError):
                run.env.sleep(0.5 * 2**attempt)
            else:
                break


def exit_and_rerun(run: RunContext[Writer], declared: Declared) -> None:
    """List; create what is missing; on any failure exit, and leave it to the next run."""
    for prepared in _missing(run, declared, Memory()):
        run.api.create_job(prepared.request)


def settle_without_ids(run: RunContext[Writer], declared: Declared) -> None:
    """Under a lock: a durable intent, one create, a look for its op after the settle time; ids are not remembered."""
    ledger, env = run.env.ledger, run.env
    memory = remember(ledger.read(), settle_seconds=run.limits.settle_seconds)
    for prepared in _missing(run, declared, memory):
        spec = prepared.create.spec
        for _ in range(2):
            ledger.append(
                CreateIntended(
                    at=env.now(),
                    run_id=env.run_id,
                    op=prepared.op,
                    name=spec.name,
                    work=spec.run_key.work,
                    rerun=spec.rerun,
                    attempt=1,
                    reason="new",
                )
            )
            try:
                run.api.create_job(prepared.request)
            except OutcomeUnknownError:
                env.sleep(run.limits.settle_seconds)
                jobs = listing.whole(run).jobs
                if not any(f"op={prepared.op}" in str(job.metadata) for job in jobs):
                    continue
            except ApiError as error:
                ledger.append(
                    CreateRefused(at=env.now(), run_id=env.run_id, op=prepared.op, error=str(error))
                )
                break
            ledger.append(
                # What it remembers is that this create is over, and not which job it made.
                CreateRefused(at=env.now(), run_id=env.run_id, op=prepared.op, error="")
            )
            break


def _missing(run: RunContext[Writer], declared: Declared, memory: Memory) -> Iterator[PreparedCreate]:
    """Yield what is declared, not in the list, and not on its way as far as the ledger knows."""
    jobs = listing.whole(run).jobs
    wanted = frozenset(key for spec in declared.specs for key in spec.run_keys)
    seen = observe.sort_out(jobs, observe.Watched(project=run.target.project, wanted=wanted))
    there = {owned.tags.run_key for owned in seen.owned if owned.phase is not Phase.CANCELLED}
    coming = {
        (intent.work, intent.rerun)
        for intent in memory.open_creates
        if run.env.now() < memory.settles_at(intent)
    }
    uploads = Uploads(run)
    for spec in declared.specs:
        if spec.run_key not in there and spec.run_key not in coming:
            yield prepare(run, Order(spec=spec, attempt=1, reason=Reason.NEW), uploads.ids(spec))


@dataclass(frozen=True)
class Row:
    """One protocol of the table."""

    name: str
    setup: Setup
    protocol: Protocol | None = None
    """None for the real code."""


ROWS: Final = (
    Row("list, create, repeat blindly", NOTHING, blind_repeat),
    Row("list, create, exit and run again", NOTHING, exit_and_rerun),
    Row("lock, ledger, settle time", HOST, settle_without_ids),
    Row("reconciler", HOST),
    Row("reconciler, without a common lock", APART),
)


def table(schedules: int, *, start: int = 0) -> Iterator[str]:
    """Yield the table, as Markdown."""
    server = Server()
    yield "| protocol | ever two live jobs | after one clean apply | creates a schedule (3 wanted) |"
    yield "| --- | --: | --: | --: |"
    for row in ROWS:
        sums: Counter[str] = Counter()
        for seed in range(start, start + schedules):
            sums += outcome(row, seed, server)
        yield (
            f"| {row.name} | {_share(sums['ever'], schedules)} | {_share(sums['after'], schedules)} "
            f"| {sums['creates'] / schedules:.2f} |"
        )


def _share(count: int, of: int) -> str:
    return f"0 of {of:,}" if not count else f"{count / of:.1%}"


def outcome(row: Row, seed: int, server: Server) -> Counter[str]:
    """Play one hostile schedule with a protocol, and count its outcome."""
    stage = Stage(world(row.setup, seed), server)
    stage.git.commits[:] = [Commit("0" * 40, THREE)]
    dice = stage.dice("table")

    def work(runner: Runner) -> None:
        for _ in range(3):
            stage.baton.sleep(dice.choice((0.0, 1.0, 20.0, 60.0)))
            luck = Luck(
                fates=Hostile(
                    stage.dice("fates", len(stage.history.runs)), stage.schedule.faults, bounds=True
                ),
                killed_at=dice.randrange(1, 80) if dice.random() < stage.schedule.kills else None,
            )
            _run(stage, row, runner, luck)

    stage.baton.side_by_side(work, stage.runners, at_once=len(stage.runners))
    stage.baton.sleep(LATE + LAG + SETTLE)
    stage.workspace.peaceful = True
    creates, ever = stage.history.counts["creates"], bool(stage.history.counts["twins"])
    _run(stage, row, stage.runners[0], Luck())
    live = Counter(job.key for job in stage.history.jobs.values() if server.status(job.id) in LIVE)
    return Counter(ever=ever, after=any(count > 1 for count in live.values()), creates=creates)


def _run(stage: Stage, row: Row, runner: Runner, luck: Luck) -> None:
    if row.protocol:
        stage.follow(runner, row.protocol, luck)
    else:
        stage.apply(runner, 0, luck)


THREE: Final = tuple(
    JobSpec(
        name=name,
        endpoint="/v1/chat/completions",
        model="mistral-small-latest",
        inputs=(WORKS[work],),
        declared_at=Position(path=f"specs/{name}.yaml", line=1),
    )
    for name, work in zip(NAMES, ("one", "twenty", "uploaded"), strict=True)
)


def world(setup: Setup, seed: int) -> Schedule:
    """Return the world of the table: two runners, a quarter of the requests faulty, half of the runs killed."""
    return Schedule(
        seed=f"table {seed}",
        setup=setup,
        limits=Limits(timeout_seconds=TIMEOUT, settle_seconds=SETTLE, in_flight=2, reads_in_flight=1),
        delays=Delays(timeout=TIMEOUT, late=LATE, slow=0.3),
        climate=Climate(lag=LAG, lagging=1.0),
        speed=0.001,
        faults=0.25,
        kills=0.5,
    )
