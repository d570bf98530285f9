"""`reconciler plan`: show what would be done, and why. It creates and cancels no jobs, and writes only files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from reconciler.cli.output.plan_output import codes, plan_bytes, reporting_errors, write_plan
from reconciler.cli.output.streams import save
from reconciler.cli.params import options
from reconciler.cli.params.guard_options import guard_flags, guard_options
from reconciler.cli.params.options import quoted
from reconciler.cli.session.load_declared import gather, gather_from
from reconciler.cli.session.session import reading
from reconciler.cli.session.target import check_other_settings
from reconciler.environment import Environment
from reconciler.errors import ExitCode, UsageError
from reconciler.plans.document import PlanDoc


@click.command()
@options.selection
@options.file("--out", "Save the plan to a file, for `apply FILE`.", "-o")
@options.file(
    "--observed",
    "Plan against a snapshot (`jobs snapshot`) instead of the workspace: no key, no network.",
)
@options.output("text", "json", "markdown", "github", comment=True)
@options.flag("--detailed-exitcode", "Exit with 2 if changes are pending, or will be.")
@options.flag("--fail-on-attention", "Exit with 6 if anything needs attention.")
@guard_options
@options.common
def plan(
    env: Environment,
    *,
    selection: options.Selection,
    out: Path | None,
    observed: Path | None,
    output: options.Output,
    detailed_exitcode: bool,
    fail_on_attention: bool,
    overrides: Mapping[str, object],
    common: options.Common,
) -> int:
    """Show what apply would do, and why.

    SPECS, files or folders below the spec root, --only and --exclude select what is considered; other jobs are left
    alone. Jobs that are no longer declared are cancelled only if the whole spec root is considered. Exit with 3 if a
    guard holds something back; a saved plan has only the rest.
    """
    if out == Path("-"):
        raise UsageError("-o needs a file name", hint="to print the plan to stdout, use --format json")
    with reporting_errors(env, output, what="plan"):
        with reading(common, env, overrides, offline=observed is not None) as run:
            check_other_settings(run.project, env)
            found = gather_from(run, observed, selection) if observed else gather(run, selection)
        document = found.document
        if out is not None:
            save(env.cwd / out, plan_bytes(document))
    flags = (*common.flags, *guard_flags(overrides))
    from_ = () if observed is None else (f"--observed {quoted(observed)}",)
    step = next_step(document, (*selection.flags, *from_), out, flags)
    write_plan(env, document, output, next_step=step)
    shown = codes(document, detailed_exitcode=detailed_exitcode, fail_on_attention=fail_on_attention)
    return ExitCode.GUARD if document.guards else shown


def next_step(document: PlanDoc, selection: Sequence[str], out: Path | None, flags: Sequence[str]) -> str:
    """Return the next commands: those that apply exactly this plan only if it is saved."""
    if out is not None:
        saved = "Saved without what is held back" if document.guards else "Saved"
        return f"{saved}. To apply exactly this plan: {' '.join(('reconciler apply', quoted(out), *flags))}"
    command = " ".join(("reconciler apply", *selection, *flags))
    save = " ".join(("reconciler plan", *selection, "-o plan.json", *flags))
    if any(word.startswith("--observed") for word in selection):
        return f"Not saved. To save a plan that apply follows exactly: {save}"
    return f"Not saved: `{command}` plans again and asks. To save a plan that apply follows exactly: {save}"
