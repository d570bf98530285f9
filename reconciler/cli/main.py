"""The entry point: commands by name, and the one boundary that turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from reconciler import __version__
from reconciler.cli.output.streams import (
    configure_streams,
    flush_streams,
    runner_log,
    write_error,
    write_stderr,
)
from reconciler.environment import Environment
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.file_access import hint_of

COMMANDS: Final[dict[str, str]] = {
    "init": "Write reconciler.yaml, an example, schemas, workflows.",
    "validate": "Check the specs and their inputs, offline.",
    "convert": "Convert another provider's batch file.",
    "render": "Print the specs with families and defaults expanded.",
    "try": "Send the first requests to the live endpoint.",
    "plan": "Show what apply would do, and why.",
    "show": "Show a saved plan.",
    "apply": "Create what is missing, cancel what was removed.",
    "status": "Show the state of every declared job.",
    "rerun": "Ask for another run of a job.",
    "retry": "Allow one more attempt at what has no answer.",
    "wait": "Wait until no declared work runs.",
    "history": "Show the history of this project's jobs.",
    "report": "Write one page that shows jobs over time.",
    "open": "Print links of the newest job.",
    "outputs": "Fetch the results of ended jobs.",
    "jobs": "List, inspect and cancel jobs.",
    "prices": "Show the prices of models.",
    "doctor": "Check key, host, clock, git and ledger.",
    "ledger": "Show the ledger, fetch the shared one, or copy it.",
    "ci": "Run in GitHub Actions.",
    "schema": "Print a JSON Schema.",
    "sandbox": "Serve or empty the imitation of the API.",
}
"""Summaries of the commands in the order of use, so that `--help` imports none of their modules."""
_MODULES: Final = {"try": "try_out", "open": "open_links"}
"""Modules of commands whose names are words of Python."""


class Commands(click.Group):
    """A group that imports a command only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        name = _MODULES.get(cmd_name, cmd_name)
        module = importlib.import_module(f"reconciler.cli.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  likewise
        """Write a line for each command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command by its name. Raises `UsageError` if there is none, and suggests a similar name."""
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
    """Run one command, given its arguments without the program's name, and return its exit code."""
    configure_streams()
    with runner_log(os.environ if env is None else env.environ):
        return _run_in_process(argv) if env is None else _run(argv, env)


def _run_in_process(argv: Sequence[str]) -> int:
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
    env = replace(env, logs=[])
    try:
        code = cli.main(args=list(argv), prog_name="reconciler", standalone_mode=False, obj=env)
        return int(code or ExitCode.OK)
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        write_stderr("interrupted")
        return ExitCode.INTERRUPTED
    except ReconcilerError as error:
        return _failed(env, error)
    except SystemExit:  # click's answer to a closed pipe: `reconciler --help | head`
        return ExitCode.OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = hint_of(error, "check that the path exists and that you may use it" if where else "")
        return _failed(env, ReconcilerError(f"{where}{error.strerror or error}", hint=hint))
    finally:
        for log in env.logs:
            log.close()


def _failed(env: Environment, error: ReconcilerError) -> ExitCode:
    """Show an error, and log it in the log that was opened last."""
    write_error(env, error)
    for log in env.logs[-1:]:
        log("command.failed", exit_code=int(error.exit_code), error=str(error))
    return error.exit_code


def _usage(error: click.ClickException) -> int:
    """Show a usage error. Click exits with 2, which here means that changes are pending."""
    error.show()
    if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.command is cli:
        write_stderr("  hint: options follow the command: reconciler plan --sandbox")
    return ExitCode.USAGE
