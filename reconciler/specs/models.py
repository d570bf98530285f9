"""Warn about the model of a spec that the shipped table of models doubts. The API decides, so nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler.catalogue import models
from reconciler.errors import Problem
from reconciler.specs.yaml.tree import Document, Path


def doubts(document: Document, now: float) -> Iterator[Problem]:
    """Yield a warning for each model of a spec that is unknown, retired, or not for the spec's endpoint.

    Args:
        document: a spec whose fields have no errors, with its defaults.
        now: Unix seconds.
    """
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    endpoint = document.value.get("endpoint")
    for path, name in _names(document):
        found = models.doubt(name, endpoint if isinstance(endpoint, str) else None, day)
        if found is not None:
            message = f"model: `{name}` {found.message}"
            source = document.source_of(path)
            yield source.problem(document.place(path), message, hint=found.hint, warning=True)


def _names(document: Document) -> Iterator[tuple[Path, str]]:
    """Yield the models that a spec names, each with its path."""
    matrix = document.value.get("matrix")
    listed = matrix.get("model") if isinstance(matrix, dict) else None
    named: list[tuple[Path, object]] = [(("model",), document.value.get("model"))]
    named += [
        (("matrix", "model", at), it) for at, it in enumerate(listed if isinstance(listed, list) else ())
    ]
    yield from ((path, name) for path, name in named if isinstance(name, str) and name)
