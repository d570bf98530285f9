"""What long work calls again and again, so that it can be ended and is seen to be alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from reconciler.results.claims import Holder

Beat: TypeAlias = Callable[[], None]
"""Says that the work goes on. Raises `StoppedError` or `LostError` where it is not to."""


class StoppedError(Exception):
    """The run was asked to stop."""


class LostError(Exception):
    """Another runner has taken over.

    Attributes:
        to: who.
    """

    def __init__(self, to: Holder) -> None:
        super().__init__(to.run_id)
        self.to = to
