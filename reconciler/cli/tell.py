"""Results on their way out: stdout is the product."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reconciler import planfile
from reconciler.cli.comment import publish
from reconciler.cli.say import say
from reconciler.document import PlanDoc
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.outcomes import Outcome
from reconciler.render import folded
from reconciler.render.clean import clean
from reconciler.render.github import outcomes_github, plan_github
from reconciler.render.markdown import apply_markdown, outcomes_markdown, plan_markdown
from reconciler.render.outcome_words import outcome_doc
from reconciler.render.text import outcomes_text, plan_text
from reconciler.reports import ApplyDoc, pretty
from reconciler.world import World


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
        lines = folded.outcomes(outcomes, document, everything=everything)
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
        say(outcomes_markdown(outcomes, folded.outcomes(outcomes, document, everything=everything)))
    elif outcomes:
        rows = folded.outcomes(outcomes, document, everything=everything)
        say(outcomes_text(outcomes, rows, colour=world.colour("stdout")))
    elif document.pending:
        say("Nothing was done.\n")


def plan_bytes(document: PlanDoc) -> bytes:
    """Return a plan as JSON; a plan file holds the same bytes."""
    return planfile.encode(document)


def save(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; what is no plain file (`/dev/stdout`, a link) is written where it is.

    Raises:
        ReconcilerError: the folder is missing or cannot be written.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(data)
            return
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
