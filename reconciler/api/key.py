"""The API key: where it is read, and a value that shows itself to nobody who does not ask.

A key is money. It comes from the environment or a file, never from the command line (other users of the machine
can read that), and it is kept in a `ApiKey`, whose every printed form is `ApiKey(…)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from reconciler.errors import ReconcilerError

VARIABLE: Final = "MISTRAL_API_KEY"
"""The environment variable; the name that Mistral's own SDK reads."""

_MAX_FILE_BYTES: Final = 64 * 1024
"""Bytes. Far more than a key, and little enough that a wrong path is noticed at once."""

_MIN_LENGTH: Final = 12
"""Characters. A shorter one is no real key but a sandbox's, and may be a word of the language."""

_IN_A_HEADER: Final = re.compile(r"[\x21-\x7e]+")
"""What a bearer token may hold on its way through an HTTP header: visible ASCII, no space."""


class ApiKey:
    """An API key. `str`, `repr` and formatting show `ApiKey(…)`; `reveal` is for the HTTP header alone.

    Args:
        secret: the key itself.
        source: where it was found, for error messages.

    Raises:
        ReconcilerError: the key is empty or cannot stand in an HTTP header.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str, *, source: str = "the API key") -> None:
        if not secret:
            raise ReconcilerError(f"{source} is empty", hint=_HOW)
        if not _IN_A_HEADER.fullmatch(secret):
            raise ReconcilerError(
                f"{source} holds a space, a line break or another character that no key has",
                hint="give the key alone, without quotes, `Bearer` or a second line, as plain ASCII text",
            )
        self._secret = secret

    def reveal(self) -> str:
        """Return the key itself. What is done with it must not outlive the request."""
        return self._secret

    def redact(self, text: str) -> str:
        """Return `text` without the key, should somebody have repeated it to us."""
        return text if len(self._secret) < _MIN_LENGTH else text.replace(self._secret, "Key(…)")

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Key is not written anywhere")


_HOW: Final = f"set {VARIABLE}, or name a file that holds the key with --api-key-file"


def read_key(*, environ: Mapping[str, str], file: Path | None) -> ApiKey:
    """Read the key from `file` where one is named, else from `MISTRAL_API_KEY`.

    Args:
        environ: the environment of the process.
        file: holds the key and at most one line break behind it. A FIFO will do: `--api-key-file <(pass mistral)`.

    Raises:
        ReconcilerError: there is no key, the file cannot be read, or it holds something that is no key.
    """
    if file is None:
        if VARIABLE not in environ:
            raise ReconcilerError("no API key", hint=_HOW)
        return ApiKey(_line(environ[VARIABLE]), source=VARIABLE)
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise ReconcilerError(f"{file}: the API key cannot be read: {error.strerror}", hint=_HOW) from error
    return ApiKey(_line(raw.decode("latin-1")), source=str(file))


def _line(text: str) -> str:
    """Drop the one line break that editors and secret stores put behind a line."""
    return text.removesuffix("\n").removesuffix("\r")
