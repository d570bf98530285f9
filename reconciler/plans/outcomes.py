"""The outcome of each action of a plan, for the renderers and for the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct

from reconciler.errors import ExitCode, ReconcilerError
from reconciler.model import Job, JobSpec, Phase

CREATE: Final = "create"
CANCEL: Final = "cancel"


class Created(Struct, frozen=True, kw_only=True):
    """A job was created, or found after its response was lost."""

    name: str
    job: Job
    op: str
    recovered: bool
    sent: JobSpec | None = None
    """The spec with the inputs that were sent, if they are only a part of its work."""


class Cancelled(Struct, frozen=True, kw_only=True):
    """A job is stopping, or had ended before the cancel arrived."""

    name: str
    job: Job

    @property
    def too_late(self) -> bool:
        """Whether the job had ended by itself."""
        return self.job.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT)


class Failed(Struct, frozen=True, kw_only=True):
    """An action certainly had no effect, or not the intended one."""

    name: str
    action: str
    error: ReconcilerError
    job: Job | None = None
    """The job that was created nevertheless, if the API altered its tags."""
    unsent: str = ""
    """The op of the recorded intent of a create that was not sent; "" otherwise."""


class Unknown(Struct, frozen=True, kw_only=True):
    """Whether an action had an effect is not known yet."""

    name: str
    action: str
    error: ReconcilerError
    lost_at: float = 0.0
    """Unix seconds: when the response to a create was lost."""
    until: float | None
    """Unix seconds: a run after this time can determine the outcome; None if a run at any time can."""


class Skipped(Struct, frozen=True, kw_only=True):
    """An action was not started."""

    name: str
    action: str
    why: str
    unsent: str = ""
    """The op of the recorded intent of a create; "" for other actions."""


Outcome: TypeAlias = Created | Cancelled | Failed | Unknown | Skipped


def exit_codes(outcomes: Iterable[Outcome]) -> set[ExitCode]:
    """Return the exit codes that follow from the outcomes."""
    bad = wrote = False
    for outcome in outcomes:
        bad = bad or isinstance(outcome, Failed | Unknown | Skipped)
        wrote = wrote or isinstance(outcome, Created | Cancelled | Unknown)
        wrote = wrote or (isinstance(outcome, Failed) and outcome.job is not None)
    return {ExitCode.OK if not bad else ExitCode.PARTIAL if wrote else ExitCode.FAILED}
