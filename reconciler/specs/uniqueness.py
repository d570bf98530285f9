"""Check that no two specs have the same name, declare the same work or adopt the same job."""

from __future__ import annotations

from collections.abc import Iterator

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

    def register_work(self, document: Document, spec: JobSpec) -> Iterator[Problem]:
        """Register the work of a spec and the job that it adopts; yield a problem if another spec has them."""
        holder = self._work.setdefault(spec.run_key, spec)
        if holder is not spec:
            here, first = _describe(spec), _describe(holder)
            work = "work" if spec.requests is None else pluralize(spec.requests, "request")
            message = f"{spec.name}: this and {first} submit the same {work}"
            hint = "change `rerun` in one of them, or remove one"
            if spec.family and first.endswith(here.removeprefix(f"`{spec.name}`")):
                hint = "remove one of two equal files; in a matrix, only {} make different work".format(
                    "`endpoint`, `model`, `agent_id` and `rerun`"
                )
            yield document.problem(("name",), message, hint)
        other = self._adopted.setdefault(spec.adopt.job, spec) if spec.adopt else spec
        if other is not spec:
            message = f"adopt: {_describe(other)} already adopts this job"
            yield document.problem(("adopt", "job"), message, "remove one: only one spec can adopt a job")


def _describe(spec: JobSpec) -> str:
    return f"`{spec.name}` ({spec.declared_at})"
