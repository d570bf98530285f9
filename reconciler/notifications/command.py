"""Run a command that reads a notification on its standard input: without a shell, without the key, with a timeout."""

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

from reconciler.text.sanitize import clean

MAX_SHOWN_CHARACTERS: Final = 200
"""Characters shown of the last line that a command wrote to stderr."""
MAX_READ_BYTES: Final = 4096


def run(
    command: Sequence[str],
    body: bytes,
    *,
    folder: Path,
    environ: Mapping[str, str],
    timeout_seconds: float,
    redact: Callable[[str], str],
) -> str:
    """Run a command and return the error, "" if it ended with exit code 0.

    Its stdin and stderr are files, so that a process it leaves running cannot block this one. Its stdout is discarded,
    since stdout is for the result of this tool.

    Args:
        command: the program and its arguments.
        body: its standard input.
        folder: its working directory.
        environ: its environment.
        timeout_seconds: seconds after which the command and all processes that it started are killed.
        redact: replaces the key in a text.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(body)
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
            return redact(clean(f"{command[0]} cannot be run: {getattr(error, 'strerror', None) or error}"))
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"the command did not end within {timeout_seconds:g} s"
        except BaseException:
            _end(process)
            raise
        return "" if code == 0 else _words(code, stderr, redact)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _words(code: int, stderr: IO[bytes], redact: Callable[[str], str]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - MAX_READ_BYTES))
    lines = stderr.read().decode("utf-8", "replace").strip().splitlines()
    ended = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
    return f"{ended}: {redact(clean(lines[-1]))[:MAX_SHOWN_CHARACTERS]}" if lines else ended
