"""How far long work has come: what does it tells, and whoever watches shows it. Nobody watches by default."""

from __future__ import annotations

from typing import Final, Literal, Protocol, TypeAlias

Work: TypeAlias = Literal["checking", "uploading", "writing"]
"""Bytes of input files that are checked, bytes that are uploaded, creates and cancels."""


class Progress(Protocol):
    """Takes what is told, from any thread."""

    @property
    def watched(self) -> bool:
        """Whether telling makes sense, where finding out what to tell costs something."""

    def expect(self, work: Work, amount: int) -> None:
        """Tell that so much more is to be done; less than nothing where it need not be."""

    def advance(self, work: Work, amount: int) -> None:
        """Tell that so much more is done; less than nothing where it is to be done again."""

    def end(self) -> None:
        """Tell that nothing of it goes on."""


class Unwatched:
    """Shows nothing."""

    watched: Final = False

    def expect(self, work: Work, amount: int) -> None:
        """Forget it."""

    def advance(self, work: Work, amount: int) -> None:
        """Forget it."""

    def end(self) -> None:
        """Do nothing."""


UNWATCHED: Final[Progress] = Unwatched()
