"""Check that no two specs have the same name or adopt the same job, and warn if they declare the same work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.errors import Problem
from reconciler.model import JobSpec, RunKey
from reconciler.specs.yaml.tree import Document
from reconciler.text.plural import pluralize


class UniquenessCheck:
    """The names, work and adopted jobs of the specs so far."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, int]] = {}
        """The file and line of each name, in lower case."""
        self._work: dict[RunKey, JobSpec] = {}
        self._adopted: dict[str, JobSpec] = {}

    def register_name(self, document: Document, name: str, *, line: int) -> Problem | None:
        """Register a name, declared on `line`; return a problem if another document has it."""
        here = (document.source.path, line)
        first = self._names.setdefault(name.casefold(), here)
        if first == here:
            return None
        message = f"name: `{name}` is already declared at {first[0]}:{first[1]}"
        return document.problem(("name",), message, "rename one of them")

    def register_work(self, document: Document, specs: Sequence[JobSpec]) -> Iterator[Problem]:
        """Register the work of a document's specs and the jobs that they adopt.

        Yield a problem for a job that another spec adopts, and one warning about work that another spec declares.
        """
        shared = [
            (spec, first)
            for spec in specs
            if (first := self._work.setdefault(spec.run_key, spec)) is not spec
        ]
        for spec, first in shared[:1]:
            work = "work" if spec.requests is None else pluralize(spec.requests, "request")
            more = f"; {pluralize(len(shared) - 1, 'more job')} of this spec do so too" if shared[1:] else ""
            message = f"{spec.name}: this and {_describe(first)} submit the same {work}, so they share one job{more}"
            hint = "this is fine for equal files; for a job of its own, change `rerun` in one of them"
            yield document.problem(("name",), message, hint, warning=True)
        for spec in specs:
            other = self._adopted.setdefault(spec.adopt.job, spec) if spec.adopt else spec
            if other is not spec:
                message = f"adopt: {_describe(other)} already adopts this job"
                yield document.problem(("adopt", "job"), message, "remove one: only one spec can adopt a job")


def _describe(spec: JobSpec) -> str:
    return f"`{spec.name}` ({spec.declared_at})"
