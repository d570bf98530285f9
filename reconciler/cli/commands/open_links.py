"""`reconciler open`: print the addresses of the pages about a name's newest job."""

from __future__ import annotations

import click
from msgspec.structs import asdict, replace

from reconciler.cli.output.streams import write_stdout
from reconciler.cli.params import options
from reconciler.cli.session import read_history
from reconciler.documents.reports import pretty
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.history.links import links
from reconciler.planning.actions import Reason
from reconciler.text.sanitize import clean
from reconciler.text.suggest import did_you_mean


@click.command("open")
@click.argument("name")
@options.flag("--offline", "Use only the ledger and pulled results: no key, no network.")
@options.output_format("text", "json")
@options.common
def open_links(env: Environment, *, name: str, offline: bool, form: str, common: options.Common) -> int:
    """Print links to the CI run, commit and pull request of the newest job of NAME, and to the console.

    It is the job that `status` names, if that names one. It prints addresses and opens nothing.
    """
    _, found = read_history.read(common, env, offline=offline)
    jobs = [it for it in found.records if it.name == name and it.cancel_reason != Reason.DUPLICATE]
    if not jobs:
        hint = did_you_mean(name, {it.name for it in found.records}, "reconciler history lists the jobs")
        raise ReconcilerError(f"no job named {name} was found", hint=hint)
    document = links(jobs[-1])
    if found.target.sandbox:
        document = replace(document, console=None)
    if form == "json":
        write_stdout(pretty(document))
    else:
        rows = {word: value for word, value in asdict(document).items() if word != "name"}
        write_stdout(
            "".join(f"{word.replace('_id', ''):<8} {clean(value or '?')}\n" for word, value in rows.items())
        )
    return ExitCode.OK
