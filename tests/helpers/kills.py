"""Ends a process before its n-th change of some folders or of an object store: from then on, nothing is changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

OBJECT_CHANGES: Final = ("pipe_file", "put_file", "rm_file", "cp_file")
"""What changes an object store, as fsspec names it."""
_FILE_CHANGES: Final = {
    *("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "shutil.rmtree"),
}
"""Audit events of changes; `open` only if it opens to write."""
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_watched: list[tuple[str, Kill]] = []


class KilledError(BaseException):
    """The process ends here."""


class Kill:
    """Lets so many changes happen."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> None:
        """Note that a change begins. Raises `KilledError` once all that may happen have happened."""
        self.left -= 1
        if self.left < 0:
            raise KilledError

    @property
    def happened(self) -> bool:
        """Whether the process was killed."""
        return self.left < 0


@contextmanager
def killing(kill: Kill, *folders: Path) -> Iterator[None]:
    """Count the changes below folders of this machine."""
    _listen()
    watched = [(f"{folder}{os.sep}", kill) for folder in folders]
    _watched.extend(watched)
    try:
        yield
    finally:
        for each in watched:
            _watched.remove(each)


@cache
def _listen() -> None:
    """Begin to look at every change of a file; Python has no way to end that."""
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in _FILE_CHANGES:
        return
    if event == "open" and not (arguments[2] or 0) & _WRITES:
        return
    if isinstance(arguments[0], (str, Path)):
        path = str(Path.cwd() / arguments[0])
        for folder, kill in [*_watched]:
            if path.startswith(folder):
                kill()


def mortal(of: type, begin: Callable[[], None]) -> type:
    """Return a file system of fsspec whose changes are counted.

    fsspec replaces the inherited methods of an asynchronous one, so it must find them as they are.
    """
    from fsspec import AbstractFileSystem

    class Mortal(of):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - as the file system
            found = super().__getattribute__(name)
            inherited = of.async_impl and getattr(found, "__func__", None) is getattr(  # type: ignore[attr-defined]
                AbstractFileSystem, name, found
            )
            return found if inherited or name not in OBJECT_CHANGES else _counted(found, begin)

    return Mortal


def _counted(method: Callable[..., Any], begin: Callable[[], None]) -> Callable[..., Any]:
    def counted(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - as the method
        begin()
        return method(*args, **more)

    return counted
