"""Choose the jobs whose results are pulled, and make the object that pulls them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase

from reconciler.api.client import Reader
from reconciler.cli.output.streams import write_stderr
from reconciler.context import RunContext
from reconciler.errors import UsageError
from reconciler.model import JobSpec, OwnedJob, RunKey
from reconciler.planning import adoption, sharing
from reconciler.render.problems import left_out
from reconciler.specs.load import load
from reconciler.text.suggest import nearest, some
from reconciler.workspace import listing, observe


def declared(run: RunContext[Reader]) -> tuple[JobSpec, ...]:
    """Return the valid specs, for their input files and names. The inputs of others are read from the workspace."""
    loaded = load(run.project, now=run.env.now(), monotonic=run.env.monotonic, only_shown=True)
    if note := left_out(loaded.errors):
        write_stderr(note)
    return loaded.specs


def own_and_adopted(run: RunContext[Reader], specs: Sequence[JobSpec]) -> Sequence[OwnedJob]:
    """Return the own and adopted jobs of the workspace."""
    jobs = listing.whole(run, to_show=True).jobs
    adopted = adoption.adopted_ids(specs)
    watched = observe.Watched(project=run.target.project, wanted=frozenset(), adopted=adopted)
    return adoption.with_adopted(specs, observe.sort_out(jobs, watched))


def chosen(owned: Sequence[OwnedJob], specs: Sequence[JobSpec], names: Sequence[str]) -> list[OwnedJob]:
    """Return the jobs whose former or current name was asked for, sorted by name and age.

    Raises:
        UsageError: no job has such a name.
    """
    now: dict[RunKey, set[str]] = defaultdict(set)
    for spec in specs:
        for key in spec.run_keys:
            now[key].add(spec.name)
    known = {spec.name for spec in specs} | {each.tags.name for each in owned}
    for name in names:
        if not any(fnmatchcase(each, name) for each in known):
            near = nearest(name, sorted(known))
            hint = f"did you mean {near}?" if near else "list the names: reconciler history"
            raise UsageError(f"no job is called {name}", hint=hint)

    def asked_for(name: str) -> bool:
        return not names or any(fnmatchcase(name, glob) for glob in names)

    for owner, others in sharing.sharers(specs, owned).items():
        if shown := [name for name in others if asked_for(name)]:
            write_stderr(f"note: {some(shown)}: same work as {owner}, whose results are theirs too")
    return sorted(
        (it for it in owned if any(map(asked_for, {it.tags.name, *now[it.tags.run_key]}))),
        key=lambda each: (each.tags.name, each.job.age_key),
    )
