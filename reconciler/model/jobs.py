"""What the API returns: a `Job` and its phase."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

END_OF_TIME: Final = 253_402_300_800
"""The year 10000, which `datetime` cannot represent."""

Time: TypeAlias = Annotated[int, Meta(ge=0, lt=END_OF_TIME)]
"""Unix seconds."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}\Z"
Id: TypeAlias = Annotated[str, Meta(pattern=ID_PATTERN)]
"""An id becomes part of a path: no slash, no question mark, no `..`."""


class Phase(StrEnum):
    """The state of a job, as far as a decision depends on it."""

    ACTIVE = "ACTIVE"
    """QUEUED or RUNNING: it costs money and can be cancelled."""
    STOPPING = "STOPPING"
    """CANCELLATION_REQUESTED."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """Any status that this version does not know. It causes no create and no cancel."""

    @classmethod
    def _missing_(cls, _: object) -> Phase:
        return cls.UNKNOWN

    @property
    def ended(self) -> bool:
        """Whether the phase is final. UNKNOWN is not."""
        return self in _ENDED


_ENDED: Final = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED)


class Job(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A batch job as the API returns it. The API does not return `timeout_hours`."""

    id: Id
    phase: Phase
    status: str
    """The API's status, cleaned; for readers only."""
    endpoint: str
    model: str | None = None
    agent_id: str | None = None
    metadata: Mapping[str, object] = {}
    input_files: tuple[str, ...] = ()
    output_file: str | None = None
    error_file: str | None = None
    errors: tuple[str, ...] = ()
    """The API's error messages, cleaned."""
    created_at: Time
    """Unix seconds, the server's clock, as in the two below."""
    started_at: Time | None = None
    completed_at: Time | None = None
    total_requests: Count = 0
    """0 until the server has validated the input."""
    completed_requests: Count = 0
    succeeded_requests: Count = 0
    failed_requests: Count = 0

    @property
    def has_answers(self) -> bool:
        """Whether there are answers, which were paid for: the counters may lag behind the output file."""
        return self.output_file is not None or self.succeeded_requests > 0

    @property
    def answers(self) -> int:
        """How many requests are answered or failed: the larger of the API's two counts."""
        return max(self.completed_requests, self.answered_requests)

    @property
    def answered_requests(self) -> int:
        """How many requests have an answer or an error."""
        return self.succeeded_requests + self.failed_requests

    @property
    def age_key(self) -> tuple[int, str]:
        """Sort key: the oldest first. Of duplicates, the smallest stays."""
        return (self.created_at, self.id)

    @property
    def short_id(self) -> str:
        """The first characters of the id, for readers."""
        return self.id[:8]
