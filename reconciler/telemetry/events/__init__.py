"""The catalogue of events: every event name of the log, with its level, its meaning and its fields.

A name is dotted, in the past tense and constant; the fields have everything that varies. The catalogue decides an
event's level and the order of its fields. `schemas/event.schema.json` and `docs/events.md` are generated from it,
and tests check every logged event against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.telemetry.events import applying, ended_jobs, planning, run
from reconciler.telemetry.events.fields import BOUND, HEAD, LEVELS, Event, Field, Level

__all__ = ["BOUND", "EVENTS", "HEAD", "LEVELS", "Event", "Field", "Level"]

EVENTS: Final[Mapping[str, Event]] = {
    **planning.EVENTS,
    **applying.EVENTS,
    **ended_jobs.EVENTS,
    **run.EVENTS,
}
"""Every event, in the order of a run."""
