"""What long work calls again and again, so that it can be ended and is seen to be alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Heartbeat: TypeAlias = Callable[[], None]
"""Says that the work goes on. Raises `StoppedError` or `LeaseLostError` where it is not to."""


class StoppedError(Exception):
    """The run was asked to stop."""
