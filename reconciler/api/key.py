"""Read the API key and the headers of a gateway, and hold them in a value that never prints them.

The key can spend money. It comes from the environment, a file or a command, never from the command line, which other
users of the machine can read. It is kept in an `ApiKey`, which prints as `Key(…)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

from reconciler.child_environment import MIN_SECRET_LENGTH
from reconciler.errors import ReconcilerError, explaining

VARIABLE: Final = "MISTRAL_API_KEY"
"""The environment variable, the same that Mistral's SDK reads."""
KEY_COMMAND: Final = "RECONCILER_KEY_COMMAND"
"""The variable with a command that prints the key."""
HEADERS: Final = "RECONCILER_HEADERS"
"""The variable with headers that a gateway in front of the API wants, one `Name: value` per line."""
VARIABLES: Final = (VARIABLE, KEY_COMMAND, HEADERS)

_MAX_FILE_BYTES: Final = 64 * 1024
"""Bytes: far more than a key, and few enough that a wrong path fails at once."""

_PLACEHOLDER: Final = "Key(…)"
_MIN_HALF: Final = 4
"""Characters. A shorter beginning of the key tells nothing."""

_IN_A_HEADER: Final = re.compile(r"[\x21-\x7e]+")
"""A bearer token in an HTTP header: visible ASCII, no space."""
_HEADER: Final = re.compile(
    r"(?!(?i:authorization|host|connection|range|user-agent|content-.*|transfer-.*|accept.*|expect|te|upgrade):)"
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)[ \t]*"
)
"""A header, but none that this tool or the HTTP client sets."""


class ApiKeyError(ReconcilerError):
    """There is no key, or it cannot be one."""


class ApiKey:
    """An API key. `str`, `repr` and formatting show `Key(…)`; only the HTTP header uses `reveal`.

    Error messages name its `source`. The values of `headers`, which are sent with it, are kept as secret as the key.
    Raises `ReconcilerError` if the key is empty or is not valid in an HTTP header.
    """

    __slots__ = ("_headers", "_secret")

    def __init__(
        self, secret: str, *, source: str = "the API key", headers: Mapping[str, str] | None = None
    ) -> None:
        if not secret:
            raise ApiKeyError(f"{source} is empty", hint=_HOW)
        if not _IN_A_HEADER.fullmatch(secret):
            raise ApiKeyError(
                f"{source} contains a space, a line break or another character that no key has",
                hint="set only the key, as plain ASCII text: no quotes, no `Bearer`, no second line",
            )
        self._secret = secret
        self._headers = dict(headers or {})

    def headers(self) -> dict[str, str]:
        """Return the headers of a request, with the key itself. Do not keep them longer than the request."""
        return {**self._headers, "Authorization": f"Bearer {self.reveal()}"}

    def reveal(self) -> str:
        """Return the key itself. Do not keep it longer than the request."""
        return self._secret

    def redact(self, text: str) -> str:
        """Return `text` with key and headers replaced, ignoring case: an error may repeat them."""
        data = text.encode("utf-8", "surrogatepass")
        for secret in (self._secret, *self._headers.values()):
            data = _replaced(data, secret)
        return data.decode("utf-8", "surrogatepass")

    def redact_body(self, body: bytes) -> bytes:
        """Return the body of an answer with the key replaced, and without the half of a key at its end.

        Headers stay: a team's name may be one, and a part of jobs.
        """
        body = _replaced(body, self._secret)
        secret, end = self._secret.lower().encode(), body[-len(self._secret) :].lower()
        half = next((n for n in range(len(secret) - 1, _MIN_HALF - 1, -1) if end.endswith(secret[:n])), 0)
        return body[: len(body) - half] if len(secret) >= MIN_SECRET_LENGTH else body

    def __repr__(self) -> str:
        return _PLACEHOLDER

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled")


def _replaced(data: bytes, plain: str) -> bytes:
    if len(plain) < MIN_SECRET_LENGTH:
        return data
    written = json.dumps(plain)[1:-1]  # as JSON escapes it; some also escape `/`
    for secret in {plain, written, written.replace("/", r"\/")}:
        if secret.lower().encode() in data.lower():  # ten times as fast as a pattern that ignores case
            data = re.sub(re.escape(secret.encode()), _PLACEHOLDER.encode(), data, flags=re.IGNORECASE)
    return data


_HOW: Final = f"set {VARIABLE} or {KEY_COMMAND}, or pass a file that contains the key with --api-key-file"


def read_key(
    *, environ: Mapping[str, str], file: Path | None, run: Callable[[], str] | None = None
) -> ApiKey:
    """Read the key from `file` if there is one, else from `MISTRAL_API_KEY`, else from `RECONCILER_KEY_COMMAND`.

    The file contains the key and at most one line break after it. It may be a FIFO: `--api-key-file <(pass mistral)`.
    `run` returns the output of the command; without it, the command is not run. Raises `ApiKeyError` if there is no
    key, the file cannot be read, its content is not a key, or the headers are invalid.
    """
    headers = read_headers(environ.get(HEADERS, ""))
    if file is None:
        if run and environ.get(KEY_COMMAND) and not environ.get(VARIABLE):
            return ApiKey(_line(run()), source=f"the output of {KEY_COMMAND}", headers=headers)
        if VARIABLE not in environ:
            raise ApiKeyError("no API key", hint=f"{_HOW}; --sandbox needs no key")
        return ApiKey(_line(environ[VARIABLE]), source=VARIABLE, headers=headers)
    with explaining(f"{file}: the API key cannot be read", _HOW, ApiKeyError), file.open("rb") as stream:
        raw = stream.read(_MAX_FILE_BYTES)
    return ApiKey(_line(raw.decode("latin-1")), source=str(file), headers=headers)


def read_headers(text: str) -> dict[str, str]:
    """Return the headers of a text with one `Name: value` per line.

    Raises `ApiKeyError` if a line is not a header, or names one that this tool sets. The message does not show the
    line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            found[header[1]] = header[2]
        elif line.strip():
            raise ApiKeyError(
                f"line {number} of {HEADERS} is not a header, or one that this tool sets itself",
                hint="write one per line, like `X-Team: search`",
            )
    return found


def _line(text: str) -> str:
    """Drop the one line break that editors and secret stores append."""
    return text.removesuffix("\n").removesuffix("\r")
