"""Show a plan, and ask for confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.cli.output.plan_output import write_plan
from reconciler.cli.params.options import Output, confirmed
from reconciler.environment import Environment
from reconciler.plans.planned_run import PlannedRun
from reconciler.render.plan_summary import totals


def show_and_confirm(
    env: Environment, planned: PlannedRun, output: Output, *, ask: bool, then: Sequence[str] = ()
) -> bool:
    """Show the plan, then ask. Return whether to apply it. The comment shows the outcomes.

    Args:
        env: the environment of the process.
        planned: the plan.
        output: how to report it.
        ask: whether to ask for confirmation.
        then: lines that say what follows.
    """
    document = planned.document
    if output.form in ("text", "markdown"):
        write_plan(env, document, replace(output, comment=None), remarks=(*planned.remarks, *then))
    if not ask or not document.pending:
        return True
    return confirmed(f"Apply this on {document.target.value.host} ({totals(document)})?")
