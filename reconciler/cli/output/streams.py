"""Words on their way out. stdout is the product: when it cannot be written, that is said. stderr is the diary."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from reconciler.errors import ReconcilerError


def ready() -> None:
    """Make both streams fit to be written.

    They write UTF-8 whatever the console's code page is, and escape what cannot be encoded. A stream that whoever
    started us has closed (`2>&-`) is dropped, and takes no file descriptor that a file of ours could get instead.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  for the whole run
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def done() -> None:
    """Write what the streams still hold, so that Python has nothing to complain of when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _mute(stream)


def say(text: str | bytes) -> None:
    """Write a result to stdout as it is. Where nobody reads on (`reconciler plan | head`), the rest is dropped.

    Raises:
        ReconcilerError: it cannot be written, such as to a full disk.
    """
    try:
        click.echo(text, nl=False, color=True)
    except BrokenPipeError:
        _mute(sys.stdout)
    except OSError as error:
        _mute(sys.stdout)
        raise ReconcilerError(
            f"stdout cannot be written: {error.strerror}", hint="free the disk, or send the result elsewhere"
        ) from error


def aside(text: str) -> None:
    """Write a line for people to stderr, if that is possible."""
    try:
        click.echo(text, err=True, color=True)
    except OSError:
        _mute(sys.stderr)


def _mute(stream: TextIO) -> None:
    """What the stream still holds, and all that comes, goes nowhere; else Python complains when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
