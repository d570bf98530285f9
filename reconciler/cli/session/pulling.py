"""Choose the jobs whose results are pulled, and make the object that pulls them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import structs
from msgspec.structs import replace

from reconciler.api.client import Reader, Writer
from reconciler.cli.output.streams import write_stderr
from reconciler.cli.params.time_types import duration
from reconciler.cli.session.session import locked
from reconciler.context import RunContext
from reconciler.documents.reports import DeletedFile, NameResults, PulledJob
from reconciler.errors import LedgerError, ReconcilerError, UsageError
from reconciler.execution.records import works_seen
from reconciler.ledger.file import LockHeldError
from reconciler.ledger.lines import WorkSeen
from reconciler.ledger.memory import Memory
from reconciler.model import Declared, JobSpec, Observed, OwnedJob, RunKey, UploadedFile, WorkCounts
from reconciler.outputs.place import local_folder
from reconciler.outputs.pull import Puller
from reconciler.outputs.retention import KeptError, Retention
from reconciler.outputs.store import ResultStore
from reconciler.planning import adoption, sharing
from reconciler.runs.apply import publish
from reconciler.runs.gather import decide
from reconciler.runs.rendering import rendered
from reconciler.runs.usage import record_usage
from reconciler.specs.load import Loaded
from reconciler.text.sanitize import clean
from reconciler.text.suggest import did_you_mean, some
from reconciler.workspace import listing, observe
from reconciler.workspace.recall import recall


def delete_files(
    run: RunContext[Reader], store: ResultStore, loaded: Loaded, over: Sequence[OwnedJob]
) -> tuple[tuple[DeletedFile, ...], str, bool]:
    """Delete at the provider the files of our ended jobs `over` that `keep_at_provider` no longer keeps.

    A run that cannot write only finds them. Returns the files, or why none was deleted, and whether that is an error.
    """
    texts = structs.asdict(run.project.settings.keep_at_provider)
    keep = {kind: duration(text) for kind, text in texts.items() if text}
    try:
        return _delete_files(run, store, loaded, over, keep) if keep else (), "", False
    except (KeptError, LockHeldError) as error:
        return (), str(error), False
    except (ReconcilerError, OSError) as error:
        return (), clean(str(error)), True


def _delete_files(
    run: RunContext[Reader],
    store: ResultStore,
    loaded: Loaded,
    over: Sequence[OwnedJob],
    keep: Mapping[str, float],
) -> tuple[DeletedFile, ...]:
    on_ci = run.source.run_url or run.env.environ.get("CI")
    if on_ci and local_folder(run.project, run.env.environ) is not None:
        raise KeptError("the results are in a folder of this CI runner, and are lost with it")
    if loaded.errors:
        raise KeptError("a spec is invalid, and may name any file")
    named = frozenset(
        part.id for spec in loaded.specs for part in spec.inputs if isinstance(part, UploadedFile)
    )
    needed = _parts_needed(run, loaded.specs, over)
    jobs = [it.job for it in over if not it.adopted and it.tags.run_key not in needed]
    retention = Retention(run=run, keep=keep, jobs=jobs, store=store, named=named)
    pulled = retention.verified()
    if not (pulled and isinstance(run.api, Writer)):
        return retention.find(pulled)
    with locked(run):
        files = retention.delete(run.api, retention.find(pulled))
        publish(run)
    return files


def _parts_needed(
    run: RunContext[Reader], specs: Sequence[JobSpec], over: Sequence[OwnedJob]
) -> frozenset[RunKey]:
    """Return the declared work in parts of which some requests may be left: its files stay at the provider."""
    seen = recall(run).memory.seen
    settled = {it.tags.run_key for it in over if it.completes_the_work}
    settled |= {key for key, line in seen.items() if not line.counts.left}
    wanted = {key for spec in specs for key in spec.run_keys}
    return frozenset({it.tags.run_key for it in over if it.is_part} & wanted - settled)


def note_usage(
    run: RunContext[Reader], pulling: Puller, jobs: Sequence[OwnedJob], pulled: Sequence[PulledJob]
) -> None:
    """As `record_usage`, outside of an apply: read the ledger, and let other runners see it."""
    try:
        memory = recall(run).memory if jobs else Memory()
    except LedgerError as error:  # the next pull records it
        run.env.log("ledger.degraded", error=str(error))
        return
    record_usage(run, memory, pulling, jobs, pulled)
    publish(run)


def note_works(
    run: RunContext[Reader], declared: Declared, owned: Sequence[OwnedJob], joined: Sequence[NameResults]
) -> None:
    """Record in the ledger what joined results show of declared work, as an apply does. A failure is logged."""
    wanted = {key: spec.name for spec in declared.specs for key in spec.run_keys}
    summaries = {RunKey(it.work, it.rerun): it for end in joined if (it := end.summary)}
    ended: dict[RunKey, list[str]] = defaultdict(list)
    for each in owned:
        if each.phase.ended:
            ended[each.tags.run_key].append(each.job.id)
    # So also work is read that is complete by tags and counts, and of which results show less.
    shown = {
        key: WorkSeen(
            at=0.0,
            run_id=run.env.run_id,
            name=wanted[key],
            work=key.work,
            rerun=key.rerun,
            counts=WorkCounts(of=it.requests.total or 0, answered=it.requests.ok),
            jobs=tuple(ended[key]),
        )
        for key, it in summaries.items()
        if key in wanted
    }
    if not shown:
        return
    try:
        memory = recall(run).memory
        short = {it.name for it in shown.values() if not it.counts.complete}
        selected = replace(
            declared,
            specs=tuple(
                rendered(run, it, fetching=True)[0] if it.name in short else it for it in declared.specs
            ),
            selected=frozenset(it.name for it in shown.values()),
        )
        observed = Observed(owned=tuple(owned), read_started_at=run.env.now())
        believed = dataclasses.replace(memory, seen={**memory.seen, **shown})
        found = decide(run, selected, observed, believed, states="exact")
        run.env.ledger.append(*works_seen(run, dataclasses.replace(found, memory=memory)))
        publish(run)
    except ReconcilerError as error:  # the next apply records it
        run.env.log("ledger.degraded", error=str(error))


def own_and_adopted(run: RunContext[Reader], specs: Sequence[JobSpec]) -> Sequence[OwnedJob]:
    """Return the own and adopted jobs of the workspace."""
    jobs = listing.whole(run, to_show=True).jobs
    adopted = adoption.adopted_ids(specs)
    watched = observe.Watched(project=run.target.project, wanted=frozenset(), adopted=adopted)
    return adoption.with_adopted(specs, observe.sort_out(jobs, watched))


def chosen(owned: Sequence[OwnedJob], specs: Sequence[JobSpec], names: Sequence[str]) -> list[OwnedJob]:
    """Return the jobs whose former or current name was asked for, sorted by name and age.

    Raises `UsageError` if no job has such a name.
    """
    now: dict[RunKey, set[str]] = defaultdict(set)
    for spec in specs:
        for key in spec.run_keys:
            now[key].add(spec.name)
    known = {spec.name for spec in specs} | {each.tags.name for each in owned}
    for name in names:
        if not any(fnmatchcase(each, name) for each in known):
            hint = did_you_mean(name, known, "list the names: reconciler history")
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
