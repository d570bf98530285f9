"""The callback of long operations: it renews a lease and can stop the operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Heartbeat: TypeAlias = Callable[[], None]
"""Called regularly during an operation. Raises `StoppedError` or `LeaseLostError` to stop it."""


class StoppedError(Exception):
    """The run received a signal to stop."""
