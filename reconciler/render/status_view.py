"""The state of every declared job: documents made from a plan, and their text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import structs

from reconciler.cost.actual import Cost, total_cost
from reconciler.documents.reports import StatusDoc, StatusRow, WaitDoc, pretty
from reconciler.model import NotYetStarted, OwnedJob
from reconciler.planning.standing import Standing
from reconciler.planning.tally import added
from reconciler.plans.action_documents import CancelDoc, CreateDoc, HoldDoc, KeepDoc
from reconciler.plans.document import DecisionDoc, PlanDoc
from reconciler.render import grouping
from reconciler.render.paint import NO_SCREEN, Screen, coloured, sparkline
from reconciler.render.plan_view import others, submits
from reconciler.render.reasons import reason_words
from reconciler.render.tables import table_markdown, table_text
from reconciler.render.text import cost_words
from reconciler.text.plural import age, pluralize

HEAD: Final[tuple[str, ...]] = ("NAME", "STATE", "JOB", "ANSWERED", "OTHERS", "AGE", "COST", "WHY")
LEFT_OUT: Final = ("AGE", "JOB", "OTHERS", "COST")
"""The columns that a narrow terminal leaves out, in this order, so that there is room for WHY."""
RUNS: Final = "LAST RUNS"
WIDE: Final = 120
"""Columns from which a terminal has room for `RUNS`."""
MAX_RUNS: Final = 10
LATER: Final = "later"
"""The reason of a job whose first period has not begun."""
_OF_OTHERS: Final = frozenset(
    {
        Standing.WAITING,
        Standing.OTHER_ROOT,
        Standing.OTHER_HISTORY,
        Standing.CHECKOUT_BEHIND,
        Standing.NO_ROOM,
        Standing.HELD_BACK,
        Standing.INPUT_NEEDED,
        Standing.PERHAPS_SUBMITTED,
        Standing.UNSETTLED,
    }
)
"""Standings in which the job of the hold is not the wanted one, so that its status is not the state of the name."""

_WITHOUT_JOB: Final = {Standing.FAILED.value: "FAILED", Standing.SUSPENDED.value: "suspended"}
"""The state to show for a standing without a job."""


def status_doc(
    plan: PlanDoc,
    later: Mapping[str, NotYetStarted],
    selected: frozenset[str] | None,
    costs: Mapping[str, Cost] = {},
) -> StatusDoc:
    """Return the state of every declared job: of those in a plan, and of the selected ones of a `later` period.

    The costs so far are by name.
    """
    rows = [_row(decision, costs.get(decision.name)) for decision in plan.decisions if decision.declared_at]
    rows += [
        StatusRow(
            name=name,
            family=it.family,
            state="not yet",
            reason=LATER,
            job=None,
            attention=False,
            detail=f"begins {it.begins}",
        )
        for name, it in later.items()
        if selected is None or name in selected
    ]
    return StatusDoc(
        **structs.asdict(plan.target),
        rows=tuple(sorted(rows, key=lambda row: row.name)),
    )


def _row(decision: DecisionDoc, cost: Cost | None) -> StatusRow:
    """Return the row of a decision. Its first action is about the wanted work, so it gives the state."""
    action = decision.actions[0]
    replaced = next((cancel.job for cancel in decision.of(CancelDoc)), None)
    job = replaced if isinstance(action, CreateDoc) else action.job
    detail = action.detail if isinstance(action, KeepDoc | HoldDoc) else ""
    if isinstance(action, CreateDoc):
        part = f"part {action.attempt}, " if action.attempt > 1 else ""
        detail = part + submits(action) if action.of else ""
        state = "to replace" if replaced else "to create"
    elif isinstance(action, HoldDoc) and (job is None or decision.standing in _OF_OTHERS):
        state = _WITHOUT_JOB.get(decision.standing, "on hold")
    else:
        state = job.status if job else "record gone"
    return StatusRow(
        name=decision.name,
        family=decision.family,
        state=state,
        reason=action.reason,
        job=job,
        states=decision.states,
        attention=decision.attention,
        detail=detail,
        again=decision.again if decision.again and not isinstance(action, CreateDoc) else "",
        cost=cost,
    )


def formatted(
    report: StatusDoc,
    form: str,
    *,
    now: float,
    everything: bool,
    screen: Screen = NO_SCREEN,
    runs: Mapping[str, str] = {},
) -> str:
    """Return the state of jobs as text, Markdown or JSON; after a wait, with a last line that counts them.

    Jobs of a family in the same state share a line unless `everything` is set.
    """
    if form == "json":
        return pretty(report).decode()
    rows = _rows(report, now, everything=everything)
    columns = {name: [row[at] for row in rows] for at, name in enumerate(HEAD)}
    if not any(row.cost for row in report.rows):
        del columns["COST"]
    if form == "markdown":
        shown = table_markdown([*columns], zip(*columns.values(), strict=True))
    elif not rows:
        shown = "nothing is declared\n"
    else:
        if screen.width and screen.width >= WIDE and len(rows) == len(report.rows):
            columns |= {RUNS: [runs.get(it.name, "") for it in report.rows], "WHY": columns.pop("WHY")}
        fitting = _narrowed(columns, screen.width)
        table = table_text([*fitting], zip(*fitting.values(), strict=True), width=screen.width)
        shown = coloured(table, "STATE", colour=screen.colour)
    return f"{shown}\n{_waited(report)}\n" if isinstance(report, WaitDoc) else shown


def _narrowed(columns: Mapping[str, Sequence[str]], width: int | None) -> Mapping[str, Sequence[str]]:
    """Leave out columns until the table fits the width with the last column wrapped to a quarter of it."""
    for name in LEFT_OUT:
        *before, last = [max(map(len, (head, *cells))) for head, cells in columns.items()]
        if width is None or sum(before) + 2 * len(before) + min(last, width // 4) <= width:
            break
        columns = {head: cells for head, cells in columns.items() if head != name}
    return columns


def last_runs(owned: Iterable[OwnedJob]) -> Mapping[str, str]:
    """Return a picture of the last jobs of each name: how much of what it was asked each answered, the newest last."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for it in sorted(owned, key=lambda it: it.job.age_key):
        asked = it.requests
        share = min(1.0, it.job.answers / asked) if asked and it.phase.ended else None
        found[it.tags.name].append(share)
    return {name: sparkline(shares[-MAX_RUNS:]) for name, shares in found.items()}


