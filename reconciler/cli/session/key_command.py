"""Run the command of RECONCILER_KEY_COMMAND, whose output is the API key. Nothing that it prints is shown or logged."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from reconciler.api.key import KEY_COMMAND, ApiKeyError
from reconciler.vcs import git_process


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
    raise _error(
        failure, f"run it yourself to see why: {name} …"
    )  # outside of `except`, which holds the output


def _error(what: str, hint: str) -> ApiKeyError:
    return ApiKeyError(f"{KEY_COMMAND} {what}", hint=hint)
