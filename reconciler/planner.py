"""plan(): what is declared, what is there, what is remembered, and the time: the decision about every name.

Pure: no client, clock, logger or environment. For each name the steps run in order, and the first rule of a step
that applies decides that step; step 0 or 1 ends it, steps 2 and 3 both apply.

0  our tags on a job of the name cannot be read
     -> Hold `unreadable`, for the whole name (attention)
0  a newer tool wrote a job of the name
     -> Hold `newer_tool`, for the whole name (attention)
0  any job of the name has an unknown status
     -> Hold `unknown_status`, for the whole name (attention)
0  something to cancel or replace was bought from a commit that is not HEAD or an ancestor
     -> Hold `other_history`, for the whole name
1  suspended
     -> Cancel every ACTIVE job of the name `suspended`, less an adopted one; otherwise Hold
        `suspended`
1  not declared, ACTIVE
     -> Cancel `removed`; if the job's tag says keep: Hold `kept`, and of several of one run key
        Cancel all but one `duplicate`
1  not declared, its run key is wanted by a declared spec
     -> Keep `renamed`: it is that spec's job
1  not declared, anything else
     -> nothing: history, never deleted
2  an ACTIVE job of other work, or of the same work and another rerun
     -> other work and `on_change: replace`: Cancel `superseded`, beside whatever step 3 says;
        otherwise, and if it is adopted, Keep it `running`, and what step 3 would create is Hold
        `waiting`; of several of one run key that would stay, Cancel all but one `duplicate`
3  a create of this run key is unsettled, and none is known
     -> Hold `unsettled`, until when
3  SUCCEEDED
     -> Keep `succeeded`, or `adopted` (attention when the share of failed requests exceeds
        `max_failed`); ACTIVE twins: Cancel `duplicate`
3  ACTIVE
     -> Keep the smallest (created_at, id) `running`, or `adopted`, Cancel the others `duplicate`
3  STOPPING
     -> Hold `stopping`
3  the job that the spec adopts for this work is gone, another's, or did other work
     -> Hold `not_adopted` (attention)
3  memory knows a later job, the list does not, GET says 404
     -> it had succeeded: Keep `record_gone`; else Hold `record_gone` (attention)
3  the newest attempt was CANCELLED, not by us
     -> Hold `cancelled` (attention): cancelled outside this tool's records, for example in the
        console
3  FAILED or TIMED_OUT with answers inside
     -> Hold `partial` (attention): a retry would buy them again
3  the newest attempt was CANCELLED by us, as removed, suspended or superseded, attempts left
     -> Create `restored`
3  FAILED or TIMED_OUT, listed in retry.on, attempts left
     -> Create `retry`
3  FAILED or TIMED_OUT otherwise
     -> Hold `failed` (attention), with the API's own error
3  a job of this work was cancelled as a duplicate, and the one it was a duplicate of is gone
     -> Hold `record_gone` (attention)
3  nothing
     -> Create `new`, `changed` (which part: inputs, model, …) or `rerun`

Only where the complete spec root was loaded can a name be "not declared". A job belongs to the spec that wants its
run key, whatever it was called, and otherwise to the name in its tags. Jobs without our project's tag do not exist
here. Whatever step 3 would create is Hold `other_history` where the last job of the name was bought from a commit that
contains HEAD: this checkout is older than the job. Input order never matters.
"""

from __future__ import annotations

import textwrap
from typing import Final

from reconciler import growth
from reconciler.actions import Action, Create, Decision, Hold, Keep, Plan, Reason
from reconciler.case import Case, cases
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, Job, JobSpec, Observed, Ours, Phase
from reconciler.rules import other, untouchable, unwanted, wanted
from reconciler.rules.changes import bought_before
from reconciler.rules.rule import Rule

UNTOUCHABLE: Final = (
    untouchable.unreadable,
    untouchable.newer_tool,
    untouchable.unknown_status,
    untouchable.other_history,
)
UNWANTED: Final = (unwanted.suspended, unwanted.removed, unwanted.renamed, unwanted.history)
OTHER_WORK: Final = (other.other_work,)
WANTED_WORK: Final = (
    wanted.unsettled,
    wanted.succeeded,
    wanted.running,
    wanted.stopping,
    wanted.not_adopted,
    wanted.record_gone,
    wanted.cancelled,
    wanted.partial,
    wanted.restored,
    wanted.retry,
    wanted.failed,
    wanted.twin_gone,
    wanted.never_bought,
)
STEPS: Final[tuple[tuple[Rule, ...], ...]] = (UNTOUCHABLE, UNWANTED, OTHER_WORK, WANTED_WORK)
"""The rules of each step, in order. The table above and `docs/planner.md` are generated from it."""

OVERDUE_AFTER: Final = 3600
"""A job may outlive its timeout by so many seconds before a note says so."""


def plan(declared: Declared, observed: Observed, memory: Memory, *, now: float) -> Plan:
    """Decide about every name.

    Args:
        declared: what git says.
        observed: the whole workspace, sorted by what it is to us.
        memory: what the ledger remembers; `Memory()` without one.
        now: wall clock, Unix seconds.
    """
    decisions, not_considered = [], 0
    for case in cases(declared, observed, memory, now=now):
        if not _considered(case, declared):
            not_considered += sum(not ours.adopted for ours in case.jobs)
        elif (decision := decide(case)).actions:
            decisions.append(decision)
    return Plan(decisions=tuple(decisions), not_considered=not_considered)


