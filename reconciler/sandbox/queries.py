"""Read the parameters of a call as the API declares them."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from werkzeug.datastructures import MultiDict

from reconciler.sandbox.errors import unprocessable

S = TypeVar("S", bound=Struct)

MAX_PAGE_SIZE: Final = 10_000
"""The real limit is unknown."""
_REPEATABLE: Final = frozenset({"mimetypes", "sample_type", "source", "status"})
"""The parameters that a call may give several times."""


class Page(Struct, frozen=True, kw_only=True):
    """The parameters of a list."""

    page: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    page_size: Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE)] = 100


def read(given: MultiDict[str, str], wanted: type[S], *, place: str = "query") -> S:
    """Return the query or the form of a request, without the parameters that `wanted` does not have.

    Raises:
        ErrorResponse: 422, with the first problem.
    """
    values = {name: given.getlist(name) if name in _REPEATABLE else text for name, text in given.items()}
    try:
        return msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise unprocessable(place, error) from None
