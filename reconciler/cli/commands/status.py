"""`reconciler status`: show the state of every declared job."""

from __future__ import annotations

import click

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.last_apply import applied_at
from reconciler.cli.session.load_declared import gather
from reconciler.cli.session.session import reading
from reconciler.environment import Environment
from reconciler.errors import ExitCode, first_that_holds
from reconciler.render import prometheus
from reconciler.render.paint import Screen
from reconciler.render.status_view import formatted, last_runs, status_doc
from reconciler.runs.costs import costs_so_far


@click.command()
@options.selection
@options.output("text", "json", "markdown", "prometheus")
@options.flag("--fail-on-attention", "Exit with 6 if anything needs attention.")
@options.common
def status(
    env: Environment,
    *,
    selection: options.Selection,
    output: options.Output,
    fail_on_attention: bool,
    common: options.Common,
) -> int:
    """Show the state of every declared job.

    `prometheus` is the text format of its metrics, for a textfile collector or a push gateway.
    """
    with reading(common, env) as run:
        found = gather(run, selection, only_shown=True)
        costs = costs_so_far(run, found)
        applied = applied_at(run)
    report = status_doc(found.document, found.declared.later, found.declared.selected, costs)
    if output.form == "prometheus":
        held = prometheus.oldest_hold(found.document.decisions, found.memory.open_by_name)
        shown = prometheus.exposition(report, now=env.now(), held_since=held, applied_at=applied)
    else:
        screen, runs = Screen(env.width(), env.colour("stdout")), last_runs(found.observed.owned)
        shown = formatted(
            report, output.form, now=env.now(), everything=output.everything, screen=screen, runs=runs
        )
    write_stdout(shown)
    attention = any(row.attention for row in report.rows)
    return first_that_holds({ExitCode.ATTENTION} if fail_on_attention and attention else set())
