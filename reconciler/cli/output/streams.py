"""Write to stdout and stderr. A failure to write a result to stdout is an error; one to write to stderr is ignored."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from reconciler.errors import ReconcilerError


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


def flush_streams() -> None:
    """Flush both streams; ignore errors so that the interpreter does not print a traceback at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _redirect_to_devnull(stream)


def write_stdout(text: str | bytes) -> None:
    """Write a result to stdout unchanged. If the reader closes the pipe (`reconciler plan | head`), drop the rest.

    Raises:
        ReconcilerError: stdout cannot be written, for example because the disk is full.
    """
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


def write_stderr(text: str) -> None:
    """Write a line for people to stderr, if that is possible."""
    try:
        click.echo(text, err=True, color=True)
    except OSError:
        _redirect_to_devnull(sys.stderr)


def _redirect_to_devnull(stream: TextIO) -> None:
    """Discard buffered and later output, so that the interpreter does not print a traceback at exit."""
    with suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
