"""Checks a set-up: key, host, clock, list, ledger and results. Creates nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Final

from reconciler import file_access
from reconciler.api.values import RequestRecord
from reconciler.context import ApiT, RunContext
from reconciler.documents.reports import FindingDoc, Verdict
from reconciler.errors import ReconcilerError
from reconciler.model import Job, JobSpec, OwnedJob, RunKey, tags
from reconciler.outputs.place import place_of, warning_on_ci
from reconciler.render.plan_summary import model_line
from reconciler.runs import models
from reconciler.text.plural import pluralize
from reconciler.text.suggest import some
from reconciler.workspace import listing
from reconciler.workspace.recall import recall

SKEW_SECONDS: Final = 30
_APPLIES: Final = re.compile(r"command: apply|\bci apply|reconciler apply")
"""A workflow that applies, by the action that `init` copies or by the command."""
_SCHEDULE: Final = re.compile(r"^[^#\n]*\bschedule[\"']?\s*:", re.MULTILINE)


def guarded(check: str, look: Callable[[], Iterator[FindingDoc]]) -> Iterator[FindingDoc]:
    """Turn an error of a check into its result, so that the other checks still run."""
    try:
        yield from look()
    except ReconcilerError as error:
        yield FindingDoc(check, "failed", str(error), error.hint)


def examine(
    run: RunContext[ApiT], requests: Sequence[RequestRecord], specs: Sequence[JobSpec]
) -> Iterator[FindingDoc]:
    """Check key, host, clock, list, the models of `specs`, and ledger. Creates nothing.

    `requests` gets the record of each request.
    """
    yield from guarded("host and key", lambda: _host(run, requests))
    lists: list[tuple[Job, ...]] = []
    began = run.env.now()
    yield from guarded("list", lambda: _list(run, lists))
    yield from guarded("models", lambda: _models(run, specs, lists))
    yield from guarded("ledger", lambda: _ledger(run, lists, began))
    yield from guarded("results", lambda: _results(run))
    yield from _schedule(run, specs, lists)


def examine_without_key(
    run: RunContext[ApiT], error: ReconcilerError, specs: Sequence[JobSpec]
) -> Iterator[FindingDoc]:
    """Check what needs no key, and report the rest as not checked."""
    yield FindingDoc("host and key", "failed", str(error), error.hint)
    for check in ("clock", "list"):
        yield FindingDoc(check, "note", "not checked: this needs the API key")
    yield from guarded("ledger", lambda: _ledger(run, (), run.env.now()))
    yield from guarded("results", lambda: _results(run))
    yield from _schedule(run, specs, ())


def _host(run: RunContext[ApiT], requests: Sequence[RequestRecord]) -> Iterator[FindingDoc]:
    page = run.api.list_jobs(page=0, page_size=1)
    answered = requests[-1] if requests else None
    elapsed = f", {answered.elapsed_ms} ms" if answered else ""
    total = f"a total of {page.odd_total}" if page.odd_total else pluralize(page.total, "job")
    yield FindingDoc("host and key", "ok", f"{run.target.host} answers{elapsed}; {total}")
    served_at = answered.served_at if answered else None
    if served_at is None:
        yield FindingDoc("clock", "note", "the server sends no time")
        return
    skew = run.env.now() - served_at
    verdict: Verdict = "ok" if abs(skew) <= SKEW_SECONDS else "warning"
    hint = "" if verdict == "ok" else "set this machine's clock: settle times depend on it"
    yield FindingDoc("clock", verdict, f"{skew:+.0f} s from the server's", hint)


def _list(run: RunContext[ApiT], lists: list[tuple[Job, ...]]) -> Iterator[FindingDoc]:
    """Read the list, and add it to `lists`."""
    jobs = listing.whole(run).jobs
    lists.append(jobs)
    own_jobs = [job for job in jobs if tags.project_of(job) == run.target.project]
    yield FindingDoc(
        "list", "ok", f"complete: {pluralize(len(jobs), 'job')}, {len(own_jobs):,} of this project"
    )


def _models(
    run: RunContext[ApiT], specs: Sequence[JobSpec], lists: Sequence[tuple[Job, ...]]
) -> Iterator[FindingDoc]:
    """Compare the models of the specs with the API's list, if they name any."""
    named = {spec.model for spec in specs if spec.model}
    if not named:
        return
    listed = models.list_models(run)
    if not listed:
        yield FindingDoc("models", "note", "not checked: the API's list of models could not be read")
        return
    read = (tags.read(job) for jobs in lists for job in jobs if tags.project_of(job) == run.target.project)
    owned = [it for it in read if isinstance(it, OwnedJob)]
    found = models.remarks(specs, specs, owned, listed, now=run.env.now())
    for it in found:
        yield FindingDoc("models", "warning" if it.warning else "note", model_line(it), it.hint)
    if not any(it.warning for it in found):
        yield FindingDoc("models", "ok", f"{pluralize(len(named), 'model')} in the specs, known to the API")


