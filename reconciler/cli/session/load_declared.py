"""What git says: specs, which of them were asked for, what is not committed, which commits are ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from reconciler.cli.output.streams import aside
from reconciler.context import ApiT, Run
from reconciler.errors import ReconcilerError
from reconciler.model import EVERY_JOB, Declared, Names
from reconciler.plans import checksum_envelope
from reconciler.plans.document import PlanDoc
from reconciler.plans.planned_run import Situation
from reconciler.render.problems import problems_text
from reconciler.runs import gather as gathering
from reconciler.specs.load import load
from reconciler.workspace import snapshot
from reconciler.workspace.listing import whole


def declared(run: Run[ApiT], paths: Sequence[Path], names: Names = EVERY_JOB) -> Declared:
    """Read the specs; warnings go to stderr.

    Raises:
        SpecError: the specs hold mistakes.
    """
    world = run.world
    began = world.monotonic()
    places = [run.world.cwd / path for path in paths]
    loaded = load(run.project, places, now=world.now(), names=names, progress=world.progress)
    world.log("specs.loaded", specs=len(loaded.specs), elapsed_ms=round((world.monotonic() - began) * 1000))
    if loaded.warnings:
        aside(problems_text(loaded.warnings, colour=run.world.colour("stderr")))
    uncommitted = run.checkout.uncommitted
    return Declared(specs=loaded.specs, selected=loaded.selected, later=loaded.later, uncommitted=uncommitted)


def selected_by(saved: PlanDoc, said: Declared) -> Declared:
    """Select what a saved plan was made of, where it was made of a selection."""
    if saved.selected is None:
        return said
    return replace(said, selected=frozenset(decision.name for decision in saved.decisions))


def gather(run: Run[ApiT], paths: Sequence[Path], names: Names = EVERY_JOB) -> Situation:
    """Read specs, ledger and workspace, the workspace beside the specs, and decide."""
    listed = run.world.beside(lambda: whole(run))
    said = declared(run, paths, names)
    return gathering.gather(run, said, listed=listed)


def gather_from(run: Run[ApiT], observed: Path, paths: Sequence[Path], names: Names = EVERY_JOB) -> Situation:
    """Read specs and a snapshot of the workspace, and decide.

    Raises:
        ReconcilerError: it is no snapshot, or one of another target.
    """
    world = run.world
    try:
        with (world.cwd / observed).open("rb") as stream:
            seen = snapshot.decode(stream.read(checksum_envelope.MAX_BYTES + 1), run.target)
    except OSError as error:
        raise ReconcilerError(f"{observed}: {error.strerror}", hint=snapshot.HINT) from error
    except ReconcilerError as error:
        raise ReconcilerError(f"{observed}: {error}", hint=error.hint) from error
    said = declared(run, paths, names)
    return gathering.from_snapshot(run, said, seen)
