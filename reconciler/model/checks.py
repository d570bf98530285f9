"""The checks of a job's results, as a spec sets them, and which of them do not hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

_Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Checks(Struct, frozen=True, kw_only=True):
    """Shares, 0 to 1, above which a succeeded job needs attention."""

    failed: _Share = 0.0
    """Share of requests that failed."""
    invalid: _Share = 0.0
    """Share of answers that are not what the request's `response_format` asks for, in pulled results."""
    truncated: _Share = 1.0
    """Share of answers that were cut off at the limit of tokens, in pulled results."""

    def broken(self, counts: Mapping[str, tuple[int, int]]) -> dict[str, str]:
        """Return the checks that do not hold, each with its limit in words.

        `counts` has, for each check that is known, how many requests or answers it counts, and of how many.
        """
        return {
            name: f"checks.{name}: at most {getattr(self, name):.4g}"
            for name, (number, of) in counts.items()
            if of and number / of > getattr(self, name)
        }


class Checked(Struct, frozen=True, kw_only=True, gc=False):
    """What the checks of a job's answers found."""

    answers: int
    invalid: int
    truncated: int
    words: str
    """The same for readers; "" if all answers are valid."""
