"""Warn about the model of a spec that the shipped table of models doubts. The API decides, so nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler.catalogue import models
from reconciler.errors import Problem
from reconciler.specs.yaml.tree import Document, Path


def doubts(document: Document, now: float) -> Iterator[Problem]:
    """Yield a warning for each model of a spec without errors that is unknown, retired, or not for the endpoint.

    `now` is in Unix seconds.
    """
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    for path, name in named(document, "model"):
        found = models.doubt(name, document.value.get("endpoint"), day)
        if found is not None:
            hint = f"{found.hint} (table of {models.table().date}; the API decides)"
            yield document.problem(path, f"model: `{name}` {found.message}", hint, warning=True)


def named(document: Document, field: str) -> Iterator[tuple[Path, str]]:
    """Yield the models, endpoints or agents that a spec names, each with its path."""
    if document.value.get(field):
        yield (field,), document.value[field]
    listed = (document.value.get("matrix") or {}).get(field) or ()
    yield from ((("matrix", field, at), name) for at, name in enumerate(listed))
