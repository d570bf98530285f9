"""Results on their way out: stdout is the product."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.cli.output.comment import publish
from reconciler.cli.output.streams import say
from reconciler.documents.reports import ApplyDoc, pretty
from reconciler.environment import World
from reconciler.errors import ExitCode
from reconciler.plans import plan_file
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping
from reconciler.render.github import outcomes_github, plan_github
from reconciler.render.markdown import apply_markdown, outcomes_markdown, plan_markdown
from reconciler.render.outcome_view import outcome_doc
from reconciler.render.text import outcomes_text, plan_text
from reconciler.text.sanitize import clean


def tell(
    world: World,
    document: PlanDoc,
    *,
    form: str,
    next_step: str = "",
    told: Sequence[str] = (),
    everything: bool = False,
    comment: Path | None = None,
) -> None:
    """Write a plan to stdout in the form that was asked for.

    Args:
        world: what the process has.
        document: the plan.
        form: `text`, `json`, `markdown` or `github`; "" for the comment alone.
        next_step: the exact command that applies it.
        told: lines that belong to it.
        everything: whether families are opened.
        comment: a file for the same as Markdown.
    """
    if comment is not None or form == "github":
        publish(world, plan_markdown(document, told=told, everything=everything), comment, form=form)
    match form:
        case "json":
            say(plan_bytes(document))
        case "markdown":
            say(plan_markdown(document, told=told, everything=everything))
        case "":
            pass
        case "github":
            say(plan_github(document, told=told, everything=everything))
        case _:
            text = plan_text(
                document, colour=world.colour("stdout"), next_step=next_step, everything=everything
            )
            say(text + "".join(f"  {clean(line)}\n" for line in told))


def tell_outcomes(
    world: World,
    document: PlanDoc,
    outcomes: Sequence[Outcome],
    *,
    form: str,
    code: ExitCode,
    everything: bool = False,
    comment: Path | None = None,
    told: Sequence[str] = (),
) -> None:
    """Write to stdout what was done, what was not, and what is not known.

    Args:
        world: what the process has.
        document: the plan.
        outcomes: of its actions.
        form: `text`, `json`, `markdown` or `github`; "" for the comment alone.
        code: how the command ends.
        everything: whether families are opened.
        comment: a file for the same as Markdown.
        told: lines that belong to the plan.
    """
    if comment is not None or form == "github":
        lines = grouping.outcomes(outcomes, document, everything=everything)
        publish(world, apply_markdown(document, outcomes, lines, told), comment, form=form)
    if not form:
        return
    if form == "json":
        report = ApplyDoc(
            plan=document, outcomes=tuple(outcome_doc(outcome) for outcome in outcomes), exit_code=int(code)
        )
        say(pretty(report))
    elif form == "github":
        say(outcomes_github(outcomes, document))
    elif form == "markdown" and outcomes:
        say(outcomes_markdown(outcomes, grouping.outcomes(outcomes, document, everything=everything)))
    elif outcomes:
        rows = grouping.outcomes(outcomes, document, everything=everything)
        say(outcomes_text(outcomes, rows, colour=world.colour("stdout")))
    elif document.pending:
        say("Nothing was done.\n")


def plan_bytes(document: PlanDoc) -> bytes:
    """Return a plan as JSON; a plan file holds the same bytes."""
    return plan_file.encode(document)
