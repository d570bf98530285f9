"""Find contradictions between the ledger, the list of jobs and git.

check              finding
past_changed       lines were removed from the shared ledger, or its history was rewritten
not_declared       a job with our tags is in no ledger line, and its commit does not declare it
vanished           the ledger has a job, and the list does not show it after the settle time
contradiction      the ledger and the job's tags or status differ
unreadable         a job's tags cannot be read, or were removed
twice              two jobs have the op of one create
incomplete         a job succeeded with fewer answers than requests, or its numbers differ
no_intent          a job was created, and the ledger line that must precede it is missing
commit_missing     a job was created from a commit that the repository does not have
not_a_line         the ledger on this host has lines that this tool cannot read; a crash may leave one
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from reconciler.history.record import HistoryPart
from reconciler.history.sources import Sources
from reconciler.model import Job, OwnedJob, Unreadable, tags
from reconciler.text.plural import pluralize
from reconciler.text.suggest import some

MAX_NAMES_IN_MESSAGE: Final = 3
"""Maximum number of names in a message; the rest is counted."""


class MismatchDoc(msgspec.Struct, frozen=True, kw_only=True):
    """One finding."""

    check: str
    severity: Literal["wrong", "note"]
    """`note` if it may be harmless, or cannot be decided."""
    name: str
    """The job's name; like the id, "" if the finding is not about one job."""
    job_id: str
    detail: str
    hint: str


class VerifyDoc(HistoryPart, frozen=True, kw_only=True):
    """The output of `history verify --format json`. Offline, only the ledger and git were compared."""

    jobs: int
    """How many were checked."""
    lines: int
    """How many lines the ledger has."""
    commits: int
    findings: tuple[MismatchDoc, ...]
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Evidence(Sources):
    """The sources to compare, and what git and the shared ledger say."""

    changed_past: Sequence[str]
    """How the past of the shared ledger was changed."""
    unread: int = 0
    """Number of unreadable lines in the ledger on this host."""
    missing: Collection[str]
    """Commits that the repository does not have."""
    unreachable: Collection[str]
    """Commits that no branch or tag contains."""
    shallow: bool
    """True for a shallow clone, in which a missing commit proves little."""
    declared: Mapping[str, bool | None]
    """For jobs without a ledger line: whether their commit declares them; None if that cannot be decided."""


def findings(known: Evidence) -> tuple[MismatchDoc, ...]:
    """Return all findings; those with severity `wrong` first."""
    found = [*_changed_past(known), *_commits(known), *_intents(known), *_incomplete(known)]
    if known.jobs is not None:
        read = {job.id: tags.read(job) for job in known.jobs}
        for job in known.jobs:
            found += _of_job(known, job, read[job.id])
        found += _twice(read.values())
        found += _vanished(known, {job.id for job in known.jobs})
    return tuple(
        sorted(found, key=lambda it: (it.severity == "note", it.check, it.name, it.job_id, it.detail))
    )


def _finding(
    check: str,
    detail: str,
    hint: str,
    *,
    name: str = "",
    job_id: str = "",
    severity: Literal["wrong", "note"] = "wrong",
) -> MismatchDoc:
    return MismatchDoc(check=check, severity=severity, name=name, job_id=job_id, detail=detail, hint=hint)


def _changed_past(known: Evidence) -> Iterator[MismatchDoc]:
    for problem in known.changed_past:
        hint = "the jobs' tags still work; for the lines that this clone had, see: git for-each-ref refs/reconciler"
        yield _finding("past_changed", problem, hint)
    if known.unread:
        hint = "each crash leaves at most one incomplete line: if there was no crash, check the file"
        detail = f"{pluralize(known.unread, 'line')} of the ledger cannot be read"
        yield _finding("not_a_line", detail, hint, severity="note")


def _commits(known: Evidence) -> Iterator[MismatchDoc]:
    names: dict[str, set[str]] = defaultdict(set)
    for record in known.records:
        for commit in (record.commit, record.cancel_commit):
            if commit:
                names[commit].add(record.name)
    for commit in sorted(names):
        jobs = some(sorted(names[commit]), MAX_NAMES_IN_MESSAGE)
        if commit in known.missing and known.shallow:
            hint = "fetch the history (in GitHub's checkout action: fetch-depth: 0)"
            detail = f"{commit[:10]}, from which {jobs} was created, is not in this shallow clone"
            yield _finding("commit_missing", detail, hint, severity="note")
        elif commit in known.missing:
            hint = "its branch was deleted or rewritten, or was not pushed: git does not have that job's spec"
            detail = f"{commit[:10]}, from which {jobs} was created, is not in the repository"
            yield _finding("commit_missing", detail, hint)
        elif commit in known.unreachable:
            hint = "add a tag to keep it, or git will delete it in time"
            detail = f"{commit[:10]}, from which {jobs} was created, is on no branch or tag"
            yield _finding("commit_missing", detail, hint, severity="note")


