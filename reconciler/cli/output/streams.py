"""Write to stdout and stderr. A failure to write a result to stdout is an error; one to write to stderr is ignored.

In a job of GitHub Actions the runner obeys lines of the log. There, only `write_annotations` can write such a line.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO, cast

import click

from reconciler import file_access
from reconciler.environment import Environment
from reconciler.errors import ReconcilerError, SpecError, explaining
from reconciler.text.sanitize import clean, without_commands


def configure_streams() -> None:
    """Configure both streams.

    They write UTF-8 whatever the console's code page is, and escape what cannot be encoded. A stream that is closed
    from the start (`2>&-`) goes to the null device, so that no file of ours gets its file descriptor.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  for the whole run
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


class WrappedStream:
    """A stream that is written to by a function. Other attributes are those of the stream."""

    def __init__(self, stream: TextIO, write: Callable[[str], int]) -> None:
        self.stream = stream
        self.write = write

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


class RunnerLog(WrappedStream):
    """A stream of a job of GitHub Actions, on which no line is a command."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream, lambda text: stream.write(without_commands(text)))


@contextmanager
def runner_log(environ: Mapping[str, str]) -> Iterator[None]:
    """In a job of GitHub Actions, let no text command the runner. A stream that goes to a file stays as it is."""
    before = sys.stdout, sys.stderr
    if environ.get("GITHUB_ACTIONS"):
        sys.stdout, sys.stderr = (it if _is_file(it) else cast("TextIO", RunnerLog(it)) for it in before)
    yield
    sys.stdout, sys.stderr = before  # not after an error: its traceback must not command the runner either


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def flush_streams() -> None:
    """Flush both streams; ignore errors so that the interpreter does not print a traceback at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _redirect_to_devnull(stream)


def write_stdout(text: str | bytes) -> None:
    """Write a result to stdout unchanged. If the reader closes the pipe (`reconciler plan | head`), drop the rest.

    Raises `ReconcilerError` if stdout cannot be written, for example because the disk is full.
    """
    if isinstance(text, bytes) and isinstance(sys.stdout, RunnerLog):  # JSON, which can escape it
        text = text.replace(b"##[", b"#\\u0023[")
    try:
        click.echo(text, nl=False, color=True)
    except BrokenPipeError:
        _redirect_to_devnull(sys.stdout)
    except OSError as error:
        _redirect_to_devnull(sys.stdout)
        raise ReconcilerError(
            f"stdout cannot be written: {error.strerror}",
            hint="free disk space, or write the result elsewhere",
        ) from error


def write_annotations(text: str) -> None:
    """Write lines that GitHub's runner obeys. `render.github` escapes the parts from outside."""
    with redirect_stdout(getattr(sys.stdout, "stream", sys.stdout)):
        write_stdout(text)


def write_stderr(text: str) -> None:
    """Write a line for people to stderr, if that is possible."""
    try:
        click.echo(text, err=True, color=True)
    except OSError:
        _redirect_to_devnull(sys.stderr)


def confirmed(question: str) -> bool:
    """Ask on the terminal. The end of the input (Ctrl-D) counts as no."""
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise
        click.echo(err=True)
        return False


def write_error(env: Environment, error: ReconcilerError) -> None:
    """Write the message and the hint to stderr; of a `SpecError`, each problem."""
    colour = env.colour("stderr")
    if isinstance(error, SpecError):
        from reconciler.render.problems import problems_text

        write_stderr(problems_text(error.problems, colour=colour))
        return
    label = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
    message = "\n  ".join(map(clean, str(error).splitlines()))
    hint = "\n    ".join(map(clean, error.hint.splitlines()))
    write_stderr(f"{label} {message}" + (f"\n  hint: {hint}" if hint else ""))


def _redirect_to_devnull(stream: TextIO) -> None:
    """Discard buffered and later output, so that the interpreter does not print a traceback at exit."""
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)


def save(path: Path, data: bytes) -> None:
    """Write a file atomically.

    Raises `ReconcilerError` if the folder is missing or cannot be written, or the path is a link.
    """
    with explaining(f"{path} cannot be written", "choose a file in an existing folder"):
        file_access.replace(path, data)
