"""Write plans and outcomes to stdout in each format, to a file for a comment, and to GitHub's step summary."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from reconciler import file_access
from reconciler.cli.output.streams import save, write_annotations, write_stdout
from reconciler.cli.params.options import Output
from reconciler.documents.reports import ApplyDoc, WaitDoc, pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError, UsageError, explaining, first_that_holds
from reconciler.plans import plan_file
from reconciler.plans.document import PlanDoc
from reconciler.plans.outcomes import Outcome
from reconciler.render import grouping
from reconciler.render.github import error_github, outcomes_github, plan_github
from reconciler.render.markdown import apply_markdown, error_markdown, outcomes_markdown, plan_markdown
from reconciler.render.outcome_view import outcome_doc
from reconciler.render.text import outcomes_text, plan_text
from reconciler.text.sanitize import clean

SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""The variable that names the file for the step summary's Markdown."""


def publish(env: Environment, text: str, output: Output) -> None:
    """Write Markdown to the `--comment` file, and with `--format github` to the step summary.

    Raises `ReconcilerError` if one of the files cannot be written.
    """
    if output.comment is not None:
        save(env.cwd / output.comment, text.encode())
    page = env.environ.get(SUMMARY)
    if output.form == "github" and page:
        hint = f"GitHub sets {SUMMARY}; elsewhere, do not use --format github"
        with (
            explaining(f"the step summary {page} cannot be written", hint),
            os.fdopen(file_access.append(page), "a", encoding="utf-8") as file,
        ):
            file.write(text)


@contextmanager
def reporting_errors(env: Environment, output: Output, *, what: str) -> Iterator[None]:
    """Report an error in the comment, the step summary and annotations, then raise it again."""
    try:
        yield
    except UsageError:
        raise
    except ReconcilerError as error:
        if output.form == "github":
            write_annotations(error_github(error))
        publish(env, error_markdown(error, what=what), output)
        raise


def write_plan(
    env: Environment,
    document: PlanDoc,
    output: Output,
    *,
    next_step: str = "",
    remarks: Sequence[str] = (),
) -> None:
    """Write a plan, with the exact commands that apply it and more lines about it."""
    everything = output.everything
    markdown = partial(plan_markdown, document, remarks, everything=everything)
    if output.comment is not None or output.form == "github":
        publish(env, markdown(), output)
    match output.form:
        case "json":
            write_stdout(plan_bytes(document))
        case "markdown":
            write_stdout(markdown())
        case "github":
            write_annotations(plan_github(document, remarks, everything=everything))
        case "":
            pass
        case _:
            colour = env.colour("stdout")
            text = plan_text(document, colour=colour, next_step=next_step, everything=everything)
            write_stdout(text + "".join(f"  {clean(line)}\n" for line in remarks))


def codes(document: PlanDoc, *, detailed_exitcode: bool, fail_on_attention: bool) -> ExitCode:
    """Return the exit code of a command that only shows a plan."""
    holds = set()
    if detailed_exitcode and (document.pending or document.summary.again):
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
    waited: WaitDoc | None = None,
) -> None:
    """Write the outcomes of a plan's actions: what was done, what was not, and what is unknown."""
    rows = grouping.outcomes(outcomes, document, everything=output.everything)
    if output.comment is not None or output.form == "github":
        publish(env, apply_markdown(document, outcomes, rows, remarks), output)
    if not output.form:
        return
    if output.form == "json":
        documents = tuple(map(outcome_doc, outcomes))
        write_stdout(pretty(ApplyDoc(plan=document, outcomes=documents, exit_code=int(code), waited=waited)))
    elif output.form == "github":
        write_annotations(outcomes_github(outcomes, document))
    elif output.form == "markdown" and outcomes:
        write_stdout(outcomes_markdown(outcomes, rows))
    elif outcomes:
        write_stdout(outcomes_text(outcomes, rows, colour=env.colour("stdout")))
    elif document.pending or document.guards:
        write_stdout("Nothing was done.\n")


def plan_bytes(document: PlanDoc) -> bytes:
    """Return a plan as JSON; a plan file holds the same bytes."""
    return plan_file.encode(document)
