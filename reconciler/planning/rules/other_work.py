"""Live jobs that are not, or no longer, the wanted work: each is cancelled, or continues."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from reconciler.model import OwnedJob
from reconciler.planning.actions import Action, Cancel, Hold, Keep, Reason
from reconciler.planning.case import Case

CASE: Final = "an ACTIVE job of other work, or of the same work and another rerun"
OUTCOME: Final = (
    "another `rerun`, or adopted: Keep it `running`, and Hold a create `waiting`; otherwise as `on_change` says: "
    "`finish` does the same, `replace` means Cancel `superseded`, in addition to the decision about the wanted work, "
    "and `auto` finishes if at least half of what the job was asked is wanted and neither answered nor asked in an "
    "older live job, or if that is not known, and replaces otherwise; of several that would stay with the same run "
    "key, Cancel all but one `duplicate`"
)


def other_work(case: Case) -> tuple[Action, ...]:
    """Replace the old work, or let it end first: a rerun, or as `on_change` says."""

    def keep(owned: OwnedJob) -> Keep:
        return Keep(job=owned.job, reason=Reason.RUNNING, detail="the next job waits for it")

    return cancel_or(keep, case, case.other_active, Reason.SUPERSEDED)


def cancel_or(
    let_run: Callable[[OwnedJob], Keep | Hold], case: Case, jobs: Iterable[OwnedJob], reason: Reason
) -> tuple[Action, ...]:
    """Cancel those of some live jobs that are to be cancelled, and duplicates; let the others run."""
    return tuple(
        Cancel(owned=owned, reason=reason, unwanted=_unwanted(case, owned))
        if owned.job.id in case.doomed
        else duplicate(case, owned) or let_run(owned)
        for owned in jobs
    )


def _unwanted(case: Case, owned: OwnedJob) -> int | None:
    overlap = case.overlap(owned)
    return overlap.asked - overlap.wanted if overlap and overlap.wanted else None


def duplicate(case: Case, owned: OwnedJob) -> Cancel | None:
    """Return the cancel of a live job if it is a duplicate."""
    stays = case.original_of(owned)
    return Cancel(owned=owned, reason=Reason.DUPLICATE, duplicate_of=stays) if stays else None
