"""Step 2: live jobs of other work under the name."""

from __future__ import annotations

from reconciler.actions import Cancel, Keep, Reason
from reconciler.case import Case
from reconciler.model import Ours, Phase
from reconciler.rules.rule import Verdict, rule


@rule(
    "an ACTIVE job of other work, or of the same work and another rerun",
    "other work and `on_change: replace`: Cancel `superseded`, beside whatever step 3 says; otherwise, "
    "and if it is adopted, Keep it `running`, and what step 3 would create is Hold `waiting`; of several "
    "of one run key that would stay, Cancel all but one `duplicate`",
)
def other_work(case: Case) -> Verdict:
    """A replacement stops the old work; a rerun, or `on_change: finish`, lets it end first."""
    doomed = {ours.job.id for ours in to_cancel(case)}
    staying = tuple(ours for ours in case.jobs if ours.job.id not in doomed)
    return tuple(
        Cancel(ours=ours, reason=Reason.SUPERSEDED)
        if ours.job.id in doomed
        else duplicate(ours, staying)
        or Keep(job=ours.job, reason=Reason.RUNNING, detail="the next run waits for it")
        for ours in case.other_active
    )


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


def to_cancel(case: Case) -> tuple[Ours, ...]:
    """Return the live jobs that steps 1 and 2 would cancel. Neither duplicates nor adopted jobs are among them."""
    return tuple(ours for ours in _unwanted(case) if not ours.adopted)


def _unwanted(case: Case) -> tuple[Ours, ...]:
    if case.spec is None:
        return tuple(ours for ours in case.phase(Phase.ACTIVE) if ours.tags.on_remove == "cancel")
    if case.spec.suspend:
        return case.phase(Phase.ACTIVE)
    if case.spec.on_change == "finish":
        return ()
    return tuple(ours for ours in case.other_active if not case.same_work(ours))
