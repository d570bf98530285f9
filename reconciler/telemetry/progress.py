"""Progress of long operations. Producers report it; a display may show it. By default it is ignored."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

ProgressKind: TypeAlias = Literal["checking", "fetching", "uploading", "writing"]
"""Units: bytes of input files checked, fetched and uploaded, creates and cancels."""


class Progress:
    """Receives progress, from any thread. This one ignores it."""

    watched: bool = False
    """Whether anything shows progress, for a caller whose counting is expensive."""

    def expect(self, work: ProgressKind, amount: int) -> None:
        """Add an amount to the total; negative if that much need not be done after all."""

    def advance(self, work: ProgressKind, amount: int) -> None:
        """Add an amount to the finished work; negative if that much must be done again."""

    def end(self) -> None:
        """Report that the work is over."""


UNWATCHED: Final = Progress()
