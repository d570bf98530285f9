"""The state of the declared jobs in Prometheus's text exposition format, for a textfile collector or a push gateway.

No label has the name of a job: a family may have thousands. A label `spec` has the name of a spec's job, or the pattern
of its family's names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from reconciler.cost.actual import total_cost
from reconciler.documents.reports import StatusDoc, StatusRow
from reconciler.ledger.lines import CreateIntended
from reconciler.planning.tally import STATES, Tally, added
from reconciler.plans.document import DecisionDoc, HoldDoc
from reconciler.text.sanitize import clean


class Metric(NamedTuple):
    """A gauge: what it means, and its values by their labels."""

    name: str
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], float]]


_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def oldest_hold(
    decisions: Iterable[DecisionDoc], open_creates: Mapping[str, Collection[CreateIntended]]
) -> float | None:
    """Return the Unix time of the oldest job or open create that a hold is about; None if no hold has one."""
    held = [it for it in decisions if it.of(HoldDoc)]
    jobs = [float(hold.job.created_at) for it in held for hold in it.of(HoldDoc) if hold.job]
    creates = [create.at for it in held for create in open_creates.get(it.name, ())]
    return min((*jobs, *creates), default=None)


def exposition(report: StatusDoc, *, now: float, held_since: float | None, applied_at: float | None) -> str:
    """Return all metrics as text. The times are in Unix seconds; what is not known has no sample."""
    base = {"project": report.project, "environment": report.environment}
    rows, cost = report.rows, total_cost([row.cost for row in report.rows if row.job])
    tallies = _tallies(rows)
    states = Counter(row.state for row in rows)
    money = {**base, "currency": cost.currency} if cost else base
    metrics = (
        Metric(
            "reconciler_jobs",
            "Declared jobs by state.",
            [({**base, "state": state}, count) for state, count in sorted(states.items())],
        ),
        Metric(
            "reconciler_jobs_needing_attention",
            "Declared jobs that need a person.",
            [(base, sum(row.attention for row in rows))],
        ),
        Metric(
            "reconciler_requests",
            "Requests of declared jobs by state, as far as it is known.",
            [
                ({**base, "spec": spec, "state": state}, getattr(tally, state))
                for spec, tally in tallies.items()
                for state in STATES
            ],
        ),
        Metric(
            "reconciler_requests_open",
            "Requests of declared jobs without an answer, as far as it is known.",
            [({**base, "spec": spec}, tally.unanswered) for spec, tally in tallies.items()],
        ),
        Metric(
            "reconciler_cost",
            "Cost so far of the declared work, by the usage that is known and list prices.",
            [(money, cost.amount)] if cost else [],
        ),
        Metric(
            "reconciler_cost_is_lower_bound",
            "1 if the usage of some answers is not known, so that the cost may be higher.",
            [(base, cost.lower_bound)] if cost else [],
        ),
        Metric("reconciler_oldest_hold_age_seconds", _HOLD, _age(base, now, held_since)),
        Metric("reconciler_last_apply_age_seconds", _APPLY, _age(base, now, applied_at)),
    )
    return "".join(_lines(metric) for metric in metrics if metric.samples)


_HOLD: Final = "Seconds since the creation of the oldest job, or of the oldest open create, that is on hold."
_APPLY: Final = "Seconds since an apply on this host last ended with exit code 0."


def _tallies(rows: Iterable[StatusRow]) -> Mapping[str, Tally]:
    """Return the sums of the known states of requests, by spec."""
    found: dict[str, list[Tally]] = defaultdict(list)
    for row in rows:
        if row.states:
            found[row.family or row.name].append(row.states)
    return {spec: added(several) for spec, several in sorted(found.items())}


def _age(
    labels: Mapping[str, str], now: float, since: float | None
) -> Sequence[tuple[Mapping[str, str], float]]:
    return [] if since is None else [(labels, max(0.0, now - since))]


def _lines(metric: Metric) -> str:
    head = f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} gauge\n"
    samples = (f"{metric.name}{{{_labels(labels)}}} {float(value)!r}\n" for labels, value in metric.samples)
    return head + "".join(samples)


def _labels(labels: Mapping[str, str]) -> str:
    """Return labels as text. One with an empty value is the same as none."""
    return ",".join(f'{name}="{clean(value).translate(_ESCAPES)}"' for name, value in labels.items() if value)
