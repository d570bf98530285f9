"""The entry: commands by name, and the one boundary where errors become words and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from reconciler import __version__
from reconciler.cli.host import Host
from reconciler.errors import ExitCode, ReconcilerError, SpecError

COMMANDS: Final = {
    "validate": "reconciler.cli.validate:validate",
    "plan": "reconciler.cli.plan:plan",
    "show": "reconciler.cli.show:show",
    "apply": "reconciler.cli.apply:apply",
    "status": "reconciler.cli.status:status",
    "jobs": "reconciler.cli.jobs:jobs",
    "schema": "reconciler.cli.schema:schema",
    "sandbox": "reconciler.cli.sandbox:sandbox",
}
"""Commands in the order of a day's work, each with where it lives."""


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names, in their own order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="reconciler %(version)s")
def cli() -> None:
    """GitOps for batch inference on Mistral AI.

    Specs in git declare batch jobs; plan compares them with the workspace and says why; apply creates what is
    missing and cancels what was removed. The same work is never bought twice.
    """


def run(argv: Sequence[str], host: Host | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments, without the program's name.
        host: the machine; None for the real one.
    """
    _utf8()
    if host is None:
        stop = threading.Event()
        host = Host(environ=os.environ, cwd=Path.cwd(), stop=stop, sleep=stop.wait)
    try:
        code = cli.main(args=list(argv), prog_name="reconciler", standalone_mode=False, obj=host)
        sys.stdout.flush()
        return int(code or ExitCode.OK)
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except ReconcilerError as error:
        click.echo(told(error, colour=host.colour("stderr")), err=True)
        return error.exit_code
    except BrokenPipeError:  # `reconciler plan | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK


def told(error: ReconcilerError, *, colour: bool) -> str:
    """Return what happened, to what, and what to do next."""
    from reconciler.render.clean import clean

    if isinstance(error, SpecError):
        from reconciler.render.problems import problems_text

        return problems_text(error.problems, colour=colour)
    label = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
    hint = f"\n  hint: {clean(error.hint)}" if error.hint else ""
    return f"{label} {clean(str(error))}{hint}"


def _usage(error: click.ClickException) -> int:
    """Click's own exit code for a wrong command line is 2, which is taken: changes are pending."""
    error.show()
    return ExitCode.USAGE


def _utf8() -> None:
    """Write UTF-8 whatever the console's code page is; what cannot be encoded is escaped."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
