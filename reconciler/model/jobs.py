"""What the API returns: a `Job` and where it is in its life."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Phase(StrEnum):
    """Where a job is in its life, as far as a decision depends on it."""

    ACTIVE = "ACTIVE"
    """QUEUED or RUNNING: it costs money and can be cancelled."""
    STOPPING = "STOPPING"
    """CANCELLATION_REQUESTED."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """Any status this version does not know. Nothing is bought or cancelled on such ground."""

    @property
    def ended(self) -> bool:
        """Whether nothing comes after it. An unknown status is no end."""
        return self in _ENDED


_ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED})


class Job(Struct, frozen=True, kw_only=True, gc=False):
    """A batch job as the API returns it. `timeout_hours` is not among what it returns."""

    id: str
    phase: Phase
    status: str
    """The API's own word for the phase, cleaned; for readers only."""
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    metadata: Mapping[str, object] = {}
    input_files: tuple[str, ...] = ()
    output_file: str | None = None
    error_file: str | None = None
    errors: tuple[str, ...] = ()
    """What the API says went wrong, cleaned."""
    created_at: int
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None = None
    completed_at: int | None = None
    total_requests: int = 0
    """0 until the server has validated the input."""
    completed_requests: int = 0
    succeeded_requests: int = 0
    failed_requests: int = 0

    @property
    def answered_requests(self) -> int:
        """How many requests have an answer or an error."""
        return self.succeeded_requests + self.failed_requests

    @property
    def age_key(self) -> tuple[int, str]:
        """Sorts the older first; of twins the smallest is kept."""
        return (self.created_at, self.id)

    @property
    def short_id(self) -> str:
        """Enough of the id for a reader."""
        return self.id[:8]
