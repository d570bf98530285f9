"""Read and summarise input files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from reconciler.catalogue.bodies import BODIES
from reconciler.catalogue.mistakes import fit, mistakes
from reconciler.sandbox import triggers

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


class InputSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of a file of requests."""

    requests: int
    """Number of lines, without blank ones."""
    failing: list[int]
    """Positions of the requests that will fail, from 0, ascending."""
    problems: list[str]
    """The first malformed lines, each with its number."""
    malformed: int
    """How many lines are malformed."""
    model: str | None
    """The model of the first request."""
    fitting: list[str]
    """The endpoints for which no request has a plain mistake."""


_decode = msgspec.json.Decoder(Request).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def summarise(lines: Iterable[bytes]) -> InputSummary:
    """Read a file of requests once, and return its summary."""
    position, failing, problems, malformed, model = 0, list[int](), list[str](), 0, None
    fitting = frozenset(BODIES)
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
        fitting = fit(fitting, [line])
        position += 1
    return InputSummary(
        requests=position,
        failing=failing,
        problems=problems,
        malformed=malformed,
        model=model,
        fitting=sorted(fitting),
    )


def requests(lines: Iterable[bytes]) -> Iterator[Request]:
    """Read the requests of a file without malformed lines."""
    return (_decode(line) for line in lines if line.strip())


def mistaken(files: Iterable[tuple[InputSummary, Iterable[bytes]]], endpoint: str) -> Iterator[int]:
    """Yield the positions in a job of the requests whose body has plain mistakes.

    Args:
        files: each input's summary and lines, in order; without malformed lines.
        endpoint: the job's endpoint.
    """
    begin = 0
    for summary, lines in files:
        if endpoint not in summary.fitting:
            for position, request in enumerate(requests(lines), start=begin):
                if any(mistakes(endpoint, request.body)):
                    yield position
        begin += summary.requests


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream of bytes into lines, without their line feeds."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


@dataclass(frozen=True, slots=True)
class CombinedInput:
    """All inputs of one job."""

    requests: int
    failing: list[int]
    """Positions in the job, ascending."""
    errors: list[InputError]
    """Why the job cannot run; empty if it can."""
    model: str | None
    """The effective model: the job's own, else that of the first request."""


def combine(files: Sequence[tuple[str, InputSummary]], model: str | None) -> CombinedInput:
    """Combine the inputs of a job in order. Each has a name, which its errors show."""
    count, failing, errors = 0, list[int](), list[InputError]()
    for name, file in files:
        failing += [count + position for position in file.failing]
        count += file.requests
        errors += [InputError(f"{name}, {problem}") for problem in file.problems]
        if unnamed := file.malformed - len(file.problems):
            errors.append(InputError(f"{name}: more malformed lines", unnamed))
    counting = model if model is not None else next((file.model for _, file in files if file.model), None)
    if triggers.names(counting, triggers.UNKNOWN_MODEL):
        errors.append(InputError(f"unknown model: {counting}"))
    if count == 0:
        errors.append(InputError("the input has no requests"))
    return CombinedInput(count, failing, errors, counting)


def _model(request: Request) -> str | None:
    named = request.body.get("model")
    return named if isinstance(named, str) else None
