"""A plan on its way to a yes or a no: it is shown, the guards speak, and whoever applies it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.cli.output.plan_output import tell, tell_outcomes
from reconciler.cli.params.options import confirmed
from reconciler.environment import World
from reconciler.errors import ExitCode, GuardError
from reconciler.plans.planned_run import Situation
from reconciler.render.plan_view import totals


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a run is told."""

    form: str
    """`text`, `json`, `markdown` or `github`."""
    everything: bool
    """Whether families are opened."""
    comment: Path | None
    """A file for Markdown, beside stdout."""


def show_and_ask(
    world: World, situation: Situation, shape: Shape, *, ask: bool, then: Sequence[str] = ()
) -> bool:
    """Show the plan, then let the guards speak, then ask; anything but yes is no, and no is a good answer.

    The comment is about the outcomes; where a guard refuses there are none, and it is about the plan.

    Args:
        world: what the process has.
        situation: what was decided.
        shape: how it is told.
        ask: whether a person is asked.
        then: lines that say what follows.

    Raises:
        GuardError: at least one guard refuses.
    """
    document, refused = situation.document, bool(situation.refusals)
    if shape.form == "json" and refused:
        tell_outcomes(world, document, (), form=shape.form, code=ExitCode.GUARD)
    if shape.form in ("text", "markdown") or refused:
        tell(
            world,
            document,
            form="" if shape.form == "json" else shape.form,
            told=(*situation.told, *then),
            everything=shape.everything,
            comment=shape.comment if refused else None,
        )
    if refused:
        first, *more = situation.refusals
        also = f" ({len(more)} more above)" if more else ""
        raise GuardError(f"nothing was done: {first.message}{also}", hint=first.hint)
    if not ask or not document.pending:
        return True
    return confirmed(f"Apply this on {document.target.value.host} ({totals(document)})?")
