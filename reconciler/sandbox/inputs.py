"""Read the lines of an input file: what one request is, and what a whole file of them amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from reconciler.sandbox import triggers

NAMED_PROBLEMS = 10
"""How many malformed lines of a file are named; the others are counted."""


class Request(msgspec.Struct, frozen=True):
    """One line of an input file, or one inline request."""

    body: dict[str, Any]
    custom_id: str | None = None


class InputError(msgspec.Struct, frozen=True):
    """One entry of a job's `errors`."""

    message: str
    count: int = 1


class InputSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of requests amounts to."""

    requests: int
    """How many lines there are, blank ones left out."""
    failing: list[int]
    """Positions of the requests that will fail, ascending, from 0."""
    problems: list[str]
    """The first malformed lines, each with its number."""
    malformed: int
    """How many lines are malformed."""
    model: str | None
    """The model that the first request names."""


_decode = msgspec.json.Decoder(Request).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def summarise(lines: Iterable[bytes]) -> InputSummary:
    """Read a file of requests once, keeping only what a job needs to know of it."""
    position, failing, problems, malformed, model = 0, list[int](), list[str](), 0, None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            request = _decode(line)
        except _UNREADABLE as error:
            malformed += 1
            if malformed <= NAMED_PROBLEMS:
                problems.append(f"line {number}: {error}")
        else:
            if triggers.is_failing(request.custom_id):
                failing.append(position)
            if position == 0:
                model = _model(request)
        position += 1
    return InputSummary(
        requests=position, failing=failing, problems=problems, malformed=malformed, model=model
    )


def requests(lines: Iterable[bytes]) -> Iterator[Request]:
    """Read the requests of a file that `summarise` found to be without a problem."""
    return (_decode(line) for line in lines if line.strip())


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream of bytes into its lines, without their ends."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


@dataclass(frozen=True, slots=True)
class CombinedInput:
    """All inputs of one job together."""

    requests: int
    failing: list[int]
    """Positions in the job, ascending."""
    errors: list[InputError]
    """Why the job cannot be run; empty when it can."""
    model: str | None
    """The model that counts: the job's own, else the one that the first request names."""


def combine(files: Sequence[tuple[str, InputSummary]], model: str | None) -> CombinedInput:
    """Put the inputs of a job one after the other; each comes with the name that its errors are told under."""
    count, failing, errors = 0, list[int](), list[InputError]()
    for name, file in files:
        failing += [count + position for position in file.failing]
        count += file.requests
        errors += [InputError(f"{name}, {problem}") for problem in file.problems]
        if unnamed := file.malformed - len(file.problems):
            errors.append(InputError(f"{name}: more malformed lines", unnamed))
    counting = model if model is not None else next((file.model for _, file in files if file.model), None)
    if triggers.is_unknown(counting):
        errors.append(InputError(f"unknown model: {counting}"))
    if count == 0:
        errors.append(InputError("the input holds no requests"))
    return CombinedInput(count, failing, errors, counting)


def _model(request: Request) -> str | None:
    named = request.body.get("model")
    return named if isinstance(named, str) else None
