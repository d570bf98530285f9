"""`reconciler apply`: create what is missing, cancel what was removed, and say what was done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.commands.wait import timeout
from reconciler.cli.params import options
from reconciler.cli.params.guard_options import Consent, consents
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.environment import World
    from reconciler.model import Names


@click.command()
@options.paths
@options.names
@options.yes
@options.output_format("text", "json", "markdown", "github")
@options.comment
@options.everything
@click.option("--fail-on-attention", is_flag=True, help="Exit 6 where something needs a person.")
@click.option(
    "--wait",
    is_flag=True,
    help="Go on until every job has ended: retry as the specs ask for, buy what was held once there is room.",
)
@timeout
@consents
@options.common
@click.pass_obj
def apply(
    world: World,
    *,
    paths: tuple[Path, ...],
    names: Names,
    everything: bool,
    yes: bool,
    form: str,
    comment: Path | None,
    fail_on_attention: bool,
    wait: bool,
    timeout: float | None,
    consent: Consent,
    common: options.Common,
) -> int:
    """Create what is missing, and cancel what was removed.

    SPECS, files or folders below the spec root, --only and --exclude select what is considered. Instead, a plan file
    saved by `reconciler plan -o plan.json` is applied exactly: what it holds and what still holds.

    With --wait, later rounds buy only further attempts that `retry` asks for and what the quota held up in this plan,
    under the same guards; a saved plan's creates are retried, and nothing else is bought. Exit 0 only where everything
    has succeeded within its `max_failed`; 6 where something needs a person or another apply, or --timeout has passed.
    """
    from reconciler.cli.commands.show import read_plan
    from reconciler.cli.output.comment import telling_errors
    from reconciler.cli.output.confirmation import Shape
    from reconciler.cli.session.apply_flow import Applying
    from reconciler.cli.session.apply_wait import Shown
    from reconciler.cli.session.load_declared import declared, selected_by
    from reconciler.cli.session.session import lasting, writing
    from reconciler.cli.session.signals import interrupts

    began = world.now()
    if timeout is not None and not wait:
        raise UsageError("--timeout is for --wait", hint="add --wait")
    file = plan_file(world.cwd, paths, names)
    telling = partial(telling_errors, world, comment, form=form, what="apply")
    with telling():
        saved = read_plan(world.cwd, file) if file else None
    ask = not yes and saved is None
    if ask and not world.terminal("stdin"):
        raise UsageError(
            "apply asks before it buys, and there is no terminal to ask on",
            hint="pass --yes, or apply a saved plan: reconciler plan -o plan.json && reconciler apply plan.json",
        )
    opened = lasting if wait else writing
    with telling(), interrupts(world) as interrupted, opened(common, world, consent) as run:
        said = selected_by(saved, declared(run, ())) if saved else declared(run, paths, names)
        applying = Applying(
            run=run,
            interrupted=interrupted,
            declared=said,
            saved=saved,
            ask=ask,
            wait=wait,
            shown=Shown(world=world, shape=Shape(form=form, everything=everything, comment=comment)),
            began=began,
        )
        situation, outcomes = applying.first()
        end = applying.rest(situation, outcomes, timeout)
        code = applying.tell(
            situation, end, applying.code(situation, end, fail_on_attention=fail_on_attention)
        )
        applying.tell_ends(end.view.situation if end.view else situation)
    return code


def plan_file(folder: Path, paths: Sequence[Path], names: Names) -> Path | None:
    """Return the one of the arguments that is a plan file, None where they are specs.

    Raises:
        UsageError: a plan file stands beside something else.
    """
    plans = [path for path in paths if path.suffix == ".json" or _is_no_spec(folder / path)]
    if not plans:
        return None
    if len(paths) > 1:
        raise UsageError(
            f"{plans[0]} is a plan file, and nothing can stand beside it",
            hint="apply one plan at a time, without specs",
        )
    if names:
        flag = "--only" if names.only else "--exclude"
        raise UsageError(
            f"{flag} selects among specs, and a plan file is applied whole", hint=f"give {flag} to plan"
        )
    return plans[0]


def _is_no_spec(path: Path) -> bool:
    return path.exists() and not path.is_dir() and path.suffix not in {".yaml", ".yml"}
