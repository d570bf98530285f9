"""Live jobs of other work under the name: decided beside the wanted work."""

from __future__ import annotations

from typing import Final

from reconciler.model import Job, Ours, Phase
from reconciler.planning.actions import Action, Cancel, Keep, Reason
from reconciler.planning.case import Case

CASE: Final = "an ACTIVE job of other work, or of the same work and another rerun"
OUTCOME: Final = (
    "other work and `on_change: replace`: Cancel `superseded`, beside whatever is decided about the wanted work; "
    "otherwise, and if it is adopted, Keep it `running`, and what would be created is Hold `waiting`; of several "
    "of one run key that would stay, Cancel all but one `duplicate`"
)


def other_work(case: Case) -> tuple[Action, ...]:
    """Replace the old work, or let it end first: a rerun, or `on_change: finish`."""
    doomed = {ours.job.id for ours in case.to_cancel}
    staying = tuple(ours for ours in case.jobs if ours.job.id not in doomed)
    return tuple(
        Cancel(ours=ours, reason=Reason.SUPERSEDED)
        if ours.job.id in doomed
        else duplicate(ours, staying)
        or Keep(job=ours.job, reason=Reason.RUNNING, detail="the next run waits for it")
        for ours in case.other_active
    )


def waited_for(case: Case) -> Job | None:
    """Return the live job of other work that has to end before anything is created."""
    return next((action.job for action in other_work(case) if isinstance(action, Keep)), None)


def duplicate(ours: Ours, among: tuple[Ours, ...]) -> Cancel | None:
    """Return the cancel of a live job if another job of its run key has its answers already, or is older and runs.

    So two runners that see the same twins agree which one stays. An adopted job is never cancelled.
    """
    twins = [it for it in among if it.tags.run_key == ours.tags.run_key]
    done = [it.job for it in twins if it.phase is Phase.SUCCEEDED]
    live = [it.job for it in twins if it.phase is Phase.ACTIVE]
    stays = min(done, key=lambda job: (job.failed_requests, job.age_key), default=None)
    stays = stays or min(live, key=lambda job: job.age_key)
    if ours.adopted or ours.job.id == stays.id:
        return None
    return Cancel(ours=ours, reason=Reason.DUPLICATE, twin=stays)
