"""Names that make the sandbox misbehave on purpose, so that every ending can be tried without luck.

The whole list is here; `docs/sandbox.md` tells it to users.
"""

from __future__ import annotations

REFUSED_MODEL = "sandbox-refused"
"""A job of a model that begins so is refused by the create call itself: 400, `unknown_model`."""

UNKNOWN_MODEL = "sandbox-unknown"
"""A job of a model that begins so is created and then ends as FAILED, without answers."""

STUCK_MODEL = "sandbox-stuck"
"""A job of a model that begins so answers half of its requests, stands still, and runs into its timeout."""

FAILING_REQUEST = "!fail"
"""A request whose `custom_id` ends so fails, and is found in the error file."""


def is_refused(model: str | None) -> bool:
    """Tell whether creating a job of this model is refused."""
    return model is not None and model.startswith(REFUSED_MODEL)


def is_unknown(model: str | None) -> bool:
    """Tell whether a job of this model fails once it is looked at."""
    return model is not None and model.startswith(UNKNOWN_MODEL)


def is_stuck(model: str | None) -> bool:
    """Tell whether a job of this model never finishes."""
    return model is not None and model.startswith(STUCK_MODEL)


def is_failing(custom_id: str | None) -> bool:
    """Tell whether the request of this `custom_id` fails."""
    return custom_id is not None and custom_id.endswith(FAILING_REQUEST)
