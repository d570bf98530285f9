"""Read input files, and find the names in them that make jobs and requests fail on purpose: see `docs/sandbox.md`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from reconciler.catalogue.mistakes import fit, mistakes

REFUSED_MODEL = "sandbox-refused"
"""Prefix of a model whose jobs are rejected by the create call: 400, `unknown_model`."""

UNKNOWN_MODEL = "sandbox-unknown"
"""Prefix of a model whose jobs are created and then end as FAILED, without answers."""

STUCK_MODEL = "sandbox-stuck"
"""Prefix of a model whose jobs answer half of their requests and then nothing until their timeout."""

FAILING_REQUEST = "!fail"
"""Suffix of the `custom_id` of a request that fails. `!fail-429` and so on choose how: see `results.FORMS`."""

_FAILING = re.compile(rf"{FAILING_REQUEST}(?:-(?P<form>[a-z0-9]+))?$")

NAMED_PROBLEMS = 10
"""Maximum number of malformed lines that are listed; the others are counted."""


class Request(msgspec.Struct, frozen=True):
    """One line of an input file, or one inline request."""

    body: dict[str, Any]
    custom_id: str | None = None


class InputError(msgspec.Struct, frozen=True):
    """One entry of a job's `errors`."""

    message: str
    count: int = 1


class Work(Struct, frozen=True):
    """All inputs of one job."""

    requests: int
    failing: list[int]
    """Positions of the requests that will fail, from 0, ascending."""
    errors: list[InputError]
    """Why the job cannot run; empty if it can."""
    model: str | None
    """The job's own model, else the first that a request names."""


_decode = msgspec.json.Decoder(Request).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read(files: Iterable[tuple[str, Iterable[bytes]]], model: str | None, endpoint: str | None) -> Work:
    """Read the inputs of a job once, in order: the name of each, which errors show, and its lines.

    A request whose body has a plain mistake for the endpoint will fail. Without an endpoint, any body is accepted.
    """
    count, failing, errors = 0, list[int](), list[InputError]()
    for name, lines in files:
        malformed = 0
        for number, line in _numbered(lines):
            try:
                request = _decode(line)
            except _UNREADABLE as error:
                malformed += 1
                if malformed <= NAMED_PROBLEMS:
                    errors.append(InputError(f"{name}, line {number}: {error}"))
            else:
                if _fails(endpoint, line, request):
                    failing.append(count)
                named = request.body.get("model")
                model = named if model is None and isinstance(named, str) else model
            count += 1
        if malformed > NAMED_PROBLEMS:
            errors.append(InputError(f"{name}: more malformed lines", malformed - NAMED_PROBLEMS))
    if (model or "").startswith(UNKNOWN_MODEL):
        errors.append(InputError(f"unknown model: {model}"))
    if count == 0:
        errors.append(InputError("the input has no requests"))
    return Work(count, failing, errors, model)


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers."""
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _fails(endpoint: str | None, line: bytes, request: Request) -> bool:
    if failure_form(request.custom_id) is not None:
        return True
    return endpoint is not None and not fit((endpoint,), (line,)) and any(mistakes(endpoint, request.body))


def failure_form(custom_id: str | None) -> str | None:
    """Return the form that a failing request names, "" if it names none, and None if the request does not fail."""
    found = _FAILING.search(custom_id or "")
    return (found["form"] or "") if found else None


def requests(lines: Iterable[bytes]) -> Iterator[Request]:
    """Read the requests of a file without malformed lines."""
    return (_decode(line) for line in lines if line.strip())


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream of bytes into lines, without their line feeds."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
