"""Write plans and outcomes to stdout in each format."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.output.comment import publish
from reconciler.cli.output.streams import write_annotations, write_stdout
from reconciler.cli.params.options import Output
from reconciler.documents.reports import ApplyDoc, pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, first_that_holds
from reconciler.plans import plan_file
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping
from reconciler.render.github import outcomes_github, plan_github
from reconciler.render.markdown import apply_markdown, outcomes_markdown, plan_markdown
from reconciler.render.outcome_view import outcome_doc
from reconciler.render.text import outcomes_text, plan_text
from reconciler.text.sanitize import clean


def write_plan(
    env: Environment,
    document: PlanDoc,
    output: Output,
    *,
    next_step: str = "",
    remarks: Sequence[str] = (),
) -> None:
    """Write a plan to stdout.

    Args:
        env: the environment of the process.
        document: the plan.
        output: how to report it.
        next_step: the exact commands that apply it.
        remarks: more lines about the plan.
    """
    everything = output.everything
    if output.comment is not None or output.form == "github":
        publish(env, plan_markdown(document, remarks=remarks, everything=everything), output)
    match output.form:
        case "json":
            write_stdout(plan_bytes(document))
        case "markdown":
            write_stdout(plan_markdown(document, remarks=remarks, everything=everything))
        case "":
            pass
        case "github":
            write_annotations(plan_github(document, remarks=remarks, everything=everything))
        case _:
            text = plan_text(
                document, colour=env.colour("stdout"), next_step=next_step, everything=everything
            )
            write_stdout(text + "".join(f"  {clean(line)}\n" for line in remarks))


def codes(document: PlanDoc, *, detailed_exitcode: bool, fail_on_attention: bool) -> ExitCode:
    """Return the exit code of a command that only shows a plan."""
    holds = set()
    if detailed_exitcode and document.pending:
        holds.add(ExitCode.PENDING)
    if fail_on_attention and document.summary.attention:
        holds.add(ExitCode.ATTENTION)
    return first_that_holds(holds)


def write_outcomes(
    env: Environment,
    document: PlanDoc,
    outcomes: Sequence[Outcome],
    output: Output,
    *,
    code: ExitCode,
    remarks: Sequence[str] = (),
) -> None:
    """Write the outcomes to stdout: what was done, what was not, and what is unknown.

    Args:
        env: the environment of the process.
        document: the plan.
        outcomes: the outcomes of its actions.
        output: how to report it.
        code: the exit code.
        remarks: more lines about the plan.
    """
    rows = grouping.outcomes(outcomes, document, everything=output.everything)
    if output.comment is not None or output.form == "github":
        publish(env, apply_markdown(document, outcomes, rows, remarks), output)
    if not output.form:
        return
    if output.form == "json":
        documents = tuple(map(outcome_doc, outcomes))
        write_stdout(pretty(ApplyDoc(plan=document, outcomes=documents, exit_code=int(code))))
    elif output.form == "github":
        write_annotations(outcomes_github(outcomes, document))
    elif output.form == "markdown" and outcomes:
        write_stdout(outcomes_markdown(outcomes, rows))
    elif outcomes:
        write_stdout(outcomes_text(outcomes, rows, colour=env.colour("stdout")))
    elif document.pending:
        write_stdout("Nothing was done.\n")


def plan_bytes(document: PlanDoc) -> bytes:
    """Return a plan as JSON; a plan file holds the same bytes."""
    return plan_file.encode(document)
