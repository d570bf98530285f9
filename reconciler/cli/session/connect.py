"""Connect to the API: the key, the network or the embedded sandbox, and the log of requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import asdict

from reconciler.api.errors import TOO_MANY_REQUESTS
from reconciler.api.http import Observer
from reconciler.api.key import ApiKey, read_key
from reconciler.api.transport import Transport, https_transport, wsgi_transport
from reconciler.api.values import RequestRecord
from reconciler.cli.params.options import Common
from reconciler.cli.session.key_command import key_from_command
from reconciler.cli.session.target import TRUE
from reconciler.environment import Environment, Log
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model import Target
from reconciler.specs.project import STATE, Project


def key(common: Common, env: Environment, project: Project, target: Target) -> ApiKey:
    """Return the key for the target. Raises `ReconcilerError` if there is no key."""
    if target.sandbox:
        from reconciler.sandbox import BUILT_IN_KEY

        return ApiKey(BUILT_IN_KEY)
    return read_key(
        environ=env.environ,
        file=common.api_key_file and env.cwd / common.api_key_file,
        run=lambda: key_from_command(env.environ, env.git(project.root).toplevel() or project.root),
    )


def sandbox_db(project: Project) -> Path:
    """Return the path of the embedded sandbox's database."""
    return project.root / STATE / "sandbox" / "sandbox.db"


def transport(env: Environment, project: Project, target: Target, stack: ExitStack) -> Transport:
    """Return the transport of requests: the network, or the embedded sandbox, which `stack` closes.

    Raises `ReconcilerError` if the base URL cannot be used, or the sandbox is not installed; `UsageError` if the
    sandbox's speed is not a positive number.
    """
    if not target.sandbox:
        limits = project.settings.limits
        connections = limits.reads_in_flight + limits.in_flight
        return https_transport(target.base_url, connections=connections, client_certificate=True)
    with sandbox_installed():
        from reconciler.sandbox.app import make_app
        from reconciler.sandbox.store import Store
    store = stack.enter_context(Store(sandbox_db(project)))
    speed = sandbox_speed(env)
    lenient = env.environ.get("RECONCILER_SANDBOX_LENIENT", "").strip().lower() in TRUE
    return wsgi_transport(make_app(store, now=env.now, speed=speed, ids=env.uuid, lenient=lenient))


@contextmanager
def sandbox_installed() -> Iterator[None]:
    """Import the sandbox within this. Raises `ReconcilerError` if a package that it needs is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ReconcilerError(
            f"the sandbox needs the package {error.name}",
            hint='pip install "mistral-batch-reconciler[sandbox]"',
        ) from error


def sandbox_speed(env: Environment) -> float:
    """Return the speed of the embedded sandbox relative to real time.

    Raises `UsageError` if RECONCILER_SANDBOX_SPEED is not a positive number.
    """
    text = env.environ.get("RECONCILER_SANDBOX_SPEED", "1")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise UsageError(
            f"RECONCILER_SANDBOX_SPEED is {text!r}", hint="give a positive number, such as 100, or inf"
        )
    return speed


def observer(log: Log, on_request: Observer | None) -> Observer:
    """Return an observer that logs every request and passes it on to `on_request`."""

    def report(record: RequestRecord) -> None:
        if on_request is not None:
            on_request(record)
        facts = asdict(record)
        del facts["served_at"]
        if record.status == TOO_MANY_REQUESTS:
            log("request.throttled", **facts)
        elif record.error:
            log("request.failed", **facts)
        else:
            del facts["error"]
            log("request.sent", **facts)

    return report
