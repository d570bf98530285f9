"""`reconciler prices`: show the prices that plans and costs use. No key, no network."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import click
from msgspec.structs import replace

from reconciler.catalogue.models import by_name
from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.target import find_project
from reconciler.documents.reports import pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.render.prices_view import price_list, prices_text, prices_yaml
from reconciler.specs import prices as project_prices
from reconciler.text.suggest import did_you_mean
from reconciler.text.timestamps import day_of


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@options.chosen
@options.flag("--all", "Also show retired models and earlier prices.", "everything")
@options.file("--write", "Write the prices to a new file, such as prices.yaml, to edit them.")
@options.output_format("text", "json")
def prices(
    env: Environment,
    *,
    models: tuple[str, ...],
    chosen: options.Chosen,
    everything: bool,
    write: Path | None,
    form: str,
) -> int:
    """Show the prices of models, and the source of each. MODEL may be an alias or a glob.

    They are the rows of prices.yaml, and for other models those that ship with the package. A plan estimates with them.
    """
    found = project_prices.load(find_project(env, chosen))
    retired = {name: model.retired for name, model in by_name().items()}
    shown = price_list(found, retired, day=day_of(env.now()))
    names = {name: it.model for it in shown.prices for name in (it.model, *it.aliases)}
    for glob in models:
        if not fnmatch.filter(names, glob):
            hint = did_you_mean(glob, [*names], f"add a row to {project_prices.NAME}")
            raise ReconcilerError(f"no price of {glob} is known", hint=hint)
    kept = {names[name] for glob in models or ("*",) for name in fnmatch.filter(names, glob)}
    wanted = tuple(it for it in shown.prices if it.model in kept)
    rows = [it for it in wanted if everything or it.current] or wanted
    if write:
        current = {it.model for it in rows}
        _save(env.cwd / write, prices_yaml(shown, [it for it in wanted if it.model in current]))
        write_stderr(f"Wrote {write}. Plans read {project_prices.NAME} beside reconciler.yaml.")
    elif form == "json":
        write_stdout(pretty(replace(shown, prices=wanted)))
    else:
        write_stdout(prices_text(shown, rows))
    return ExitCode.OK


def _save(path: Path, text: str) -> None:
    """Write a new file. Raises `ReconcilerError` if it exists."""
    from reconciler import file_access

    try:
        with file_access.create(path, mode=file_access.SHARED) as stream:
            stream.write(text.encode())
    except FileExistsError:
        raise ReconcilerError(f"{path} exists", hint="choose another name, or remove it") from None
