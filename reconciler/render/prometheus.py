"""The state of the declared jobs in Prometheus's text exposition format, for a textfile collector or a push gateway.

No label has the name of a job: a family may have thousands. A label `spec` has the name of a spec's job, or the pattern
of its family's names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from reconciler.cost.actual import total_cost
from reconciler.documents.reports import StatusDoc
from reconciler.ledger.lines import CreateIntended
from reconciler.planning.tally import STATES, Tally, added
from reconciler.plans.action_documents import HoldDoc
from reconciler.plans.document import DecisionDoc
from reconciler.text.sanitize import clean

_Sample: TypeAlias = tuple[str, Mapping[str, str], float]
"""The end of a metric's name, labels beside those of the project, and the value."""
_MEANINGS: Final = {
    "jobs": "Declared jobs by state.",
    "jobs_needing_attention": "Declared jobs that need a person.",
    "requests": "Requests of declared jobs by state, as far as it is known.",
    "requests_open": "Requests of declared jobs without an answer, as far as it is known.",
    "cost": "Cost so far of the declared work, by the usage that is known and list prices.",
    "cost_is_lower_bound": "1 if the usage of some answers is not known, so that the cost may be higher.",
    "oldest_hold_age_seconds": "Seconds since the creation of the oldest job or open create that is on hold.",
    "last_apply_age_seconds": "Seconds since an apply on this host last ended with exit code 0.",
}
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def oldest_hold(
    decisions: Iterable[DecisionDoc], open_creates: Mapping[str, Collection[CreateIntended]]
) -> float | None:
    """Return the Unix time of the oldest job or open create that a hold is about; None if no hold has one."""
    held = [(it.name, hold.job) for it in decisions for hold in it.of(HoldDoc)]
    jobs = [float(job.created_at) for _, job in held if job]
    return min((*jobs, *(it.at for name, _ in held for it in open_creates.get(name, ()))), default=None)


def exposition(report: StatusDoc, *, now: float, held_since: float | None, applied_at: float | None) -> str:
    """Return all metrics as text. The times are in Unix seconds; what is not known has no sample."""
    base = {"project": report.project, "environment": report.environment}
    lines: dict[str, list[str]] = defaultdict(list)
    times = {"oldest_hold_age_seconds": held_since, "last_apply_age_seconds": applied_at}
    ages: Iterator[_Sample] = ((name, {}, max(0.0, now - at)) for name, at in times.items() if at is not None)
    for name, labels, value in (*_samples(report), *ages):
        lines[name].append(f"reconciler_{name}{{{_labels({**base, **labels})}}} {float(value)!r}\n")
    heads = {
        name: f"# HELP reconciler_{name} {meaning}\n# TYPE reconciler_{name} gauge\n"
        for name, meaning in _MEANINGS.items()
    }
    return "".join(head + "".join(lines[name]) for name, head in heads.items() if name in lines)


def _samples(report: StatusDoc) -> Iterator[_Sample]:
    """Yield what the rows say."""
    tallies: dict[str, list[Tally]] = defaultdict(list)
    for row in report.rows:
        tallies[row.family or row.name] += [row.states] if row.states else []
    for state, count in sorted(Counter(row.state for row in report.rows).items()):
        yield "jobs", {"state": state}, count
    yield "jobs_needing_attention", {}, sum(row.attention for row in report.rows)
    for spec, tally in ((spec, added(known)) for spec, known in sorted(tallies.items()) if known):
        yield "requests_open", {"spec": spec}, tally.unanswered
        yield from (("requests", {"spec": spec, "state": it}, getattr(tally, it)) for it in STATES)
    if cost := total_cost([row.cost for row in report.rows if row.job]):
        yield "cost", {"currency": cost.currency}, cost.amount
        yield "cost_is_lower_bound", {}, cost.lower_bound


def _labels(labels: Mapping[str, str]) -> str:
    """Return labels as text. One with an empty value is the same as none."""
    return ",".join(f'{name}="{clean(value).translate(_ESCAPES)}"' for name, value in labels.items() if value)
