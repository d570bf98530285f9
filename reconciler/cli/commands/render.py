"""`reconciler render`: print the expanded specs, or their requests. No key, no network."""

from __future__ import annotations

import click

from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.target import find_project
from reconciler.environment import Environment
from reconciler.render.problems import problems_text
from reconciler.specs import to_yaml
from reconciler.specs.load import load


@click.command()
@options.selection
@options.flag(
    "--requests", "Print the first requests of each job, as they are submitted, in place of its spec."
)
@click.option(
    "-n", "count", type=click.IntRange(1), default=3, show_default=True, help="How many, with --requests."
)
@options.chosen
def render(
    env: Environment, *, selection: options.Selection, requests: bool, count: int, chosen: options.Chosen
) -> int:
    """Print the specs with families, matrices, periods and defaults expanded, one plain document per job.

    Saved as one file directly in the spec folder, in place of all others, they declare the same jobs.
    """
    project = find_project(env, chosen)
    loaded = load(
        project,
        [env.cwd / path for path in selection.paths],
        now=env.now(),
        monotonic=env.monotonic,
        names=selection.names,
    )
    if loaded.warnings:
        write_stderr(problems_text(loaded.warnings, colour=env.colour("stderr")))
    selected = [spec for spec in loaded.specs if loaded.selected is None or spec.name in loaded.selected]
    if requests:
        from reconciler.runs.samples import first_requests

        for spec in selected:
            write_stdout("".join(f"{it.line.decode()}\n" for it in first_requests(spec, project.root, count)))
        return 0
    write_stdout(to_yaml.dump_documents(selected, project.relative(str(project.spec_root))))
    return 0
