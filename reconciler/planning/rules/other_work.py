"""Live jobs of other work under the name: decided in addition to the wanted work."""

from __future__ import annotations

from typing import Final

from reconciler.model import Job, OwnedJob, Phase
from reconciler.planning.actions import Action, Cancel, Keep, Reason
from reconciler.planning.case import Case

CASE: Final = "an ACTIVE job of other work, or of the same work and another rerun"
OUTCOME: Final = (
    "other work and `on_change: replace`: Cancel `superseded`, in addition to the decision about the wanted work; "
    "otherwise, and if it is adopted, Keep it `running`, and Hold a create `waiting`; of several that would stay "
    "with the same run key, Cancel all but one `duplicate`"
)


def other_work(case: Case) -> tuple[Action, ...]:
    """Replace the old work, or let it end first: a rerun, or `on_change: finish`."""
    doomed = {owned.job.id for owned in case.to_cancel}
    staying = tuple(owned for owned in case.jobs if owned.job.id not in doomed)
    return tuple(
        Cancel(owned=owned, reason=Reason.SUPERSEDED)
        if owned.job.id in doomed
        else duplicate(owned, staying)
        or Keep(job=owned.job, reason=Reason.RUNNING, detail="the next job waits for it")
        for owned in case.other_active
    )


def waited_for(case: Case) -> Job | None:
    """Return the live job of other work that has to end before anything is created."""
    return next((action.job for action in other_work(case) if isinstance(action, Keep)), None)


def duplicate(owned: OwnedJob, among: tuple[OwnedJob, ...]) -> Cancel | None:
    """Return the cancel of a live job if another job of its run key has succeeded, or runs and is older.

    So two runners that see the same jobs agree which one stays. An adopted job is never cancelled.
    """
    twins = [it for it in among if it.tags.run_key == owned.tags.run_key]
    done = [it.job for it in twins if it.phase is Phase.SUCCEEDED]
    live = [it.job for it in twins if it.phase is Phase.ACTIVE]
    stays = min(done, key=lambda job: (job.failed_requests, job.age_key), default=None)
    stays = stays or min(live, key=lambda job: job.age_key)
    if owned.adopted or owned.job.id == stays.id:
        return None
    return Cancel(owned=owned, reason=Reason.DUPLICATE, duplicate_of=stays)
