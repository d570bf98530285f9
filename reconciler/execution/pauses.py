"""Pauses between looks at something that has not happened yet."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.environment import Environment


@dataclass(slots=True)
class Pauses:
    """Pauses, each twice as long as the one before."""

    env: Environment
    until: float
    """On the monotonic clock: there is no pause after it."""
    seconds: float = 1.0
    """The length of the next pause."""
    longest: float = 15.0

    def wait(self) -> bool:
        """Pause and return True; return False at once if the time is over or the run was asked to stop."""
        left = self.until - self.env.monotonic()
        if left <= 0 or self.env.stop.is_set():
            return False
        self.env.sleep(min(self.seconds, left))
        self.seconds = min(self.seconds * 2, self.longest)
        return True
