"""The outcomes of an apply as text: a row for each, and a summary line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, assert_never

from msgspec import Struct

from reconciler.documents.reports import OutcomeDoc
from reconciler.plans.outcomes import Cancelled, Created, Failed, Outcome, Skipped, Unknown
from reconciler.text.sanitize import clean
from reconciler.text.timestamps import rfc3339

ALTERED: Final = "created with altered tags"


class OutcomeRow(Struct, frozen=True):
    """One line of a report."""

    sign: str
    verb: str
    name: str
    fact: str
    hint: str = ""


def outcome_row(outcome: Outcome) -> OutcomeRow:
    """Return the line of an outcome."""
    match outcome:
        case Created():
            lost = " (the response was lost; found by its op)" if outcome.recovered else ""
            return OutcomeRow("+", "created", outcome.name, f"{outcome.job.id}{lost}")
        case Cancelled():
            verb = "had ended" if outcome.too_late else "cancelled"
            return OutcomeRow("-", verb, outcome.name, f"{outcome.job.id}, {outcome.job.status}")
        case Failed():
            verb, error = f"{outcome.action} failed" if outcome.job is None else ALTERED, outcome.error
            return OutcomeRow("!", verb, outcome.name, clean(str(error)), clean(error.hint))
        case Unknown():
            until = f"run again after {rfc3339(outcome.until)}" if outcome.until else "run again"
            return OutcomeRow("?", "unknown", outcome.name, clean(str(outcome.error)), until)
        case Skipped():
            return OutcomeRow("!", "not done", outcome.name, f"{outcome.action}: {outcome.why}")
        case _:
            assert_never(outcome)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes in numbers: `3 created, 1 cancelled, 1 failed`."""
    counts = Counter(
        "failed" if isinstance(it, Failed) and it.job is None else outcome_row(it).verb for it in outcomes
    )
    order = ("created", ALTERED, "cancelled", "had ended", "failed", "unknown", "not done")
    return ", ".join(f"{counts[kind]:,} {kind}" for kind in order if counts[kind]) or "nothing to do"


def outcome_doc(outcome: Outcome) -> OutcomeDoc:
    """Return the document of an outcome."""
    row = outcome_row(outcome)
    job = outcome.job if isinstance(outcome, Created | Cancelled | Failed) else None
    return OutcomeDoc(
        name=outcome.name,
        outcome=row.verb.replace(" ", "_"),
        job_id=job.id if job else None,
        status=job.status if job else None,
        recovered=isinstance(outcome, Created) and outcome.recovered,
        message="" if isinstance(outcome, Created | Cancelled) else row.fact,
        hint=row.hint,
    )
