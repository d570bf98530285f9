"""Constraints and examples of the fields that people write: in `reconciler.yaml` and in specs."""

from __future__ import annotations

from typing import Final

from msgspec import Meta

END: Final = r"$(?!\n)"
"""The end of the text in every dialect: in Python a bare `$` lets a final line break through."""

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,99}" + END
NAME_RULE: Final = "1 to 100 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit"


def such_as(*examples: object) -> Meta:
    """Return examples of a field."""
    return Meta(examples=list(examples))


def matching(pattern: str, message: str, hint: str, *, end: str = END) -> Meta:
    """Return the constraint that a text matches a pattern, with the message and the hint for one that does not."""
    return Meta(pattern=pattern + end, extra_json_schema={"errorMessage": message, "x-hint": hint})


def up_to(ceiling: int) -> Meta:
    """Return the constraint of a limit that protects this machine: the file may come from a pull request."""
    return Meta(ge=1, le=ceiling)
