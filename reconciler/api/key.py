"""Read the API key, and hold it in a value that never prints it.

The key can spend money. It comes from the environment or a file, never from the command line, which other users of
the machine can read. It is kept in an `ApiKey`, which prints as `Key(…)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from reconciler.child_environment import MIN_SECRET_LENGTH
from reconciler.errors import ReconcilerError

VARIABLE: Final = "MISTRAL_API_KEY"
"""The environment variable, the same that Mistral's SDK reads."""

_MAX_FILE_BYTES: Final = 64 * 1024
"""Bytes: far more than a key, and few enough that a wrong path fails at once."""

_PLACEHOLDER: Final = "Key(…)"
_MIN_HALF: Final = 4
"""Characters. A shorter beginning of the key tells nothing."""

_IN_A_HEADER: Final = re.compile(r"[\x21-\x7e]+")
"""A bearer token in an HTTP header: visible ASCII, no space."""


class ApiKeyError(ReconcilerError):
    """There is no key, or it cannot be one."""


class ApiKey:
    """An API key. `str`, `repr` and formatting show `Key(…)`; only the HTTP header uses `reveal`.

    Args:
        secret: the key itself.
        source: where the key was read from, for error messages.

    Raises:
        ReconcilerError: the key is empty or is not valid in an HTTP header.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str, *, source: str = "the API key") -> None:
        if not secret:
            raise ApiKeyError(f"{source} is empty", hint=_HOW)
        if not _IN_A_HEADER.fullmatch(secret):
            raise ApiKeyError(
                f"{source} contains a space, a line break or another character that no key has",
                hint="set only the key, as plain ASCII text: no quotes, no `Bearer`, no second line",
            )
        self._secret = secret

    def reveal(self) -> str:
        """Return the key itself. Do not keep it longer than the request."""
        return self._secret

    def redact(self, text: str) -> str:
        """Return `text` with the key replaced, ignoring case: an answer or an error may repeat it."""
        return self._replaced(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def redact_body(self, body: bytes) -> bytes:
        """Return the body of an answer with the key replaced, and without the half of a key at its end."""
        body = self._replaced(body)
        secret, end = self._secret.lower().encode(), body[-len(self._secret) :].lower()
        half = next((n for n in range(len(secret) - 1, _MIN_HALF - 1, -1) if end.endswith(secret[:n])), 0)
        return body[: len(body) - half] if len(secret) >= MIN_SECRET_LENGTH else body

    def _replaced(self, data: bytes) -> bytes:
        if len(self._secret) < MIN_SECRET_LENGTH:
            return data
        written = json.dumps(self._secret)[1:-1]  # as JSON escapes it; some also escape `/`
        for secret in {self._secret, written, written.replace("/", r"\/")}:
            if secret.lower().encode() in data.lower():  # ten times as fast as a pattern that ignores case
                data = re.sub(re.escape(secret.encode()), _PLACEHOLDER.encode(), data, flags=re.IGNORECASE)
        return data

    def __repr__(self) -> str:
        return _PLACEHOLDER

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled")


_HOW: Final = f"set {VARIABLE}, or pass a file that contains the key with --api-key-file"


def read_key(*, environ: Mapping[str, str], file: Path | None) -> ApiKey:
    """Read the key from `file` if there is one, else from `MISTRAL_API_KEY`.

    Args:
        environ: the environment of the process.
        file: contains the key and at most one line break after it. May be a FIFO: `--api-key-file <(pass mistral)`.

    Raises:
        ApiKeyError: there is no key, the file cannot be read, or its content is not a key.
    """
    if file is None:
        if VARIABLE not in environ:
            raise ApiKeyError("no API key", hint=f"{_HOW}; --sandbox needs no key")
        return ApiKey(_line(environ[VARIABLE]), source=VARIABLE)
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise ApiKeyError(f"{file}: the API key cannot be read: {error.strerror}", hint=_HOW) from error
    return ApiKey(_line(raw.decode("latin-1")), source=str(file))


def _line(text: str) -> str:
    """Drop the one line break that editors and secret stores append."""
    return text.removesuffix("\n").removesuffix("\r")
