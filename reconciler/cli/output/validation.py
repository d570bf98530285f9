"""The result of `validate`, as a document and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from reconciler.documents.reports import ProblemDoc, ValidateDoc
from reconciler.errors import Problem
from reconciler.model import JobSpec
from reconciler.render.problems import problems_text
from reconciler.specs.load import Loaded
from reconciler.text.plural import pluralize


def validation_doc(specs: Sequence[JobSpec], problems: Iterable[Problem]) -> ValidateDoc:
    """Return the result of a validation."""
    counts = _counts(specs)
    return ValidateDoc(
        specs=len(specs),
        requests=sum(count or 0 for count in counts),
        uncounted=counts.count(None),
        problems=tuple(ProblemDoc(**_encodable(asdict(it))) for it in problems),
    )


def _encodable(facts: dict[str, Any]) -> dict[str, Any]:
    """Escape what JSON cannot encode: file names may hold bytes that are not UTF-8."""
    del facts["excerpt"]
    return {
        name: it.encode(errors="backslashreplace").decode() if isinstance(it, str) else it
        for name, it in facts.items()
    }


def _counts(specs: Iterable[JobSpec]) -> list[int | None]:
    """Return the number of requests of each work: several specs with the same work share its job."""
    return list({spec.run_key: spec.requests for spec in specs}.values())


def _requests(counts: Sequence[int | None]) -> str:
    """Return the sum of the known numbers, and how many are not known: of uploaded files and Git LFS pointers."""
    known = [count for count in counts if count is not None]
    unknown = len(counts) - len(known)
    if not unknown:
        return pluralize(sum(known), "request")
    more = "uploaded files or Git LFS pointers"
    if not known:
        return f"requests not counted: {more}"
    return f"{pluralize(sum(known), 'request')}; not counted: {pluralize(unknown, 'spec')} of {more}"


def validation_text(found: Mapping[str, Loaded], warnings: Sequence[Problem], *, colour: bool) -> str:
    """Return the result of a validation as text.

    Args:
        found: the specs of each environment; of "" if there are none.
        warnings: those of all environments.
        colour: whether to use colours.
    """
    above = f"{problems_text(warnings, colour=colour)}\n" if warnings else ""
    return above + "".join(
        (f"{environment}: " if environment else "") + _valid(loaded) for environment, loaded in found.items()
    )


def _valid(loaded: Loaded) -> str:
    chosen = [spec for spec in loaded.specs if loaded.selected is None or spec.name in loaded.selected]
    requests = _requests(_counts(chosen))
    if loaded.selected is None:
        return f"{pluralize(len(chosen), 'spec')} valid, {requests}\n"
    return (
        f"{pluralize(len(chosen), 'spec')} selected, {requests}; all {len(loaded.specs):,} specs are valid\n"
    )
