"""A command that is told something on its standard input: without a shell, without the key, within its time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from reconciler.api.key import VARIABLE
from reconciler.text.sanitize import clean

SHOWN: Final = 200
"""Characters of a command's last words that are shown."""
READ: Final = 4096


def environment(environ: Mapping[str, str], redact: Callable[[str], str]) -> dict[str, str]:
    """Return an environment without the key, under whatever name it is there."""
    key = environ.get(VARIABLE)
    return {
        name: value
        for name, value in environ.items()
        if name != VARIABLE and redact(value) == value and not (key and key in value)
    }


def run(
    command: Sequence[str], said: bytes, *, folder: Path, environ: Mapping[str, str], timeout_seconds: float
) -> str:
    """Run a command and return what went wrong, "" where it ended with exit code 0.

    Its input and its words are files, so that nothing it leaves running can keep us; what it writes to stdout is
    dropped, since ours is the product.

    Args:
        command: the program and its arguments.
        said: its standard input.
        folder: where it runs.
        environ: its environment.
        timeout_seconds: after which it is ended, and all that it has started.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(said)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603  no shell; the command is the team's own, reviewed in git
                list(command),
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=folder,
                env=dict(environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # the latter for a NUL in an argument
            return clean(f"{command[0]} cannot be run: {getattr(error, 'strerror', None) or error}")
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"it did not end within {timeout_seconds:g} s"
        except BaseException:
            _end(process)
            raise
        return "" if code == 0 else _words(code, stderr)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _words(code: int, stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - READ))
    lines = stderr.read().decode("utf-8", "replace").strip().splitlines()
    ended = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
    return f"{ended}: {clean(lines[-1])[:SHOWN]}" if lines else ended
