"""The timeline of a report: a lane for each name, and in it a bar for each job, packed so that none hides another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from reconciler.history.record import Record
from reconciler.text.timestamps import rfc3339

MAX_DRAWN: Final = 500
"""Jobs that are drawn: the newest."""
MAX_LANES: Final = 40
"""Names that have a lane: those with the newest jobs."""
WIDTH: Final = 1000.0
"""Units of a lane's width."""
_LEAST: Final = 3.0
"""Units that a bar has at least."""
_END: Final = {
    "SUCCESS": "succeeded",
    "QUEUED": "live",
    "RUNNING": "live",
    "CANCELLED": "cancelled",
    "CANCELLATION_REQUESTED": "cancelled",
}
"""How a bar is drawn, by the status of its job; any other is `failed`."""


class Bar(Struct, frozen=True, kw_only=True):
    """One job."""

    x: float
    started: float
    """When it began to run: before that it was queued."""
    end: float
    row: int
    look: str
    """`succeeded`, `live`, `cancelled` or `failed`."""
    title: str


class Lane(Struct, frozen=True, kw_only=True):
    """The jobs of one name."""

    name: str
    bars: tuple[Bar, ...]
    rows: int


class Timeline(Struct, frozen=True, kw_only=True):
    """What is drawn, and what is not."""

    lanes: tuple[Lane, ...]
    begin: int
    """Unix seconds, like `end`."""
    end: int
    drawn: int
    left_out: int
    """Jobs that are older, of other names, or whose times are not known."""


def look(record: Record) -> str:
    """Return how a job is drawn."""
    return _END.get(record.status or "", "failed")


def timeline(records: Sequence[Record], *, now: int) -> Timeline:
    """Return the lanes of the newest jobs. `records` are in order of creation."""
    known = [it for it in records if it.created_at is not None][-MAX_DRAWN:]
    by_name: dict[str, list[Record]] = defaultdict(list)
    for record in known:
        by_name[record.name or "?"].append(record)
    newest = sorted(by_name, key=lambda name: (-(by_name[name][-1].created_at or 0), name))[:MAX_LANES]
    shown = [it for name in newest for it in by_name[name]]
    begin = min((it.created_at or 0 for it in shown), default=now)
    end = max([now, *(_end(it, now) for it in shown)])
    scale = WIDTH / max(1, end - begin)

    def place(when: int) -> float:
        return round((when - begin) * scale, 1)

    lanes = tuple(_lane(name, by_name[name], place, now) for name in newest)
    drawn = sum(len(lane.bars) for lane in lanes)
    return Timeline(lanes=lanes, begin=begin, end=end, drawn=drawn, left_out=len(records) - drawn)


def _end(record: Record, now: int) -> int:
    """Return when a job ended: now, if it is live; when it was created, if that is not known."""
    created = record.created_at or 0
    if record.completed_at is not None:
        return max(created, record.completed_at)
    return max(created, now) if look(record) == "live" else record.cancelled_at or created


def _lane(name: str, records: Iterable[Record], place: Callable[[int], float], now: int) -> Lane:
    bars: list[Bar] = []
    free: list[float] = []  # for each row, where the last bar ends
    for record in records:
        created, ended = record.created_at or 0, _end(record, now)
        x = place(created)
        end = min(WIDTH, max(place(ended), x + _LEAST))
        x = min(x, end - _LEAST)
        row = next((row for row, until in enumerate(free) if until <= x), len(free))
        free[row : row + 1] = [end]
        started = min(end, max(x, place(record.started_at))) if record.started_at else x
        bars.append(Bar(x=x, started=started, end=end, row=row, look=look(record), title=_title(record)))
    return Lane(name=name, bars=tuple(bars), rows=max(1, len(free)))


def _title(record: Record) -> str:
    """Return what a bar says: the job, its status, its times, and what it answered."""
    part = f"part {record.attempt} of its work" if record.of else ""
    asked, answered = record.total_requests, record.succeeded_requests
    counts = "" if asked is None or answered is None else f"{answered:,} of {asked:,} answered"
    times = [rfc3339(it) for it in (record.created_at, record.completed_at) if it is not None]
    words = (
        record.name,
        record.job_id and record.job_id[:8],
        record.status or "?",
        part,
        " to ".join(times),
        counts,
    )
    return " · ".join(filter(None, words))
