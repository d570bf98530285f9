"""Show a plan, stop if guards refuse it, and ask for confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.cli.output.plan_output import write_outcomes, write_plan
from reconciler.cli.params.options import confirmed
from reconciler.environment import Environment
from reconciler.errors import ExitCode, GuardError
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.plan_view import totals


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How a run is reported."""

    form: str
    """`text`, `json`, `markdown` or `github`."""
    everything: bool
    """Whether to list every job of a family."""
    comment: Path | None
    """A file for Markdown, in addition to stdout."""


def show_and_confirm(
    env: Environment, planned: PlannedRun, output: OutputOptions, *, ask: bool, then: Sequence[str] = ()
) -> bool:
    """Show the plan, check the guards, then ask. Return whether to apply it.

    The comment shows the outcomes; if a guard refuses there are none, and it shows the plan.

    Args:
        env: the environment of the process.
        planned: the plan.
        output: how to report it.
        ask: whether to ask for confirmation.
        then: lines that say what follows.

    Raises:
        GuardError: at least one guard refuses.
    """
    document, refused = planned.document, bool(planned.refusals)
    if output.form == "json" and refused:
        write_outcomes(env, document, (), form=output.form, code=ExitCode.GUARD)
    if output.form in ("text", "markdown") or refused:
        write_plan(
            env,
            document,
            form="" if output.form == "json" else output.form,
            remarks=(*planned.remarks, *then),
            everything=output.everything,
            comment=output.comment if refused else None,
        )
    if refused:
        first, *more = planned.refusals
        also = f" ({len(more)} more above)" if more else ""
        raise GuardError(f"nothing was done: {first.message}{also}", hint=first.hint)
    if not ask or not document.pending:
        return True
    return confirmed(f"Apply this on {document.target.value.host} ({totals(document)})?")