def _rows(report: StatusDoc, now: float, *, everything: bool) -> list[tuple[str, ...]]:
    """Return the cells of each row. A family's rows in the same state are one, in the place of the first."""
    totals = Counter(row.family for row in report.rows)
    groups = grouping.fold(report.rows, lambda row: None if everything else _alike(row))
    return [_cells(group, totals[group[0].family], now) for group in groups]


def _alike(row: StatusRow) -> Hashable:
    if not row.family:
        return None
    return row.family, row.state, row.reason, row.attention, row.detail if row.attention else ""


def _cells(rows: Sequence[StatusRow], total: int, now: float) -> tuple[str, ...]:
    """Return the cells of one row, or of several rows of a family, which has so many in `total`."""
    row, jobs = rows[0], [it.job for it in rows if it.job]
    known = [it.states for it in rows if it.states]
    counted = added(known) if len(known) == len(rows) else None
    why = ": ".join(filter(None, [reason_words(row.reason), row.detail]))
    return (
        row.name if len(rows) == 1 else grouping.family_title(row.family, len(rows), total),
        ("! " if row.attention else "") + row.state,
        jobs[0].id[:8] if len(jobs) == 1 else pluralize(len(jobs), "job") if jobs else "-",
        f"{counted.answered:,} of {counted.of:,}" if counted else "?",
        ", ".join(others(counted)) if counted else "?",
        age(now - min(job.created_at for job in jobs)) if jobs else "-",
        cost_words(total_cost([it.cost for it in rows if it.job])) if jobs else "-",
        " · ".join(filter(None, [why, row.again and f"run again {row.again}"])),
    )


def _waited(report: WaitDoc) -> str:
    """Return the end of a wait in one line: `3 done, 1 needs attention, 1 pending: run apply`."""
    readiness = Counter(report.readiness.values())
    words = {
        "done": "done",
        "attention": "needs attention" if readiness["attention"] == 1 else "need attention",
        "running": "still running",
        "idle": "not needed now",
        "pending": "pending: run apply",
    }
    counts = ", ".join(f"{readiness[it]:,} {word}" for it, word in words.items() if readiness[it])
    return f"timed out: {counts}" if report.timed_out else counts or "nothing is declared"
