"""`reconciler wait`: wait until all declared jobs, or those named, have ended."""

from __future__ import annotations

import click

from reconciler.cli.output.job_bars import job_bars
from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.params.time_types import duration
from reconciler.cli.session.load_declared import load_declared
from reconciler.cli.session.session import reading
from reconciler.cli.session.signals import STOPPED_WATCHING, interrupts
from reconciler.environment import Environment
from reconciler.errors import ExitCode
from reconciler.render.status_view import formatted
from reconciler.runs.gather import gather
from reconciler.runs.wait import PollPolicy, log_finished, wait_until_ended

timeout = click.option(
    "--timeout",
    type=duration,
    metavar="DURATION",
    help="Stop waiting after this time (90, 30m, 2h, 1d) and exit with 6.",
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@timeout
@options.output("text", "json", "markdown")
@options.common
def wait(
    env: Environment,
    *,
    names: tuple[str, ...],
    timeout: float | None,
    output: options.Output,
    common: options.Common,
) -> int:
    """Wait until no declared work runs any more: all of it, or that of NAMES (names or globs).

    The rest of a canary, a retry and the next part of large work need an apply: then the wait ends, and says what an
    apply would submit. Exit with 0 only if all work is complete and passes its `checks`; with 6 if anything needs
    attention or an apply, or on --timeout. Nothing is submitted or cancelled, and jobs keep running when the wait ends.
    For jobs that take days, run apply every hour instead of keeping a runner waiting.
    """
    with interrupts(env, STOPPED_WATCHING), reading(common, env, without_deadline=True) as run:
        declaration = load_declared(run, options.Selection(only=names), only_shown=True)
        with job_bars(env) as show:
            state = wait_until_ended(
                run,
                lambda: gather(run, declaration),
                PollPolicy(timeout_seconds=timeout),
                show,
            )
        log_finished(run, state)
    code = ExitCode.OK if state.all_succeeded else ExitCode.ATTENTION
    write_stdout(formatted(state.document(code), output.form, now=env.now(), everything=output.everything))
    return code
