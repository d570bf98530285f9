"""The harness itself: a killed process does nothing, a late request arrives, a torn line is skipped."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import LedgerError
from reconciler.ledger.lines import CreateRefused
from tests.simulation import schedule
from tests.simulation.baton import Baton
from tests.simulation.exhaustive import WORLD
from tests.simulation.faults import Fault, Once
from tests.simulation.history import History, Violation
from tests.simulation.ledgers import Disk, LocalLedger
from tests.simulation.machines import Luck
from tests.simulation.process import Killed, Process
from tests.simulation.server import JOBS, Server
from tests.simulation.setups import HOST
from tests.simulation.stage import Stage
from tests.simulation.tally import Tally

LINE = CreateRefused(at=1.0, run_id="r", op="o", error="e")


def process(*, killed_at: int | None = None) -> Process:
    return Process(
        Baton(random.Random(0)),
        "p",
        random.Random(0),
        wall=lambda: 0.0,
        trace=lambda *_: None,
        killed_at=killed_at,
    )


def dead() -> Process:
    it = process(killed_at=1)
    with pytest.raises(Killed):
        it.step("dies")
    return it


@pytest.mark.parametrize(
    "use",
    [
        Process.now,
        Process.monotonic,
        Process.is_set,
        lambda it: it.sleep(1.0),
        lambda it: it.wait(1.0),
        lambda it: it.log("ledger.conflict"),
        lambda it: it.map_concurrently(print, [], max_workers=1),
        lambda it: LocalLedger(it, Disk(), full=lambda: False).append(LINE),
        lambda it: LocalLedger(it, Disk(), full=lambda: False).read(),
        lambda it: LocalLedger(it, Disk(), full=lambda: False).claim([]),
        lambda it: LocalLedger(it, Disk(), full=lambda: False).publish(),
    ],
)
def test_every_port_of_a_dead_process_raises(use: Callable[[Process], object]) -> None:
    with pytest.raises(Killed):
        use(dead())


def test_a_process_that_dies_while_it_writes_leaves_a_torn_line_that_is_skipped() -> None:
    disk = Disk()
    for number in range(20):
        dying = process(killed_at=2)
        dying.dice.seed(number)
        with pytest.raises(Killed):
            LocalLedger(dying, disk, full=lambda: False).append(LINE)
        LocalLedger(process(), disk, full=lambda: False).append(LINE)
    assert disk.lines() == [LINE] * 20
    assert len(disk.promised) == 20
    assert len(disk.rows()) > 22


def test_a_full_disk_is_an_error_and_promises_nothing() -> None:
    disk = Disk()
    with pytest.raises(LedgerError, match="No space left"):
        LocalLedger(process(), disk, full=lambda: True).append(LINE)
    assert not disk.lines()
    assert not disk.promised


def test_a_request_that_is_late_is_taken_after_its_sender_gave_up() -> None:
    stage = Stage(WORLD, Server())
    stage.apply(stage.runners[0], 0, Luck(fates=Once(0, Fault.LATE, of="create")))
    (job,) = stage.history.jobs.values()
    assert job.at > WORLD.delays.timeout
    assert stage.history.runs[0].ended == "Created alpha"


def test_a_create_that_is_on_its_way_outlives_its_sender() -> None:
    stage = Stage(WORLD, Server())
    stage.apply(stage.runners[0], 0, Luck(dies_creating=True))
    assert stage.history.runs[0].ended == "killed"
    stage.baton.sleep(100.0)
    assert stage.server.call("GET", JOBS).json()["total"] == 1


def test_a_broken_promise_is_reported_with_its_seed_and_how_to_see_it() -> None:
    history, tally = History(HOST, bounds=True), Tally()
    history.violations.append(Violation("some_promise", "what happened"))
    tally.add(4711, history)
    reported = "\n".join(tally.lines())
    assert "some_promise: 1\n    seed 4711: what happened" in reported
    assert "python -m tests.simulation --seed 4711" in reported


def test_a_seed_always_gives_the_same_schedule() -> None:
    assert schedule.of(5) == schedule.of(5)
    assert len({str(schedule.of(seed)) for seed in range(50)}) == 50


def test_every_invariant_on_the_page_of_guarantees_is_one_of_the_simulation() -> None:
    here = Path(__file__).parent
    page = (here.parents[1] / "docs/guarantees.md").read_text(encoding="utf-8")
    promises = page.split("## Promises")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", "\n".join(promises.splitlines()[5:]))) - {
        "max_attempts"
    }
    sources = "".join(path.read_text(encoding="utf-8") for path in here.glob("*.py"))
    assert len(named) > 20
    missing = {name for name in named if f"def {name}(" not in sources and f'"{name}"' not in sources}
    assert not missing
