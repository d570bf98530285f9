"""Read parameters as the API declares them, and collect every problem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from werkzeug.datastructures import MultiDict

from reconciler.sandbox.errors import ValidationProblem, unprocessable

T = TypeVar("T")

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}

MAX_PAGE = 1 << 31
MAX_PAGE_SIZE = 10_000
"""The real limit is unknown."""


class Parameters:
    """The query or the form of one request. Read all parameters, then call `check`.

    Args:
        arguments: the parameters of the request.
        place: their location in problems, `query` or `body`.
    """

    def __init__(self, arguments: MultiDict[str, str], place: str = "query") -> None:
        self.arguments = arguments
        self.place = place
        self.problems: list[ValidationProblem] = []

    def check(self) -> None:
        """Raise if there was any problem.

        Raises:
            ErrorResponse: 422, with every problem.
        """
        if self.problems:
            raise unprocessable(self.problems)

    def page(self) -> tuple[int, int]:
        """Read `page` and `page_size`. Return how many entries to skip and how many to return."""
        page = self.integer("page", 0, at_least=0, at_most=MAX_PAGE)
        size = self.integer("page_size", 100, at_least=1, at_most=MAX_PAGE_SIZE)
        return page * size, size

    def text(self, name: str) -> str | None:
        """Read a text."""
        return self.arguments.get(name)

    def integer(self, name: str, default: T, *, at_least: int, at_most: int) -> int | T:
        """Read an integer within limits."""
        number = self._read(name, int, "int_parsing", "a valid integer", None)
        if number is None:
            return default
        if found := outside(number, at_least, at_most):
            self.refuse(name, *found, number)
        return number

    def boolean(self, name: str, *, default: bool) -> bool:
        """Read a boolean, in any spelling that pydantic accepts."""
        return self._read(
            name, lambda given: _BOOLEANS[given.lower()], "bool_parsing", "a valid boolean", default
        )

    def moment(self, name: str) -> float | None:
        """Read an RFC 3339 time as Unix seconds; without an offset it is UTC."""
        return self._read(name, _moment, "datetime_parsing", "a valid datetime", None)

    def choice(self, name: str, choices: Collection[str], default: T) -> str | T:
        """Read one of several words."""
        given = self.arguments.get(name)
        if given is None:
            return default
        if given not in choices:
            self.refuse(name, "enum", f"Input should be {one_of(choices)}", given)
        return given

    def choices(self, name: str, choices: Collection[str]) -> list[str] | None:
        """Read a repeatable parameter, each time one of several words; None if it is absent."""
        given = self.arguments.getlist(name)
        for position, word in enumerate(given):
            if word not in choices:
                self.refuse(name, "enum", f"Input should be {one_of(choices)}", word, position)
        return given or None

    def refuse(self, name: str, kind: str, message: str, given: object, *position: int) -> None:
        """Add a problem of a parameter."""
        self.problems.append(ValidationProblem(kind, [self.place, name, *position], message, given))

    def _read(self, name: str, read: Callable[[str], T], kind: str, wanted: str, default: T) -> T:
        given = self.arguments.get(name)
        if given is None:
            return default
        try:
            return read(given)
        except (LookupError, ValueError, OverflowError):
            self.refuse(name, kind, f"Input should be {wanted}", given)
            return default


def path_id(name: str, given: str) -> str:
    """Return an id from a path in the store's spelling.

    Raises:
        ErrorResponse: 422, it is not a UUID.
    """
    try:
        return str(UUID(given))
    except ValueError:
        problem = ValidationProblem("uuid_parsing", ["path", name], "Input should be a valid UUID", given)
        raise unprocessable([problem]) from None


def outside(number: float, at_least: int, at_most: int) -> tuple[str, str] | None:
    """Return the kind and the message of a problem if a number is not within limits."""
    if number < at_least:
        return "greater_than_equal", f"Input should be greater than or equal to {at_least}"
    if number > at_most:
        return "less_than_equal", f"Input should be less than or equal to {at_most}"
    return None


def one_of(choices: Iterable[str]) -> str:
    """List the allowed words: 'a', 'b' or 'c'."""
    *others, last = [repr(choice) for choice in choices]
    return f"{', '.join(others)} or {last}" if others else last


def _moment(given: str) -> float:
    moment = datetime.fromisoformat(given)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
