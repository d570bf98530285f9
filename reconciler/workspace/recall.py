"""Reads the ledger into memory. Lines that are not believed or not understood are logged, with the way out.

A person who may push to a shared ledger can add lines. So a time too far ahead holds nothing, and a line of a newer
version or a rewritten history stops no command: creates that it may be about need an agreed plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from msgspec import structs

from reconciler.context import ApiT, RunContext
from reconciler.ledger.fold import remember
from reconciler.ledger.line_format import encode
from reconciler.ledger.lines import (
    CreateIntended,
    CreateUnknown,
    Line,
    NewerLine,
    NotificationClaimed,
    NotificationsEnabled,
)
from reconciler.ledger.memory import Doubt, Memory
from reconciler.text.plural import pluralize

LOOK_AHEAD: Final = 3600.0
"""Seconds by which a line may end after the longest honest claim of this moment: clocks of hosts differ."""
FAR: Final = "a time too far ahead, which holds nothing"
FAR_HINT: Final = "check the clock of the host that wrote it, and who may push to the ledger"
NEWER: Final = "written by a newer version of this tool, or by hand"
NEWER_HINT: Final = (
    "upgrade mistral-batch-reconciler; until then, creates that this may be about need an agreed plan"
)
REWRITTEN_HINT: Final = (
    "creates need an agreed plan; to add the lost lines again: reconciler ledger pull; "
    "if the rewrite was intended: reconciler ledger pull --accept-rewrite"
)


class Recalled(NamedTuple):
    """What the ledger says."""

    memory: Memory
    problems: tuple[tuple[str, str], ...]
    """What a person should know of, each with what to do about it."""


HOLDING: Final = (CreateIntended, CreateUnknown, NotificationsEnabled, NotificationClaimed)
"""The lines that hold something until a time."""


def within(line: Line, latest: float) -> Line | None:
    """Return a line as far as its times are believed.

    One that ends after `latest` (Unix seconds) holds nothing: it is None, or counts as of long ago if it is about
    something else than a time.
    """
    if line.at + getattr(line, "lease", 0.0) <= latest:
        return line
    return None if isinstance(line, HOLDING) else structs.replace(line, at=0.0)


def latest_end(run: RunContext[ApiT]) -> float:
    """Return the Unix time until which a line may hold something."""
    return run.env.now() + run.limits.deadline_seconds + run.limits.settle_seconds + LOOK_AHEAD


def recall(run: RunContext[ApiT]) -> Recalled:
    """Read the ledger. Raises `LedgerError` if it cannot be read."""
    ledger = run.env.ledger
    memory, problems = recall_lines(run, ledger.read(), ledger.locate)
    if lost := ledger.rewritten():
        memory = replace(memory, doubts=(*memory.doubts, Doubt(lost)))
        problems += ((lost, REWRITTEN_HINT),)
    return Recalled(memory, problems)


def recall_lines(
    run: RunContext[ApiT],
    lines: Iterable[Line],
    locate: Callable[[Collection[str]], Mapping[str, str]],
) -> Recalled:
    """Fold ledger lines into memory; `locate` returns the places of lines, by their text."""
    far: dict[str, Line] = {}
    newer: dict[str, NewerLine] = {}

    def believed() -> Iterator[Line]:
        latest = latest_end(run)
        for line in lines:
            known = within(line, latest)
            if known is not line:
                far[encode(line)] = line
            if isinstance(line, NewerLine):
                newer[line.text] = line
            if known is not None:
                yield known

    memory = remember(believed(), settle_seconds=run.limits.settle_seconds)
    places = locate({*far, *newer}) if far or newer else {}
    found = ((far, FAR, FAR_HINT), (newer, NEWER, NEWER_HINT))
    problems = tuple((f"{_places(texts, places)}: {what}", hint) for texts, what, hint in found if texts)
    doubts = tuple(
        Doubt(f"{_places([text], places)} has version {line.version}", line.name, line.work)
        for text, line in newer.items()
    )
    return Recalled(replace(memory, doubts=doubts), problems)


def _places(texts: Collection[str], places: Mapping[str, str]) -> str:
    first, *more = (places.get(text, "a line of the ledger") for text in texts)
    return f"{first} and {pluralize(len(more), 'more line')}" if more else first


def log_problems(run: RunContext[ApiT], found: Recalled) -> Memory:
    """Log each problem once a run, and the runs that were interrupted; return the memory."""
    for problem, hint in found.problems:
        if problem not in run.reported:
            run.reported.add(problem)
            run.env.log("ledger.doubted", problem=problem, hint=hint)
    earlier = Counter(intent.run_id for intent in found.memory.open_creates)
    for run_id, creates in sorted(earlier.items()):
        run.env.log("run.previous_interrupted", earlier_run_id=run_id, creates=creates)
    return found.memory
