"""Known names in a spec: the API's endpoints, and fields that belong elsewhere."""

from __future__ import annotations

from typing import Final

from reconciler.catalogue.bodies import BODIES, OTHER_NAMES

KNOWN_ENDPOINTS: Final = tuple(BODIES)
"""The endpoints that the API documents for batches. The API may add more, so another one is only a warning."""

MISPLACED_FIELD_HINTS: Final = {
    **dict.fromkeys(
        [*OTHER_NAMES, *(name for fields in BODIES.values() for name in fields)],
        "it is part of a request: write it into the `body` of each line",
    ),
    "completion_window": "write `timeout_hours`, in hours",
    **dict.fromkeys(
        ("cron", "interval", "schedule"),
        "write `rerun: {every: day}`; `apply` acts on it when CI runs it",
    ),
    **dict.fromkeys(
        ("limit", "sample", "sample_size"),
        "to try some requests first, submit them as a job with a file of their own",
    ),
}
"""Hints for fields that are often written at the top level of a spec by mistake."""
