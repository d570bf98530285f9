"""Requirements of a job for every line of its inputs: the fields of its endpoint, and its model.

The API would reject a line that violates them, hours later. A few facts about a file are enough to decide whether it
meets them, for any job; only a file that does not is read again, to report the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from reconciler.catalogue.bodies import BODIES, REQUIRED
from reconciler.specs.inputs.findings import Finding, FindingKind

FIELDS: Final = frozenset(REQUIRED.values())


class FileFacts(Struct, frozen=True):
    """Facts about all lines of a file together."""

    fields_in_all_lines: frozenset[str] = FIELDS
    """The members of `FIELDS` that every body has."""
    models: frozenset[str] = frozenset()
    """The models that bodies name, at most a few; "" for one that is not text."""
    fitting: frozenset[str] = frozenset(BODIES)
    """The endpoints for which the checked lines have no plain mistakes."""


class Requirements(Struct, frozen=True):
    """The requirements of one job."""

    endpoint: str = ""
    model: str | None = None
    """None if the job names an agent, or no usable model."""

    def met(self, facts: FileFacts) -> bool:
        """Return whether every line of a file with these facts meets them."""
        field = REQUIRED.get(self.endpoint)
        return (field is None or field in facts.fields_in_all_lines) and (
            self.model is None or facts.models <= {self.model}
        )

    def violations(self, number: int, body: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the violations in the body of a line."""
        field, model = REQUIRED.get(self.endpoint), body.get("model")
        if field is not None and field not in body:
            yield Finding(FindingKind.LACKS, number, more=f": `{field}`, which {self.endpoint} requires")
        if self.model is not None and model is not None and model != self.model:
            yield Finding(FindingKind.OTHER_MODEL, number, more=f", `{self.model}`")