def _considered(case: Case, declared: Declared) -> bool:
    if case.name in declared.later:
        return False
    return declared.selected is None or (case.spec is not None and case.name in declared.selected)


def decide(case: Case) -> Decision:
    """Decide about one name."""
    actions = first(UNTOUCHABLE, case)
    if actions is None:
        actions = first(UNWANTED, case)
    if actions is None:
        beside = first(OTHER_WORK, case) or ()
        blocker = next((action.job for action in beside if isinstance(action, Keep)), None)
        buys = first(WANTED_WORK, case) or ()
        actions = (*(wait(overtaken(action, case), blocker) for action in buys), *beside)
    return Decision(name=case.name, spec=case.spec, actions=actions, notes=tuple(notes(case, actions)))


def first(step: tuple[Rule, ...], case: Case) -> tuple[Action, ...] | None:
    """Return what the first rule that applies says, None where none does."""
    for rule in step:
        verdict = rule.decide(case)
        if verdict is not None:
            return verdict
    return None


def overtaken(action: Action, case: Case) -> Action:
    """Turn a create into a Hold where this checkout is older than the last job of the name: its time is over."""
    if not isinstance(action, Create):
        return action
    last = case.overtaken_by
    if last is None:
        return action
    detail = (
        f"job {last.job.short_id} was bought from commit {last.tags.source.commit[:10]}, which came later"
    )
    return Hold(
        job=last.job, reason=Reason.OTHER_HISTORY, detail=detail, hint="update the checkout, then plan again"
    )


def wait(action: Action, blocker: Job | None) -> Action:
    """Turn a create into a Hold while a job of the name has to end first."""
    if blocker is None or not isinstance(action, Create):
        return action
    return Hold(job=blocker, reason=Reason.WAITING, detail=f"for job {blocker.short_id} to end")


def notes(case: Case, actions: tuple[Action, ...]) -> list[str]:
    """Say what deserves a word and changes nothing."""
    if case.spec is None:
        return []
    found = []
    if any(isinstance(action, Create) for action in actions):
        found += [
            f"{path} is not committed: a run elsewhere will not see it so"
            for path in case.spec.files
            if path in case.uncommitted
        ]
        found += _notes_on_defaults(case.spec, actions)
        found += _notes_on_name(case, actions)
        found += _notes_on_growth(case, case.spec, actions)
        found += _notes_on_adopt(case.spec)
    kept = {action.job.id for action in actions if isinstance(action, Keep) and action.job}
    for ours in case.wanted:
        if ours.job.id in kept:
            found += _notes_on(case, ours)
    return found


def _notes_on_defaults(spec: JobSpec, actions: tuple[Action, ...]) -> list[str]:
    """Say where a change that buys again was written, if not in the spec."""
    changed = [change.field for action in actions if isinstance(action, Create) for change in action.changes]
    places = {field: spec.defaults[field] for field in changed if field in spec.defaults}
    return [f"{field} is written in {at.path}:{at.line}" for field, at in places.items()]


def _notes_on_name(case: Case, actions: tuple[Action, ...]) -> list[str]:
    """Say under which other name the same work was bought before."""
    again = any(isinstance(action, Create) and action.reason is Reason.RERUN for action in actions)
    before = bought_before(case) if again else None
    return [f"bought before as {before.tags.name}"] if before and before.tags.name != case.name else []


def _notes_on_growth(case: Case, spec: JobSpec, actions: tuple[Action, ...]) -> list[str]:
    """Say where all that was bought is bought again for a few parts more."""
    changed = any(isinstance(action, Create) and action.reason is Reason.CHANGED for action in actions)
    before = bought_before(case) if changed else None
    return [note] if before and (note := growth.told(before, spec)) else []


def _notes_on_adopt(spec: JobSpec) -> list[str]:
    """Say that what a spec adopts is other work than it declares."""
    if spec.adopt is None or spec.adopt.work in {key.work for key in spec.run_keys}:
        return []
    return [
        f"`adopt` names other work ({spec.adopt.work[:11]}) than is declared now ({spec.run_key.work[:11]})"
    ]


def _notes_on(case: Case, ours: Ours) -> list[str]:
    if case.spec is None:
        return []
    found = []
    if ours.tags.name != case.name:
        found.append(f"bought as {ours.tags.name}")
    if ours.tags.settings != case.spec.settings and not ours.adopted:
        found.append(
            "settings changed (metadata, timeout_hours or on_remove): takes effect with the next run"
        )
    if ours.phase is Phase.ACTIVE:
        if ours.tags.on_remove != case.spec.on_remove and not ours.adopted:
            found.append(f"the running job still carries on_remove={ours.tags.on_remove}")
        if case.now > ours.job.created_at + case.spec.timeout_hours * 3600 + OVERDUE_AFTER:
            found.append(f"past its timeout of {case.spec.timeout_hours} h by more than an hour")
    return found


def table() -> str:
    """Return the table of cases and outcomes as it stands in this module's docstring."""
    lines = []
    for number, step in enumerate(STEPS):
        for rule in step:
            lines += textwrap.wrap(f"{number}  {rule.case}", 100, subsequent_indent="   ")
            lines += textwrap.wrap(rule.outcome, 100, initial_indent="     -> ", subsequent_indent="        ")
    return "\n".join(lines)