def _ledger(run: RunContext[ApiT], lists: Sequence[tuple[Job, ...]], began: float) -> Iterator[FindingDoc]:
    memory, problems = recall(run)
    for problem, hint in problems:
        yield FindingDoc("ledger", "warning", problem, hint)
    known = f"remembers {pluralize(len(memory.jobs), 'job')}"
    unseen = any(memory.jobs.keys().isdisjoint(job.id for job in jobs) for jobs in lists)
    if memory.jobs and unseen and memory.jobs.keys() <= memory.recent(began):
        since = f"each was created less than {memory.settle_seconds:g} s ago"
        detail = f"{known}, and the list shows none of them yet: {since}"
        yield FindingDoc("ledger", "note", detail, "run `reconciler doctor` again after that time")
    elif memory.jobs and unseen:
        hint = "check that the API key is for the right workspace"
        yield FindingDoc("ledger", "warning", f"{known}, and the list shows none of them", hint)
    elif memory.open_creates:
        names = ", ".join(intent.name for intent in memory.open_creates)
        hint = "run `reconciler plan`: it shows when the outcome of each will be known"
        yield FindingDoc("ledger", "warning", f"{known}; creates without an outcome: {names}", hint)
    else:
        yield FindingDoc("ledger", "ok", known)


def _results(run: RunContext[ApiT]) -> Iterator[FindingDoc]:
    place = place_of(run.project, run.env.environ)
    lost = warning_on_ci(run.project, run.env.environ) if run.env.environ.get("CI") else ""
    yield FindingDoc("results", "warning" if lost else "ok", lost or f"they go to {place}")


def _schedule(
    run: RunContext[ApiT], specs: Sequence[JobSpec], lists: Sequence[tuple[Job, ...]]
) -> Iterator[FindingDoc]:
    """Warn of specs whose work needs a later apply, if the workflows that apply have no schedule."""
    top = run.env.git(run.project.root).toplevel() or run.project.root
    texts = []
    for path in sorted((top / ".github/workflows").glob("*.y*ml")):
        with suppress(OSError):
            texts.append(file_access.read(path, run.limits.spec_bytes, root=top).decode("utf-8", "replace"))
    applying = [text for text in texts if "reconciler" in text and _APPLIES.search(text)]
    goes_on = any(_SCHEDULE.search(text) or "--wait" in text for text in applying)
    if not applying or goes_on:
        return
    read = (tags.read(job) for jobs in lists for job in jobs)
    owned = [it for it in read if isinstance(it, OwnedJob)]
    begun = {it.tags.run_key for it in owned} - {it.tags.run_key for it in owned if it.completes_the_work}
    most = run.limits.requests_per_job
    found = [(it.name, why) for it in specs if (why := _later(it, most, begun.intersection(it.run_keys)))]
    if found:
        named = some([f"{name} ({why})" for name, why in found])
        detail = f"no workflow that applies has a schedule, and the work of {named} may need a later apply"
        hint = "add `schedule` to the workflow, as in the one that `reconciler init` writes"
        yield FindingDoc("schedule", "warning", detail, hint)


def _later(spec: JobSpec, most: int, begun: Collection[RunKey]) -> str:
    """Return why the work of a spec needs another apply; "" if it does not. `begun` is what of it is not complete."""
    reasons = {
        "canary": spec.canary,
        "more requests than one job takes": (spec.requests or 0) > most,
        "retry": spec.retry.max_attempts > 1 and begun,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
