"""The ways to run the tool: how many runners, which lock and which ledger. Each has its own promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A way to run the tool."""

    name: str
    runners: int = 2
    lock: bool = False
    """One apply at a time: the host's lock, or a CI concurrency group."""
    ledger: Literal["one file", "own files", "ref", "ref, fresh clones", "deleted", "none"]

    @property
    def remembers(self) -> bool:
        """Whether a run knows what the runner's earlier runs did."""
        return self.ledger not in ("deleted", "none")

    @property
    def one_writer(self) -> bool:
        """Whether the strong promise holds: no work is created twice."""
        return self.remembers and (self.lock or self.runners == 1 or self.ledger.startswith("ref"))

    @property
    def keeps_all(self) -> bool:
        """Whether no line is ever lost once it is durable."""
        return self.one_writer and self.ledger != "ref, fresh clones"

    @property
    def by_claims(self) -> bool:
        """Whether runners see one another's claims."""
        return self.ledger.startswith("ref")


ALONE: Final = Setup(name="alone", runners=1, ledger="own files")
HOST: Final = Setup(name="one host", lock=True, ledger="one file")
REF: Final = Setup(name="shared ref", ledger="ref")
CLONES: Final = Setup(name="shared ref, fresh clones", ledger="ref, fresh clones")
APART: Final = Setup(name="apart", ledger="own files")
GROUP: Final = Setup(name="lock alone", lock=True, ledger="deleted")
NOTHING: Final = Setup(name="nothing in common", ledger="deleted")
AMNESIA: Final = Setup(name="no ledger", ledger="none")

SETUPS: Final = {setup.name: setup for setup in (ALONE, HOST, REF, CLONES, APART, GROUP, NOTHING, AMNESIA)}
WEIGHTS: Final = (3, 3, 3, 1, 3, 1, 1, 1)
"""How often each is drawn."""
