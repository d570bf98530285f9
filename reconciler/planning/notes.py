"""Notes on a decision, which change nothing about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.model import JobSpec, OwnedJob, Phase, tags
from reconciler.model.declared import not_committed
from reconciler.planning.actions import Action, Cancel, Create, Keep, Reason
from reconciler.planning.case import Case
from reconciler.planning.rules.changes import submitted_before
from reconciler.text.plural import pluralize
from reconciler.text.suggest import some

LOSING: Final = frozenset({Reason.REMOVED, Reason.SUSPENDED})
"""The reasons of cancels without a replacement, whose lost answers a note counts."""
SAME_REQUESTS: Final = "the requests are the same; only the file's bytes differ"
OVERDUE_AFTER: Final = 3600
"""Seconds by which a job may exceed its timeout before a note says so."""


def notes(case: Case, actions: tuple[Action, ...]) -> list[str]:
    """Return notes that change nothing about the decision."""
    found = [
        f"cancelling {action.owned.job.short_id} loses {pluralize(action.lost, 'answer')}"
        for action in actions
        if isinstance(action, Cancel) and action.reason in LOSING and action.lost
    ]
    if case.spec is None or case.owner:
        return found
    for action in actions:
        if isinstance(action, Create):
            found += _notes_on_create(case, action)
    found += filter(None, ["; ".join(widened(case, actions)), _several_models(case)])
    kept = {action.job.id for action in actions if isinstance(action, Keep) and action.job}
    for owned in case.wanted:
        if owned.job.id in kept:
            found += _notes_on(case, owned)
    return found


def widened(case: Case, actions: Sequence[Action]) -> list[str]:
    """Return in words what the spec allows and the last job of the work did not, while that is not complete."""
    last = case.newest
    if case.spec is None or last is None or last.adopted or last.completes_the_work:
        return []
    created = any(isinstance(it, Create) for it in actions)
    return [] if created else case.spec.terms.widened(last.tags.terms)


def _several_models(case: Case) -> str:
    """Return a note if the answers so far name different models: an alias may mean another one since."""
    models = case.work.models if case.work is not None else ()
    return f"the answers so far are of {len(models)} models: {some(models)}" if len(models) > 1 else ""


def _notes_on_create(case: Case, create: Create) -> Iterator[str]:
    """Say what others will not see, where a change was made, and which earlier job did a part of the work."""
    spec, before = create.spec, submitted_before(case)
    for path in not_committed(spec.files, case.declared.uncommitted):
        yield f"{path} has uncommitted changes; other machines will not see them"
    for change in create.changes:
        if at := spec.defaults.get(change.field):
            yield f"{change.field} is set in {at.path}:{at.line}"
    if before and create.reason is Reason.RERUN and before.tags.name != case.name:
        yield f"submitted before as {before.tags.name}"
    if before and create.reason is Reason.CHANGED and (note := grown_glob(before, spec)):
        yield note
    if create.reason in (Reason.CHANGED, Reason.RERUN) and (note := _input_by_period(spec, case.jobs)):
        yield note
    if spec.adopt and spec.adopt.work not in {key.work for key in spec.run_keys}:
        now = spec.run_key.work[:11]
        yield f"`adopt` names other work ({spec.adopt.work[:11]}) than the spec declares now ({now})"


def _notes_on(case: Case, owned: OwnedJob) -> list[str]:
    if case.spec is None:
        return []
    found = []
    if owned.tags.run_key in case.spec.same_as:
        found.append(SAME_REQUESTS)
    if owned.tags.name != case.name:
        found.append(f"submitted as {owned.tags.name}")
    if case.from_elsewhere(owned):
        found.append(f"submitted from {owned.tags.source.root or '.'}")
    if owned.tags.settings != case.spec.settings and not owned.adopted:
        found.append(
            "settings changed (metadata, timeout_hours or on_remove): they take effect with the next job"
        )
    if owned.phase is Phase.ACTIVE:
        if owned.tags.on_remove != case.spec.on_remove and not owned.adopted:
            found.append(f"the running job still has on_remove={owned.tags.on_remove}")
        if case.now > owned.job.created_at + case.spec.timeout_hours * 3600 + OVERDUE_AFTER:
            found.append(f"past its timeout of {case.spec.timeout_hours} h by more than an hour")
    return found


def grown_glob(before: OwnedJob, spec: JobSpec) -> str:
    """Return a note if the inputs of a spec are those of a job and more, "" otherwise.

    The job's tags identify its input files, up to about 46 of them. A job of more files gets no note.
    """
    old = before.tags.input_prefixes
    if not old or not old < {tags.digest_prefix(part.identity) for part in spec.inputs}:
        return ""
    word = "answered by" if before.phase is Phase.SUCCEEDED else "submitted as"
    new = len(spec.inputs)
    return f"{len(old):,} of {new:,} parts already {word} {before.job.short_id}: did you mean `for_each`?"


def _input_by_period(spec: JobSpec, jobs: Sequence[OwnedJob]) -> str:
    """Return a note if the calendar and a changing input each submit a job, "" otherwise.

    If a script replaces a file every night, `rerun: {every: day}` submits yesterday's file at midnight, and the new one
    later. The jobs of the name show it: one period has two inputs, or the input has changed before.
    """
    if not spec.period:
        return ""
    keys = {owned.tags.run_key for owned in jobs}
    works = {key.work for key in spec.run_keys}
    if any(key.rerun == spec.rerun and key.work not in works for key in keys):
        return (
            f"`rerun: {{every: {spec.period}}}` has already submitted the earlier input in this period: if the input "
            "changes each time, remove `rerun`"
        )
    if any(key.work in works for key in keys) and any(key.work not in works for key in keys):
        return (
            f"the same input as before, for a new period ({spec.period}), but the input has changed in the past: if a "
            "new one is due, remove `rerun`, since a changed input is submitted without it"
        )
    return ""
