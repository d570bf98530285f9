"""`reconciler sandbox`: the embedded stand-in for the API, served over HTTP or emptied."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.output.streams import aside, say
from reconciler.cli.params import options
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.environment import World


@click.group()
def sandbox() -> None:
    """Serve or empty the embedded stand-in for the API."""


@sandbox.command()
@click.option("--host", "address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--db", type=options.PATH, metavar="FILE", help="Where it keeps its state.  [default: --sandbox's]"
)
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Times life."
)
@click.pass_obj
def serve(world: World, *, address: str, port: int, db: Path | None, speed: float) -> int:
    """Serve the sandbox over HTTP, until interrupted. Any key opens a workspace of its own."""
    from reconciler.cli.session.connect import sandbox_installed

    with sandbox_installed():
        from reconciler.sandbox.app import make_app
        from reconciler.sandbox.server import serve as listen
        from reconciler.sandbox.store import Store
    with Store(world.cwd / db if db else default_db(world)) as store:
        try:
            app = make_app(store, now=world.now, speed=speed)
            server = listen(app, address, port)
        except (OSError, ValueError) as error:  # the latter for a speed that is no number
            raise ReconcilerError(
                f"the sandbox cannot listen on {address}, port {port}: {error}",
                hint="choose another port with --port; 0 takes any free one",
            ) from error
        say(f"sandbox on {server.url} (nothing is bought; Ctrl-C ends it)\n")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            aside("")
        finally:
            server.shutdown()
    return 0


@sandbox.command()
@click.option("--config", type=options.PATH, metavar="FILE", help="Another reconciler.yaml.")
@click.pass_obj
def reset(world: World, *, config: Path | None) -> int:
    """Forget everything in the embedded sandbox: its jobs, its files and its ledger."""
    from reconciler.specs.project import load_project

    folder = load_project(config and world.cwd / config, start=world.cwd).root / ".reconciler" / "sandbox"
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        say("the sandbox was empty\n")
        return 0
    except OSError as error:
        raise ReconcilerError(
            f"{folder} cannot be removed: {error.strerror or error}",
            hint="end what still works on it, or remove it by hand",
        ) from error
    say("the sandbox is empty\n")
    return 0


def default_db(world: World) -> Path:
    """Return the embedded sandbox's own database, so that both look at the same jobs."""
    from reconciler.cli.session.connect import sandbox_db
    from reconciler.specs.project import load_project

    return sandbox_db(load_project(None, start=world.cwd))
