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

The planner compares what git declares with what the workspace holds and what the ledger remembers, and decides about
every name: **create** a job, **cancel** one, **keep** things as they are, or **hold**, which is to do nothing although
something is wanted, until the world or the spec changes. It is a pure function: the same specs, jobs, memory and time
give the same plan, byte for byte, whatever their order.

Exactly one rule applies to each name: the conditions exclude each other, so the order of the tables has no meaning. The
name of the rule is the *standing* of the name, which the plan's JSON, `status` and `wait` use as well. A job belongs to
the spec that wants its work, whatever it was called when it was created, and otherwise to the name in its tags: so a
rename submits nothing. Jobs of other projects do not exist here. A name can be "not declared" only if the complete spec
root was loaded: a path on the command line is a selection.
"""

_PARTS: Final = (
    "Names that this run must not touch",
    "Names of which nothing is wanted",
    "The wanted work has a job, or may have one",
    "The wanted work has ended, and a person decides",
    "The wanted work is to be created",
)
_BESIDE: Final = "Beside the wanted work: live jobs of other work"

_PHASES: Final = """\
The statuses of the API are read as phases: {phases}. ACTIVE is queued or running,
STOPPING a requested cancellation, and UNKNOWN any status that this version does not know. *The wanted work* is a run
key: the digest of endpoint, model and inputs, and `rerun`. "By us" means that, by the ledger, the API accepted our
cancel while the job was running; for a job that the ledger does not know, that the tag of its replacement says so. A
cancel as `duplicate` never counts as one.
"""

_QUOTA: Final = """\
## What does not fit

Afterwards the creates are fitted, in order of name, into what the workspace may have pending
(`limits.max_workspace_pending`) and what this project may (`limits.max_pending`). What is pending is a lower bound:
jobs show no total until the API has validated them, and only ours carry it in their tags. A create that does not fit is
Hold `quota`, and a later apply takes it; one that would not fit into an empty workspace needs a person. Where it
replaces a job and fits once that one is gone, the old one is cancelled first, and the new one is created in the same
apply once the old one has stopped; where it fits in neither way, the old one stays.
"""

_REASONS: Final = """\
## Reasons

Every action carries the reason for it. Reasons are for readers: doing looks at the action alone.
"""

_ATTENTION: Final = """\
A hold by itself is not a pending change. What is marked *attention* waits for a person; `--fail-on-attention` makes it
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
    """Return the planner's own source, with the table of its docstring as its rules say.

    Raises:
        ValueError: the docstring has no paragraph that begins with step 0.
    """
    source = Path(planner.__file__).read_text(encoding="utf-8")
    text, found = _TABLE.subn(lambda _: planner.table(), source, count=1)
    if not found:
        raise ValueError("the planner's docstring has no table: a paragraph that begins with `0  `")
    return text