def _intents(known: Evidence) -> Iterator[MismatchDoc]:
    for job_id, line in known.ledger.index.created.items():
        if line.op not in known.ledger.index.intents:
            hint = "this tool writes the intent before it sends a create: a line was removed"
            detail = "the ledger has a line for its creation, and no intent before it"
            yield _finding("no_intent", detail, hint, name=line.name, job_id=job_id)


def _incomplete(known: Evidence) -> Iterator[MismatchDoc]:
    for record in known.records:
        if record.difference:
            hint = f"the API may have more answers now: reconciler outputs pull {record.name}"
            job_id = record.job_id or ""
            yield _finding("incomplete", record.difference, hint, name=record.name, job_id=job_id)


def _vanished(known: Evidence, listed: Collection[str]) -> Iterator[MismatchDoc]:
    recent = {job_id for job_id, line in known.ledger.index.created.items() if line.at > known.settled}
    for record in known.records:
        if record.job_id and record.job_id not in listed and record.job_id not in recent:
            last = f"last seen as {record.status}" if record.status else "not seen to end"
            hint = "a person or the provider deleted its record, or the API key is for another workspace"
            yield _finding(
                "vanished",
                f"the ledger has it, {last}, and the list does not show it",
                hint,
                name=record.name,
                job_id=record.job_id,
            )


def _twice(read: Iterable[OwnedJob | Unreadable]) -> Iterator[MismatchDoc]:
    owned = [it for it in read if isinstance(it, OwnedJob)]
    ops = Counter(it.tags.op for it in owned)
    for it in owned:
        if ops[it.tags.op] > 1:
            detail = f"{ops[it.tags.op]} jobs have the op of one create"
            hint = "the tags were copied, or the API carried out one create twice"
            yield _finding("twice", detail, hint, name=it.tags.name, job_id=it.job.id)


def _of_job(known: Evidence, job: Job, read: OwnedJob | Unreadable) -> Iterator[MismatchDoc]:
    line = known.ledger.index.created.get(job.id) or known.ledger.index.ended.get(job.id)
    name = line.name if line else str(job.metadata.get(tags.NAME, ""))
    if tags.project_of(job) != known.target.project:
        hint = "its metadata was altered; this tool holds it and does not touch it"
        detail = "it is ours by the ledger, but not by its tags"
        yield _finding("unreadable", detail, hint, name=name, job_id=job.id)
        return
    if isinstance(read, Unreadable):
        hint = f"inspect it: reconciler jobs get {job.id}"
        yield _finding("unreadable", read.problem, hint, name=name, job_id=job.id)
        return
    if line is None and read.tags.op not in known.ledger.index.intents:
        yield from _unknown(known, read)
    yield from _contradictions(known, read)


def _unknown(known: Evidence, it: OwnedJob) -> Iterator[MismatchDoc]:
    declared = known.declared.get(it.job.id)
    commit = it.tags.source.commit[:10]
    if declared is False:
        detail = f"it is in no ledger line, and commit {commit} does not declare it"
        hint = f"it was created by hand with our tags; inspect it: reconciler jobs get {it.job.id}"
        yield _finding("not_declared", detail, hint, name=it.tags.name, job_id=it.job.id)
    elif declared is None:
        missing = f"commit {commit} is missing, or the checkout had uncommitted changes"
        detail = f"it is in no ledger line, and {missing if commit else 'it has no commit'}"
        hint = "its ledger is on another host, or lost; with `ledger: git` all runners share one"
        yield _finding("not_declared", detail, hint, name=it.tags.name, job_id=it.job.id, severity="note")


def _contradictions(known: Evidence, it: OwnedJob) -> Iterator[MismatchDoc]:
    """Compare the values that both have: one that is omitted, such as an actor too long for a tag, is no difference."""
    created, ended = known.ledger.index.created.get(it.job.id), known.ledger.index.ended.get(it.job.id)
    intent = known.ledger.index.intents.get(it.tags.op)
    pairs: list[tuple[str, str, str]] = []
    for line in (created, ended):
        if line:
            pairs += [
                ("name", line.name, it.tags.name),
                ("work", line.work, it.tags.run_key.work),
                ("rerun", line.rerun, it.tags.run_key.rerun),
                ("attempt", str(line.attempt), str(it.tags.attempt)),
            ]
    if created:
        pairs.append(("op", created.op, it.tags.op))
    if intent:
        pairs += [
            ("commit", intent.commit, it.tags.source.commit),
            ("actor", intent.actor, it.tags.source.actor),
            ("run URL", intent.run_url, it.tags.source.run_url),
        ]
    if ended:
        pairs.append(("status", ended.job.status, it.job.status))
    for what, ledger, tag in dict.fromkeys(pairs):
        if ledger and tag and ledger != tag:
            detail = f"{what}: the ledger says {ledger[:60]}, the job {tag[:60]}"
            hint = "one of them was altered afterwards"
            yield _finding("contradiction", detail, hint, name=it.tags.name, job_id=it.job.id)
