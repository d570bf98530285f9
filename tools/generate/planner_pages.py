"""`docs/planner.md` and the table in the planner's docstring, from the planner's rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from reconciler.model import Phase
from reconciler.planning import planner
from reconciler.planning.actions import REASONS
from reconciler.planning.rules import other_work
from tools.generate import markdown

_INTRODUCTION: Final = """\
# What the planner decides

The planner compares the specs in git with the jobs in the workspace and the records in the ledger. For each name it
decides to **create** a job, **cancel** one, **keep** things as they are, or **hold**: wait until something changes. It
is a pure function: the same specs, jobs, ledger and time give the same plan, byte for byte, in any order.

Exactly one rule applies to each name: the conditions exclude each other, so the order of the tables does not matter.
The name of the rule is the *standing* of the name, which the plan's JSON, `status` and `wait` use as well. A job
belongs to the spec that declares its work, under any name, and otherwise to the name in its tags: so a rename submits
nothing. The planner ignores jobs of other projects. A name is "not declared" only if the complete spec root was loaded:
a path on the command line is a selection.
"""

_PARTS: Final = (
    "Names that this run must not touch",
    "Names without wanted work",
    "The wanted work has a job, or may have one",
    "The wanted work has ended and needs a decision",
    "The wanted work is to be created",
)
_BESIDE: Final = "In addition: live jobs of other work"

_PHASES: Final = """\
The planner maps the statuses of the API to phases: {phases}. ACTIVE is queued or running,
STOPPING a requested cancellation, and UNKNOWN any status that this version does not know. *The wanted work* is a run
key: the digest of endpoint, model and inputs, and `rerun`. "By us" means that the ledger records that the API accepted
the tool's cancel while the job was running; for a job that is not in the ledger, that the tag of its replacement
records the cancel. A cancel as `duplicate` never counts.
"""

_QUOTA: Final = """\
## Quota

Afterwards the planner checks the creates, in order of name, against the pending requests that the workspace
(`limits.max_workspace_pending`) and this project (`limits.max_pending`) may have. The number of pending requests is a
lower bound: a job shows no total until the API has validated it, and only the project's own jobs have it in their tags.
A create that does not fit becomes Hold `quota`, and a later apply creates it; one that would not fit into an empty
workspace needs attention. If a create replaces a job and fits only without that job, the old job is cancelled first,
and the new one is created in the same apply once the old one has stopped. If it does not fit even then, the old job
stays.
"""

_REASONS: Final = """\
## Reasons

Every action has a reason. Reasons are for readers only: `apply` does not depend on them.
"""

_ATTENTION: Final = """\
A hold is not a pending change. A hold marked *attention* waits for a person; `--fail-on-attention` makes it
an [exit code](exit-codes.md).
"""

_TABLE: Final = re.compile(r"^0  .*?(?=\n\n)", re.DOTALL | re.MULTILINE)


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
    beside = markdown.table(["case", "outcome"], [[other_work.CASE, other_work.OUTCOME]])
    reasons = markdown.table(["reason", "meaning"], ([f"`{it}`", words] for it, words in REASONS.items()))
    return markdown.page(
        _INTRODUCTION,
        _PHASES.format(phases=", ".join(phase.name for phase in Phase)),
        *parts,
        f"## {_BESIDE}",
        beside,
        _QUOTA,
        _REASONS,
        reasons,
        _ATTENTION,
        source="`reconciler/planning/` (`planner.py`, `rules/`, `quota.py` and `actions.py`)",
    )


def docstring() -> str:
    """Return the planner's source with the current table of rules in its docstring.

    Raises:
        ValueError: the docstring has no paragraph that begins with step 0.
    """
    source = Path(planner.__file__).read_text(encoding="utf-8")
    text, found = _TABLE.subn(lambda _: planner.table(), source, count=1)
    if not found:
        raise ValueError("the planner's docstring has no table: a paragraph that begins with `0  `")
    return text
