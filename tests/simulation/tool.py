"""One run of the tool in a schedule: the real `plan_and_apply`, with every port replaced by the harness's own."""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.api.client import Writer
from reconciler.api.key import ApiKey
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.context import RunContext
from reconciler.environment import Ledger
from reconciler.errors import ReconcilerError
from reconciler.ledger.file import LockHeldError
from reconciler.ledger.lines import CancelEnded, CancelIntended, CreateConfirmed, CreateIntended, Ended, Line
from reconciler.model import Ancestry, Checkout, Declared, Source, Target
from reconciler.notifications.deliver import Notifier
from reconciler.notifications.due import WorkEnd
from reconciler.plans import plan_file
from reconciler.plans.document import PlanDoc
from reconciler.plans.planned_run import PlannedRun
from reconciler.runs import gather
from reconciler.runs.apply import plan_and_apply
from reconciler.settings import Guards, Limits, Settings
from reconciler.specs.project import Project
from tests.helpers.overlay import NO_OVERLAY
from tests.simulation.following import Waiting, follow
from tests.simulation.forging import FORGER
from tests.simulation.history import PROJECT, RunRecord
from tests.simulation.process import Killed, Process
from tests.simulation.reporting import TIMEOUT, OnEnd
from tests.simulation.server import KEY
from tests.simulation.twins import Applied, at_most_one_live_after_the_next_apply
from tests.simulation.wire import Wire

NOWHERE: Final = Path(os.devnull, "nowhere")
"""A folder that cannot be made, so that no results are brought: whole jobs decide."""
A_PROJECT: Final = Project(
    root=NOWHERE,
    config_path=NOWHERE / "reconciler.yaml",
    settings=Settings(project=PROJECT),
    spec_root=NOWHERE / "specs",
    overlay=NO_OVERLAY,
)
TARGET: Final = Target(base_url="http://localhost", project=PROJECT)
GENEROUS: Final = Guards(
    max_cancels=100,
    max_cancel_share=1.0,
    allow_empty=True,
    allow_other_workspace=True,
    allow_created_elsewhere=True,
)


class Watched:
    """A ledger, watched: what was read and what was written."""

    def __init__(self, real: Ledger, record: RunRecord) -> None:
        self._real = real
        self._record = record

    def read(self) -> Iterator[Line]:
        """Read."""
        self._record.read = tuple(self._real.read())
        return iter(self._record.read)

    def locate(self, texts: Collection[str]) -> Mapping[str, str]:
        """Say where lines are."""
        return self._real.locate(texts)

    def rewritten(self) -> str:
        """Say what is lost."""
        return self._real.rewritten()

    def append(self, *lines: Line) -> None:
        """Write."""
        self._real.append(*lines)
        self._record.wrote += lines

    def claim(self, lines: Sequence[Line]) -> bool:
        """Claim."""
        won = self._real.claim(lines)
        self._record.wrote += lines if won else ()
        return won

    def publish(self) -> None:
        """Publish."""
        self._real.publish()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is asked to do."""

    ancestry: Callable[[frozenset[str]], Ancestry]
    commit_id: str = ""
    saved: bytes | None = None
    """A saved plan's file."""
    agrees: bool = True
    asks: bool = True
    """Whether a person reads the plan and agrees or not; False for `--yes`."""
    guards: Guards


