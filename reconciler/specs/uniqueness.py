"""What must not be declared twice: a name, a piece of work, and a job that is adopted."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import Problem
from reconciler.model import JobSpec, RunKey
from reconciler.specs.yaml.tree import Document
from reconciler.text.plural import count


class Taken:
    """What was declared so far, and where."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, int]] = {}
        """The file and line of each, ignoring case."""
        self._work: dict[RunKey, JobSpec] = {}
        self._adopted: dict[str, JobSpec] = {}

    def name(self, document: Document, name: str, *, line: int) -> Problem | None:
        """Take a name, which stands in `line`; return the problem where another document has it."""
        here = (document.source.path, line)
        first = self._names.setdefault(name.casefold(), here)
        if first == here:
            return None
        message = f"name: `{name}` is declared at {first[0]}:{first[1]} already"
        return document.source.problem(document.place(("name",)), message, hint="rename one of them")

    def buys(self, document: Document, spec: JobSpec) -> Iterator[Problem]:
        """Take the work of a spec, and the job that it adopts; yield a problem for what is taken."""
        holder = self._work.setdefault(spec.run_key, spec)
        if holder is not spec:
            here, first = _told(spec), _told(holder)
            work = "work" if spec.requests is None else count(spec.requests, "request")
            message = f"{spec.name}: both this and {first} buy the same {work}"
            hint = "change `rerun` in one of them, or remove one"
            if spec.family and first.endswith(here.removeprefix(f"`{spec.name}`")):
                hint = "remove one of two equal files; of a matrix, only {} make other work".format(
                    "`endpoint`, `model`, `agent_id` and `rerun`"
                )
            yield document.source.problem(document.place(("name",)), message, hint=hint)
        other = self._adopted.setdefault(spec.adopt.job, spec) if spec.adopt else spec
        if other is not spec:
            place = document.place(("adopt", "job"))
            message = f"adopt: {_told(other)} adopts this job already"
            yield document.source.problem(place, message, hint="a job did one piece of work")


def _told(spec: JobSpec) -> str:
    return f"`{spec.name}` ({spec.declared_at.path}:{spec.declared_at.line})"
