"""Results on their way out: stdout is the product."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from reconciler import planfile
from reconciler.cli.host import Host
from reconciler.document import PlanDoc
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.outcomes import Outcome
from reconciler.render.clean import clean
from reconciler.render.markdown import outcomes_markdown, plan_markdown
from reconciler.render.outcome_words import outcome_doc
from reconciler.render.text import outcomes_text, plan_text
from reconciler.reports import ApplyDoc, pretty


def tell(host: Host, document: PlanDoc, *, form: str, next_step: str = "", told: Sequence[str] = ()) -> None:
    """Write a plan to stdout in the form that was asked for; `told` are lines that belong to it."""
    match form:
        case "json":
            click.echo(plan_bytes(document), nl=False)
        case "markdown":
            click.echo(plan_markdown(document), nl=False)
        case _:
            text = plan_text(document, colour=host.colour("stdout"), next_step=next_step)
            click.echo(text + "".join(f"  {clean(line)}\n" for line in told), nl=False, color=True)


def tell_outcomes(
    host: Host, document: PlanDoc, outcomes: Sequence[Outcome], *, form: str, code: ExitCode
) -> None:
    """Write to stdout what was done, what was not, and what is not known."""
    if form == "json":
        report = ApplyDoc(
            plan=document, outcomes=tuple(outcome_doc(outcome) for outcome in outcomes), exit_code=int(code)
        )
        click.echo(pretty(report), nl=False)
    elif form == "markdown" and outcomes:
        click.echo(outcomes_markdown(outcomes), nl=False)
    elif outcomes:
        click.echo(outcomes_text(outcomes, colour=host.colour("stdout")), nl=False, color=True)
    elif document.pending:
        click.echo("Nothing was done.")


def plan_bytes(document: PlanDoc) -> bytes:
    """Return a plan as JSON; a plan file holds the same bytes."""
    return planfile.encode(document)


def save(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        ReconcilerError: the folder is missing or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReconcilerError(
            f"{path} cannot be written: {error.strerror}", hint="name a file in a folder that exists"
        ) from error
