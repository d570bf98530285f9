"""Show a plan, stop if guards refuse it, and ask for confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.cli.output.plan_output import write_outcomes, write_plan
from reconciler.cli.params.options import Output, confirmed
from reconciler.environment import Environment
from reconciler.errors import ExitCode, GuardError
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.plan_summary import totals


def show_and_confirm(
    env: Environment, planned: PlannedRun, output: Output, *, ask: bool, then: Sequence[str] = ()
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
        write_outcomes(env, document, (), Output(form="json"), code=ExitCode.GUARD)
    if output.form in ("text", "markdown") or refused:
        form = "" if output.form == "json" else output.form
        shown = replace(output, form=form, comment=output.comment if refused else None)
        write_plan(env, document, shown, remarks=(*planned.remarks, *then))
    if refused:
        first, *more = planned.refusals
        also = f" ({len(more)} more above)" if more else ""
        raise GuardError(f"nothing was done: {first.message}{also}", hint=first.hint)
    if not ask or not document.pending:
        return True
    return confirmed(f"Apply this on {document.target.value.host} ({totals(document)})?")
