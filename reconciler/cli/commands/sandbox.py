"""`reconciler sandbox`: serve the embedded imitation of the API over HTTP, or empty it."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from reconciler.cli.output.streams import write_stderr, write_stdout
from reconciler.cli.params import options
from reconciler.cli.session.connect import sandbox_db, sandbox_installed
from reconciler.cli.session.target import find_project
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, explaining


@click.group()
def sandbox() -> None:
    """Serve or empty the embedded imitation of the API."""


@sandbox.command()
@click.option("--host", "address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for any free one.",
)
@options.file("--db", "The database file.  [default: the one of --sandbox]")
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Speed relative to real time.",
)
@options.flag("--lenient", "Accept any model and any request body.")
@click.pass_obj
def serve(env: Environment, *, address: str, port: int, db: Path | None, speed: float, lenient: bool) -> int:
    """Serve the sandbox over HTTP until interrupted. Each API key has its own workspace."""
    with sandbox_installed():
        from reconciler.sandbox.app import make_app
        from reconciler.sandbox.server import Server
        from reconciler.sandbox.store import Store
    file = env.cwd / db if db else sandbox_db(find_project(env, options.Chosen()))
    with Store(file) as store:
        try:
            app = make_app(store, now=env.now, speed=speed, lenient=lenient)
            server = Server(app, address, port)
        except (OSError, ValueError) as error:  # the latter for a speed that is NaN
            raise ReconcilerError(
                f"the sandbox cannot listen on {address}, port {port}: {error}",
                hint="choose another port with --port; 0 picks a free one",
            ) from error
        write_stdout(f"sandbox on {server.url} (no charges; press Ctrl-C to stop)\n")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            write_stderr("")
        finally:
            server.shutdown()
    return 0


@sandbox.command()
@options.chosen
def reset(env: Environment, *, chosen: options.Chosen) -> int:
    """Delete everything in the embedded sandbox: its jobs, its files and its ledger."""
    folder = find_project(env, chosen).root / ".reconciler" / "sandbox"
    hint = "stop the processes that use it, or remove it by hand"
    with explaining(f"{folder} cannot be removed", hint):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            write_stdout("the sandbox was empty\n")
            return 0
    write_stdout("the sandbox is empty\n")
    return 0
