"""The settings of a new job as a plan shows them. A saved plan holds only with exactly these."""

from __future__ import annotations

import msgspec

from reconciler.model import Checks, JobSpec, Retry, Terms
from reconciler.planning.actions import Change


class RetryDoc(msgspec.Struct, frozen=True, kw_only=True):
    """How often failed work is submitted again automatically."""

    max_attempts: int = Retry().max_attempts
    """How often one request may be submitted."""
    words: tuple[str, ...] = msgspec.field(default=Retry().words, name="on")
    """The failures after which it is submitted again."""


class SettingsDoc(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a new job. Its work does not depend on them, and a saved plan holds only with exactly these."""

    timeout_hours: int = 24
    metadata: dict[str, str] = {}
    """The user's metadata, without the tags of this tool."""
    retry: RetryDoc = RetryDoc()
    on_change: str = "auto"
    on_remove: str = "cancel"
    checks: Checks = Checks()
    canary: int = 0
    reuse: bool | tuple[str, ...] = True

    @classmethod
    def of(cls, spec: JobSpec) -> SettingsDoc:
        """Return the settings of a spec."""
        return msgspec.convert(spec, cls, from_attributes=True)

    @property
    def terms(self) -> Terms:
        """Those with which the work goes on once it was submitted."""
        retry = self.retry
        return Terms(max_attempts=retry.max_attempts, on=retry.words, canary=self.canary, checks=self.checks)

    def differences(self, before: SettingsDoc) -> list[Change]:
        """Return the fields that differ from other settings, nested ones by path (`retry.max_attempts`)."""
        old, new = before._flat(), self._flat()
        return [
            Change(key, old.get(key, "none"), new.get(key, "none"))
            for key in new | old
            if old.get(key) != new.get(key)
        ]

    def _flat(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in msgspec.to_builtins(self).items():
            parts = (
                {f"{name}.{key}": it for key, it in value.items()}
                if isinstance(value, dict)
                else {name: value}
            )
            found |= {key: ", ".join(it) if isinstance(it, tuple) else str(it) for key, it in parts.items()}
        return found
