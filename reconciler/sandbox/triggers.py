"""Names that make a job or a request fail on purpose, to try every outcome.

`docs/sandbox.md` documents them for users.
"""

from __future__ import annotations

import re

REFUSED_MODEL = "sandbox-refused"
"""Prefix of a model whose jobs are rejected by the create call: 400, `unknown_model`."""

UNKNOWN_MODEL = "sandbox-unknown"
"""Prefix of a model whose jobs are created and then end as FAILED, without answers."""

STUCK_MODEL = "sandbox-stuck"
"""Prefix of a model whose jobs answer half of their requests and then nothing until their timeout."""

FAILING_REQUEST = "!fail"
"""Suffix of the `custom_id` of a request that fails. `!fail-429` and so on choose how: see `failures`."""

_FAILING = re.compile(rf"{FAILING_REQUEST}(?:-(?P<form>[a-z0-9]+))?$")


def names(model: str | None, trigger: str) -> bool:
    """Return whether a model begins with a trigger."""
    return model is not None and model.startswith(trigger)


def is_failing(custom_id: str | None) -> bool:
    """Return whether the request with this `custom_id` fails."""
    return failure_form(custom_id) is not None


def failure_form(custom_id: str | None) -> str | None:
    """Return the form that a failing request names, "" if it names none, and None if the request does not fail."""
    found = _FAILING.search(custom_id or "")
    return (found["form"] or "") if found else None
