"""Run the command of RECONCILER_KEY_COMMAND, whose output is the API key. Nothing that it prints is shown or logged."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from reconciler.api.key import KEY_COMMAND, ApiKeyError
from reconciler.vcs import git_process

TIMEOUT_SECONDS: Final = 30.0


def key_from_command(
    environ: Mapping[str, str], top: Path, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> str:
    """Return the output of the command.

    No shell runs it. It gets the environment, without this tool's own variables, and no input. It runs in the root
    folder of the system, so that it reads no file of the checkout.

    Args:
        environ: the environment of the process, which names the command.
        top: the folder of the project or its repository. No program in it is run.
        timeout_seconds: for the command.

    Raises:
        ApiKeyError: the command cannot be run, fails, or does not end in time.
    """
    folders = git_process.search_path(top)
    command = _split(environ[KEY_COMMAND])
    program = _program(command[0], folders, top)
    given = {name: value for name, value in environ.items() if not name.startswith("RECONCILER_")}
    failure, done = "", None
    try:
        done = subprocess.run(  # noqa: S603  no shell; only the environment names the command
            [program, *command[1:]],
            cwd=os.sep,
            env={**given, "PATH": os.pathsep.join(folders)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        failure = f"did not end within {timeout_seconds:g} s"
    except (OSError, ValueError) as error:  # the latter for a NUL in an argument
        failure = f"cannot be run: {getattr(error, 'strerror', None) or error}"
    if done and done.returncode:
        failure = f"ended with exit code {done.returncode}"
    if done is None or failure:  # outside of `except`: an error must not keep the output
        raise _error(failure, f"run it yourself to see why: {command[0]} …")
    return done.stdout.decode("latin-1")


def _split(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _error(f"cannot be split into words: {error}", "put words with spaces in quotes") from None
    if not words:
        raise _error("is empty", "set it to a command that prints the key, or unset it")
    return words


def _program(name: str, folders: Iterable[str], top: Path) -> str:
    """Return the path of a program outside of the checkout."""
    paths = [Path(name)] if Path(name).is_absolute() else [Path(folder, name) for folder in folders]
    found = next((it for it in paths if os.access(it, os.X_OK) and it.is_file()), None)
    if found is None or ("/" in name and not Path(name).is_absolute()):
        raise _error(f"names no program: {name}", "give the name of a program in PATH, or an absolute path")
    if Path(os.path.realpath(found)).is_relative_to(os.path.realpath(top)):
        raise _error(f"names a program of the checkout: {name}", "a pull request could change it: move it")
    return str(found)


def _error(what: str, hint: str) -> ApiKeyError:
    return ApiKeyError(f"{KEY_COMMAND} {what}", hint=hint)
