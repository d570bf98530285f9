"""The entry point: commands by name, and the one boundary that turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from reconciler import __version__
from reconciler.cli.output.errors import error_text
from reconciler.cli.output.streams import configure_streams, flush_streams, write_stderr
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.text.sanitize import clean

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": (
        "reconciler.cli.commands.init:init",
        "Write reconciler.yaml, an example, schemas, workflows.",
    ),
    "validate": ("reconciler.cli.commands.validate:validate", "Check the specs and their inputs, offline."),
    "render": (
        "reconciler.cli.commands.render:render",
        "Print the specs with families and defaults expanded.",
    ),
    "plan": ("reconciler.cli.commands.plan:plan", "Show what apply would do, and why."),
    "show": ("reconciler.cli.commands.show:show", "Show a saved plan."),
    "apply": ("reconciler.cli.commands.apply:apply", "Create what is missing, cancel what was removed."),
    "status": ("reconciler.cli.commands.status:status", "Show the state of every declared job."),
    "rerun": ("reconciler.cli.commands.rerun:rerun", "Ask for another run of a job."),
    "wait": ("reconciler.cli.commands.wait:wait", "Wait until declared jobs have ended."),
    "history": ("reconciler.cli.commands.history:history", "Show the history of this project's jobs."),
    "outputs": ("reconciler.cli.commands.outputs:outputs", "Fetch the results of ended jobs."),
    "jobs": ("reconciler.cli.commands.jobs:jobs", "List, inspect and cancel jobs."),
    "files": ("reconciler.cli.commands.files:files", "List and delete input files that this tool uploaded."),
    "doctor": ("reconciler.cli.commands.doctor:doctor", "Check key, host, clock, git and ledger."),
    "ledger": ("reconciler.cli.commands.ledger:ledger", "Show the ledger, or fetch the shared one."),
    "ci": ("reconciler.cli.commands.ci:ci", "Run in GitHub Actions."),
    "schema": ("reconciler.cli.commands.schema:schema", "Print a JSON Schema."),
    "sandbox": ("reconciler.cli.commands.sandbox:sandbox", "Serve or empty the imitation of the API."),
}
"""Commands in the order of use, with import path and summary, so that `--help` imports none of them."""


class Commands(click.Group):
    """A group that imports a command only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  likewise
        """Write a line for each command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command by its name.

        Raises:
            UsageError: there is no such command; suggests a similar name.
        """
        if args[0] not in COMMANDS:
            from difflib import get_close_matches

            for near in get_close_matches(args[0], COMMANDS, n=1):
                raise click.UsageError(f"No such command {args[0]!r}. Did you mean {near!r}?", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="reconciler %(version)s")
def cli() -> None:
    """GitOps for batch inference on Mistral AI.

    Specs in git declare batch jobs; plan compares them with the workspace and says why; apply creates what is
    missing and cancels what was removed. An unchanged job is never submitted twice.
    """


def run(argv: Sequence[str], env: Environment | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments, without the program's name.
        env: the environment; None for the real one.
    """
    configure_streams()
    if env is not None:
        return _run(argv, env)
    stop = threading.Event()
    try:
        env = Environment(environ=os.environ, cwd=Path.cwd(), stop=stop, sleep=stop.wait)
    except OSError as error:
        write_stderr(f"error: the current folder cannot be used: {error.strerror}")
        return ExitCode.FAILED
    code = _run(argv, env)
    flush_streams()
    return code


def _run(argv: Sequence[str], env: Environment) -> int:
    try:
        code = cli.main(args=list(argv), prog_name="reconciler", standalone_mode=False, obj=env)
        return int(code or ExitCode.OK)
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        write_stderr("interrupted")
        return ExitCode.INTERRUPTED
    except ReconcilerError as error:
        write_stderr(error_text(error, colour=env.colour("stderr")))
        return error.exit_code
    except SystemExit:  # click's answer to a closed pipe: `reconciler --help | head`
        return ExitCode.OK
    except OSError as error:
        write_stderr(
            f"error: {clean(f'{error.filename}: ' if error.filename else '')}{error.strerror or error}"
        )
        return ExitCode.FAILED


def _usage(error: click.ClickException) -> int:
    """Show a usage error. Click exits with 2, which here means that changes are pending."""
    error.show()
    if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.command is cli:
        write_stderr("  hint: options follow the command: reconciler plan --sandbox")
    return ExitCode.USAGE
