"""Load the declared jobs: the specs, the selection among them, and uncommitted changes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from reconciler.cli.output.streams import write_stderr
from reconciler.cli.params.options import Selection
from reconciler.context import ApiT, RunContext
from reconciler.model import Declared
from reconciler.model.tags import root_of
from reconciler.plans import checksum_envelope
from reconciler.plans.document import PlanDoc
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.problems import left_out, problems_text
from reconciler.runs import gather as gathering
from reconciler.specs.load import load
from reconciler.workspace import snapshot
from reconciler.workspace.listing import whole

EVERYTHING: Final = Selection()


def load_declared(
    run: RunContext[ApiT], selection: Selection = EVERYTHING, *, only_shown: bool = False
) -> Declared:
    """Read the specs; warnings go to stderr. If they are `only_shown`, invalid ones are left out, with a note.

    Raises `SpecError` if the specs are invalid.
    """
    env = run.env
    began = env.monotonic()
    places = [run.env.cwd / path for path in selection.paths]
    with env.span("load"):
        loaded = load(
            replace(run.project, judges_models=False),
            places,
            now=env.now(),
            monotonic=env.monotonic,
            names=selection.names,
            progress=env.progress,
            only_shown=only_shown,
        )
    env.log("specs.loaded", specs=len(loaded.specs), elapsed_ms=round((env.monotonic() - began) * 1000))
    warnings = problems_text(loaded.warnings, colour=env.colour("stderr"))
    for text in filter(None, [warnings, left_out(loaded.errors)]):
        if text not in run.reported:
            run.reported.add(text)
            write_stderr(text)
    moved_from = map(root_of, run.project.settings.moved_from)
    return Declared(
        specs=loaded.specs,
        selected=loaded.selected,
        later=loaded.later,
        roots=frozenset({run.source.root, *moved_from}),
        uncommitted=run.checkout.uncommitted,
        only_shown=only_shown,
    )


def select_saved(saved: PlanDoc, declaration: Declared) -> Declared:
    """Select the jobs of a saved plan, if it was made for a selection."""
    if saved.selected is None:
        return declaration
    return replace(declaration, selected=frozenset(decision.name for decision in saved.decisions))


def gather(run: RunContext[ApiT], selection: Selection, *, only_shown: bool = False) -> PlannedRun:
    """Read the specs and, at the same time, the workspace; then the ledger; return the plan."""
    listed = run.env.run_in_background(lambda: whole(run))
    declaration = load_declared(run, selection, only_shown=only_shown)
    return gathering.gather(run, declaration, listed=listed)


def gather_from(run: RunContext[ApiT], observed: Path, selection: Selection) -> PlannedRun:
    """Read the specs and a snapshot of the workspace, and return the plan.

    Raises `ReconcilerError` if the file is not a snapshot, or is one of another target.
    """
    path, decode = run.env.cwd / observed, partial(snapshot.decode, target=run.target)
    taken = checksum_envelope.read(path, observed, decode, hint=snapshot.HINT)
    declaration = load_declared(run, selection)
    return gathering.from_snapshot(run, declaration, taken)
