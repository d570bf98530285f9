"""`reconciler apply`: create what is missing, cancel what was removed, and report what was done."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from reconciler.cli.commands.wait import timeout
from reconciler.cli.params import options
from reconciler.cli.params.guard_options import guard_options
from reconciler.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from reconciler.environment import Environment


@click.command()
@options.selection
@options.yes
@options.output("text", "json", "markdown", "github", comment=True)
@options.flag("--fail-on-attention", "Exit with 6 if anything needs attention.")
@options.flag(
    "--wait",
    "Wait until every job has ended: retry as the specs ask for, submit held jobs once the quota allows it.",
)
@options.flag(
    "--only-agreed",
    "Do only what the given plan files contain, and what continues earlier work. For scheduled runs and CI.",
)
@timeout
@guard_options
@options.common
def apply(
    env: Environment,
    *,
    selection: options.Selection,
    yes: bool,
    output: options.Output,
    fail_on_attention: bool,
    wait: bool,
    only_agreed: bool,
    timeout: float | None,
    overrides: Mapping[str, object],
    common: options.Common,
) -> int:
    """Create what is missing, and cancel what was removed.

    SPECS, files or folders below the spec root, --only and --exclude select what is considered. Instead, a plan file
    saved by `reconciler plan -o plan.json` can be given: its actions are applied, as far as they are still valid, and
    so are the rest of a canary and the retries of its creates, up to the number of requests that it shows in all.

    With --only-agreed, any number of plan files, the oldest first: of each name, the last one that would change
    something counts. What they contain is done as far as it is still valid, and so is what continues earlier work:
    retries, the rest of a canary, creates that had to wait, the next period of `rerun`; but not if `retry`,
    `canary` or `checks` allow more since, or with more requests in all. Everything else is held; the exit code is 3.

    With --wait, later rounds submit only the attempts that `retry` asks for, the rest of a canary, and the jobs of this
    plan that the quota held, under the same guards; with a saved plan, only what continues its creates. Exit with 0
    only if every job has succeeded and passed its `checks`; with 6 if anything needs attention or another apply, or on
    --timeout.
    """
    from reconciler.cli.commands.show import read_plan
    from reconciler.cli.output.plan_output import reporting_errors
    from reconciler.cli.session.apply_flow import ApplyFlow
    from reconciler.cli.session.last_apply import note_applied
    from reconciler.cli.session.load_declared import load_declared, select_saved
    from reconciler.cli.session.session import locked, writing
    from reconciler.cli.session.signals import interrupts
    from reconciler.plans.agreement import AgreedPlan
    from reconciler.plans.plan_file import digest_prefix

    began = env.now()
    if timeout is not None and not wait:
        raise UsageError("--timeout has no effect without --wait", hint="add --wait")
    if wait and only_agreed:
        raise UsageError(
            "--only-agreed does not wait", hint="leave out --wait, and run the command again later"
        )
    files = plan_files(env.cwd, selection, several=only_agreed)
    reporting = partial(reporting_errors, env, output, what="apply")
    with reporting():
        plans = [AgreedPlan(read_plan(env.cwd, file), file.name) for file in files]
    saved = plans[0].document if plans and not only_agreed else None
    ask = not yes and saved is None and not only_agreed
    if ask and not env.terminal("stdin"):
        raise UsageError(
            "apply asks before it submits, and there is no terminal to ask on",
            hint="pass --yes, or apply a saved plan: reconciler plan -o plan.json && reconciler apply plan.json",
        )
    with (
        reporting(),
        interrupts(env) as interrupted,
        writing(common, env, overrides, without_deadline=wait) as opened,
        nullcontext() if wait else locked(opened),
    ):
        plan = ",".join(digest_prefix(it.document) for it in plans)
        run = replace(opened, source=structs.replace(opened.source, plan=plan))
        declaration = load_declared(run) if plans else load_declared(run, selection)
        declaration = select_saved(saved, declaration) if saved else declaration
        applying = ApplyFlow(
            run=run,
            interrupted=interrupted,
            declared=declaration,
            saved=saved,
            # A plan for another project or host agrees to nothing here.
            agreed=[it for it in plans if it.document.target == run.target] if only_agreed else None,
            ask=ask,
            wait=wait,
            output=output,
            began=began,
        )
        planned, outcomes = applying.first()
        end = applying.rest(planned, outcomes, timeout)
        code = applying.report(planned, end, applying.code(planned, end, fail_on_attention=fail_on_attention))
        applying.notify(end.state.planned if end.state else planned)
        if applying.approved and code is ExitCode.OK:
            note_applied(run)
    return code


def plan_files(folder: Path, selection: options.Selection, *, several: bool = False) -> tuple[Path, ...]:
    """Return the arguments, relative to `folder`, if they are plan files, () if they are specs.

    If there may be `several` plan files, there may be nothing else. Raises `UsageError` if a plan file is combined with
    other arguments, or something else than plan files is given.
    """
    plans = tuple(path for path in selection.paths if path.suffix == ".json" or _is_no_spec(folder / path))
    others = [path for path in selection.paths if path not in plans]
    if several and (others or selection.names):
        raise UsageError("--only-agreed takes plan files only", hint="leave out specs, --only and --exclude")
    if plans and len(selection.paths) > 1 and not several:
        raise UsageError(
            f"{plans[0]} is a plan file, which cannot be combined with other arguments",
            hint="apply one plan at a time, without specs; or use --only-agreed",
        )
    if plans and selection.names:
        flag = "--only" if selection.only else "--exclude"
        raise UsageError(
            f"{flag} selects specs, and a plan file is applied whole", hint=f"pass {flag} to plan"
        )
    return plans


def _is_no_spec(path: Path) -> bool:
    return path.exists() and not path.is_dir() and path.suffix not in {".yaml", ".yml"}
