"""Connect to the API: the key, the network or the embedded sandbox, and the log of requests.

Nothing that the command of RECONCILER_KEY_COMMAND prints is shown or logged.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import asdict

from reconciler.api.errors import TOO_MANY_REQUESTS
from reconciler.api.http import Observer
from reconciler.api.key import KEY_COMMAND, ApiKey, ApiKeyError, read_key
from reconciler.api.transport import Transport, https_transport, wsgi_transport
from reconciler.api.values import MODELS, RequestRecord
from reconciler.cli.params.options import Common
from reconciler.cli.session.target import TRUE
from reconciler.environment import Environment, Log
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model import Target
from reconciler.specs.project import STATE, Project
from reconciler.vcs import git_process


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
        if record.error and record.path == MODELS:
            log("models.not_listed", **facts)
        elif record.status == TOO_MANY_REQUESTS:
            log("request.throttled", **facts)
        elif record.error:
            log("request.failed", **facts)
        else:
            del facts["error"]
            log("request.sent", **facts)

    return report


def key_from_command(environ: Mapping[str, str], top: Path, *, timeout_seconds: float = 30) -> str:
    """Return the output of the command.

    No shell runs it. It gets the environment without this tool's own variables, and no input. It runs in the root
    folder of the system, so that it reads no file of the checkout. No program in `top`, the folder of the project or
    its repository, is run. Raises `ApiKeyError` if the command cannot be run, fails, or does not end in time.
    """
    folders = git_process.search_path(top)
    try:
        name, *arguments = shlex.split(environ[KEY_COMMAND])
    except ValueError:  # a quote that is not closed, or no word at all
        raise _error("is not a command line", "set it to a command that prints the key") from None
    paths = [Path(name)] if os.path.dirname(name) else [Path(folder, name) for folder in folders]  # noqa: PTH120
    found = next((path for path in paths if os.access(path, os.X_OK) and path.is_file()), None)
    if found is None or not found.is_absolute():
        raise _error(f"names no program: {name}", "give the name of a program in PATH, or an absolute path")
    if Path(os.path.realpath(found)).is_relative_to(os.path.realpath(top)):
        raise _error(f"names a program of the checkout: {name}", "a pull request could change it: move it")
    given = {name: value for name, value in environ.items() if not name.startswith("RECONCILER_")}
    try:
        done = subprocess.run(  # noqa: S603  no shell; only the environment names the command
            [str(found), *arguments],
            cwd=os.sep,
            env={**given, "PATH": os.pathsep.join(folders)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        failure = f"ended with exit code {error.returncode}"
    except subprocess.TimeoutExpired:
        failure = f"did not end within {timeout_seconds:g} s"
    except (OSError, ValueError) as error:  # the latter for a NUL in an argument
        failure = f"cannot be run: {getattr(error, 'strerror', None) or error}"
    else:
        return done.stdout.decode("latin-1")
    # Outside of `except`, which holds the output.
    raise _error(failure, f"run it yourself to see why: {name} …")


def _error(what: str, hint: str) -> ApiKeyError:
    return ApiKeyError(f"{KEY_COMMAND} {what}", hint=hint)
