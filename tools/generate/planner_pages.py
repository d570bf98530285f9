"""`docs/planner.md`, from the planner's rules."""

from __future__ import annotations

from typing import Final

from reconciler.model import Phase
from reconciler.planning import planner, same_requests, sharing
from reconciler.planning.actions import Reason
from reconciler.planning.rules import other_work
from tools.generate import markdown

_INTRODUCTION: Final = """\
# What the planner decides

The planner compares what git declares with what the workspace holds and what the ledger remembers, and decides about
every name: **create** a job, **cancel** one, **keep** things as they are, or **hold**: wait until something changes.
It is a pure function: the same specs, jobs, memory and time give the same plan, byte for byte, whatever their order.

Exactly one rule applies to each name: the conditions exclude each other, so the order of the tables does not matter.
The name of the rule is the *standing* of the name, which the plan's JSON, `status` and `wait` use as well. A job
belongs to the spec that wants its work, whatever its name was when it was created, and otherwise to the name in its
tags: so a rename submits nothing. The planner ignores jobs of other projects. A name can be "not declared" only if the
complete spec root was loaded: a path on the command line is a selection.
"""

_PARTS: Final = (
    "Names that this run must not touch",
    "Names under which no work is wanted",
    "The wanted work has a job, or may have one",
    "The wanted work has ended and needs a decision",
    "The wanted work is to be created",
)
_BESIDE: Final = "In addition to the wanted work: live jobs of other work"

_PHASES: Final = """\
The planner maps the statuses of the API to phases: {phases}. ACTIVE is queued or running,
STOPPING a requested cancellation, and UNKNOWN any status that this version does not know. *The wanted work* is a run
key: the digest of endpoint, model and inputs, and `rerun`. "By us" means that the ledger says that the API accepted our
cancel while the job was running, or, for a job that the ledger does not know, that the tags of its replacement name it.
A cancel as `duplicate` never counts as one. *At rest* means that no job of the work is live or has succeeded, and no
create of it may still take effect; *accounted for*, that in addition the end of every known job of it is explained.
"""

_SAME: Final = """\
## Changed files with the same requests

The digest of the inputs is over their bytes: a final line feed or another order of the lines makes it another one. The
tags of a job have a digest of its sorted request keys as well (`all`), and of its endpoint and declared model or agent
(`recipe`).
"""
_SHARED: Final = """\
## Several specs with the same work

Two specs declare the same work if endpoint, model, inputs and `rerun` are equal, for example two files of a family
with equal content. They share its jobs and answers. One spec owns the jobs: the spec whose name the newest job has in
its tags, or the first by name if that spec is suspended or no longer declares the work. A suspended spec owns jobs only
if all of them are suspended. The owner's `retry` applies, and only a command that selects the owner submits the work. A
running job of other work under another of these names is cancelled or kept once the shared job exists. If the owner is
removed, another spec owns the jobs, and nothing is submitted or cancelled. Results are those of the owner; once several
of the names have jobs of the work, each of them has the results of all jobs.
"""

_QUOTA: Final = """\
## Quota

After the rules, the planner checks the creates, in order of name, against the number of requests that the workspace may
have pending (`limits.max_workspace_pending`) and that this project may (`limits.max_pending`). The number of pending
requests is a lower bound: a job shows no total until the API has validated it, and only our jobs have it in their tags.
A create that does not fit is Hold `quota`, and a later apply creates it; one that would not fit into an empty workspace
needs a person. If it replaces a job and fits once that job is gone, the old job is cancelled first, and the same apply
creates the new one once the old one has stopped. If it does not fit then either, the old job stays, and of twins the
oldest. The standing of a name whose create is held is `no_room`. A create that is not sent for another reason needs no
room, unless that is a guard with a number: such a guard counts only what the quota lets go.

If `apply` cannot fetch the content of an input, or finds another one, the create is Hold `input_needed`, and so is its
standing.
"""

_GUARDS: Final = """\
## Guards

Last, [guards](troubleshooting.md#guards) check the plan, and hold back what they count: the create of a name is Hold
`held_back`, and the job that it would replace stays; a cancel without a create is Hold `held_back`. The rest of the
plan is done. The standing of a name whose create is held is `held_back`.
"""

_LEDGER: Final = """\
## What rests on the ledger alone

Anyone who may push to a shared ledger can write lines. A create is marked (`rests_on_ledger`) if the planner would hold
it without the lines that say that this tool cancelled a job, or that a job whose record is gone had failed; and if the
ledger has a line of a newer version that may be about its work, or lost lines that this clone knew. Only yes at the
prompt, or a saved plan with the same mark, lets `apply` submit it. Any other run, such as `apply --yes`, holds it as
`not_agreed` (attention), and keeps the job that it would replace. No cancel depends on the ledger.
"""

_REASONS: Final = """\
## Reasons

Every action has a reason. Reasons are for readers: `apply` depends on the action alone.
"""

_ATTENTION: Final = """\
A hold by itself is not a pending change. A name marked *attention* needs a person; `--fail-on-attention` makes it an
[exit code](exit-codes.md).
"""


def page() -> str:
    """Return the page."""
    parts = [
        text
        for title, rules in zip(_PARTS, planner.TABLE, strict=True)
        for text in (
            f"## {title}",
            markdown.table(
                ["standing", "case", "outcome"], ([f"`{it.standing}`", it.case, it.outcome] for it in rules)
            ),
        )
    ]
    beside, same, shared = (
        markdown.table(["case", "outcome"], [[it.CASE, it.OUTCOME]])
        for it in (other_work, same_requests, sharing)
    )
    reasons = markdown.table(["reason", "meaning"], ([f"`{it}`", it.explanation] for it in Reason))
    return markdown.page(
        _INTRODUCTION,
        _PHASES.format(phases=", ".join(phase.name for phase in Phase)),
        *parts,
        f"## {_BESIDE}",
        beside,
        _SAME,
        same,
        _SHARED,
        shared,
        _QUOTA,
        _GUARDS,
        _LEDGER,
        _REASONS,
        reasons,
        _ATTENTION,
        source="`reconciler/planning/` (`planner.py`, `rules/`, `same_requests.py`, `sharing.py`, `quota.py` and "
        "`actions.py`)",
    )
