"""How a command reaches the API: the key, the network or the embedded sandbox, and who hears of every request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.api.http import Observer
from reconciler.api.key import Key, read_key
from reconciler.api.transport import Transport, https_transport, wsgi_transport
from reconciler.api.values import RequestRecord
from reconciler.cli.params.options import Common
from reconciler.environment import World
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model import Target
from reconciler.specs.project import STATE, Project

if TYPE_CHECKING:
    from reconciler.environment import Log


def key(common: Common, world: World, target: Target) -> Key:
    """Return the key that the target asks for.

    Raises:
        ReconcilerError: there is none.
    """
    if target.sandbox:
        from reconciler.sandbox import BUILT_IN_KEY

        return Key(BUILT_IN_KEY)
    return read_key(environ=world.environ, file=common.api_key_file and world.cwd / common.api_key_file)


def sandbox_db(project: Project) -> Path:
    """Return where the embedded sandbox keeps its state."""
    return project.root / STATE / "sandbox" / "sandbox.db"


def transport(world: World, project: Project, target: Target, stack: ExitStack) -> Transport:
    """Return what carries requests: the network, or the embedded sandbox, which closes with `stack`.

    Raises:
        ReconcilerError: the base URL cannot be used, or the sandbox is not installed.
        UsageError: the sandbox's speed is none.
    """
    if not target.sandbox:
        limits = project.settings.limits
        return https_transport(target.base_url, connections=limits.reads_in_flight + limits.in_flight)
    with sandbox_installed():
        from reconciler.sandbox.app import make_app
        from reconciler.sandbox.store import Store
    store = stack.enter_context(Store(sandbox_db(project)))
    speed = sandbox_speed(world)
    return wsgi_transport(make_app(store, now=world.now, speed=speed, ids=world.uuid))


@contextmanager
def sandbox_installed() -> Iterator[None]:
    """Import the sandbox within this.

    Raises:
        ReconcilerError: a package that it needs is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ReconcilerError(
            f"the sandbox needs the package {error.name}",
            hint='pip install "mistral-batch-reconciler[sandbox]"',
        ) from error


def sandbox_speed(world: World) -> float:
    """Return how many times faster than life the embedded sandbox works.

    Raises:
        UsageError: RECONCILER_SANDBOX_SPEED is not a positive number.
    """
    text = world.environ.get("RECONCILER_SANDBOX_SPEED", "1")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise UsageError(
            f"RECONCILER_SANDBOX_SPEED is {text!r}", hint="give a positive number, such as 100, or inf"
        )
    return speed


def observer(log: Log, ear: Observer | None) -> Observer:
    """Return what logs every request, and tells `ear` of it."""

    def heard(record: RequestRecord) -> None:
        if ear is not None:
            ear(record)
        facts = {
            "method": record.method,
            "path": record.path,
            "status": record.status,
            "elapsed_ms": record.elapsed_ms,
            "attempt": record.attempt,
        }
        if record.error:
            log("request.failed", **facts, error=record.error)
        else:
            log("request.sent", **facts)

    return heard
