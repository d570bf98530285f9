"""What a live job of other work was asked, compared with what is wanted now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.planning.coverage import Donor, State
from reconciler.requests.keys import KEY_BYTES, Places


class Overlap(Struct, frozen=True, kw_only=True):
    """How much of what a live job was asked is wanted."""

    asked: int = 0
    """How many requests the job was asked."""
    wanted: int = 0
    """How many of them are wanted."""
    open: int = 0
    """How many of those are neither answered nor asked in an older live job."""

    @property
    def words(self) -> str:
        """How much of it is wanted: `was asked 40,000 that are all wanted`."""
        if self.wanted == self.asked:
            return f"was asked {self.asked:,} that are all wanted"
        return f"was asked {self.asked:,}, of which {self.wanted:,} are wanted"


NO_OVERLAP: Final = Overlap()
"""Of a job whose answers cannot count."""


def overlaps(wanted: bytes, states: bytes, live: Iterable[Donor]) -> Mapping[str, Overlap]:
    """Compare what live jobs were asked with what is wanted, by job id.

    Args:
        wanted: the keys of the wanted requests.
        states: the state of each, with the live jobs among the donors.
        live: the live jobs of other work of which it is known what they were asked, the oldest first.
    """
    found = {}
    taken = bytearray(len(states))
    for donor in live:
        asked = Places(wanted).of(donor.asked)
        here = [at for at in asked if at is not None]
        still = [at for at in here if states[at] == State.LIVE and not taken[at]]
        for at in still:
            taken[at] = 1
        found[donor.job_id] = Overlap(asked=len(donor.asked) // KEY_BYTES, wanted=len(here), open=len(still))
    return found