class Tool:
    """One process of the tool, ready to run.

    Args:
        process: its machine.
        record: what is written down about it.
        wire: its network.
        ledger: its memory.
        limits: as in `reconciler.yaml`.
        lasting: whether it may take longer than a run's deadline.
        on_end: the hook that receives ends.
    """

    def __init__(
        self,
        process: Process,
        record: RunRecord,
        wire: Wire,
        ledger: Ledger,
        *,
        limits: Limits,
        lasting: bool = False,
        on_end: OnEnd | None = None,
    ) -> None:
        self._on_end = on_end
        self._process = process
        self._record = record
        self._wire = wire
        self._world = process.world(Watched(ledger, record))
        self._limits = limits
        self._retrier = Retrier(
            RetryPolicy(deadline_seconds=limits.deadline_seconds, long_lived=lasting),
            rng=process.dice,
            now=process.now,
            monotonic=process.monotonic,
            sleep=process.sleep,
        )
        self._writer = Writer(
            base_url=TARGET.base_url,
            key=ApiKey(KEY),
            transport=wire,
            timeout_seconds=limits.timeout_seconds,
            retry=self._retrier,
            on_request=lambda _: process.alive(),
        )

    def plan(self, order: Order) -> bytes | None:
        """Plan, and return the plan's file; None if planning failed."""
        made: list[bytes] = []

        def make() -> str:
            planned = gather.gather(self._run(order), self._record.declared)
            made.append(plan_file.encode(planned.document))
            return "planned"

        self._until_it_ends(make)
        return made[0] if made else None

    def follow(self, protocol: Callable[[RunContext[Writer], Declared], None], order: Order) -> None:
        """Create what is declared in another way than the tool's own."""

        def create() -> str:
            protocol(self._run(order), self._record.declared)
            return "followed its protocol"

        self._until_it_ends(create)

    def apply(self, order: Order, waiting: Waiting | None = None) -> PlannedRun | None:
        """Apply, and wait if asked to; return what was decided last, None if it ended with an error."""
        shown: list[PlannedRun] = []
        last: list[PlannedRun] = []
        saved = None if order.saved is None else plan_file.decode(order.saved)
        self._record.agreed, self._record.saved = saved, saved is not None
        self._record.asks = order.asks and saved is None

        def agree(planned: PlannedRun) -> bool:
            shown.append(planned)
            self._agreed(planned.document, order)
            return order.agrees

        def apply() -> str:
            run, began = self._run(order), self._world.now()
            planned, outcomes = plan_and_apply(
                run, self._record.declared, agree, asks=self._record.asks, saved=saved
            )
            last.append(planned)
            self._record.say(outcomes)
            if order.agrees and saved is None and self._record.declared.selected is None:
                self._check_twins()
            if waiting and order.agrees:
                agreed, first = shown[-1].plan, (planned, outcomes)
                end = follow(waiting, run, agreed=agreed, first=first, saved=saved, record=self._record)
                last.append(end)
            with suppress(LockHeldError), waiting.locked() if waiting else nullcontext():
                self._tell(run, last[-1], since=began)
            done = [outcome for said in self._record.reports for outcome in said.outcomes]
            return ", ".join(f"{type(outcome).__name__} {outcome.name}" for outcome in done) or "nothing done"

        self._until_it_ends(apply)
        return last[-1] if last else None

    def _check_twins(self) -> None:
        record, workspace = self._record, self._wire.workspace
        if not record.disturbed:
            after = Applied(workspace.history, workspace.server, record)
            workspace.history.ask([at_most_one_live_after_the_next_apply], after, record.name)

    def _tell(self, run: RunContext[Writer], planned: PlannedRun, *, since: float) -> None:
        """Report the ends that are due."""
        if self._on_end and not self._process.is_set():
            Notifier(run=run, send=self._on_end, timeout_seconds=TIMEOUT, since=since).deliver(
                [WorkEnd(it) for it in planned.observed.owned]
            )

    def _agreed(self, document: PlanDoc, order: Order) -> None:
        if order.agrees and self._record.agreed is None:
            self._record.agreed = document

    def _until_it_ends(self, do: Callable[[], str]) -> None:
        record = self._record
        try:
            record.ended = do()
        except Killed:
            record.ended = "killed"
        except ReconcilerError as error:
            record.ended = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            record.broken = traceback.format_exc()
        record.over = self._process.baton.now
        self._process.trace(record.name, f"ENDS: {record.ended}")
        self._process.dead = True

    def _ancestry(self, order: Order) -> Callable[[frozenset[str]], Ancestry]:
        def ancestry(commits: frozenset[str]) -> Ancestry:
            self._process.alive()
            record = self._record
            record.planned_on = record.looked
            record.knew = frozenset(
                line.job_id
                for line in record.read
                if isinstance(line, CreateConfirmed | Ended) and line.run_id != FORGER
            )
            record.saw_end = frozenset(line.job_id for line in record.read if isinstance(line, Ended))
            record.named = frozenset(word for line in record.read for word in _named(line))
            return order.ancestry(commits)

        return ancestry

    def _run(self, order: Order) -> RunContext[Writer]:
        return RunContext(
            api=self._writer,
            retrier=self._retrier,
            env=self._world,
            project=A_PROJECT,
            target=TARGET,
            limits=self._limits,
            guards=order.guards,
            checkout=Checkout(commit=order.commit_id),
            ancestry=self._ancestry(order),
            source=Source(commit=order.commit_id, actor="ada"),
            folder=NOWHERE,
            began=0.0,
            redact=str,
        )


def _named(line: Line) -> tuple[str, ...]:
    """Return the job, and the op, of which a line says that this tool created or cancelled it."""
    match line:
        case CreateConfirmed():
            return (line.job_id, line.op)
        case CreateIntended():
            return (line.op,)
        case CancelIntended() | CancelEnded():
            return (line.job_id,)
        case _:
            return ()


def seeded(*words: object) -> random.Random:
    """Return dice of their own for a purpose, so that more of one draw changes no other."""
    return random.Random(":".join(map(str, words)))
