"""What does not add up between the ledger, the list of jobs and git.

check              what is said
past_changed       lines were taken out of the shared ledger, or its history was rewritten
nobody_declared    a job with our tags that no ledger line knows and no commit declares
vanished           the ledger saw a job, and the list does not show it after the settle time
contradiction      the ledger and the job's tags, or its status, tell different things
unreadable         a job's tags cannot be read, or were taken off
twice              two jobs carry the op of one create
no_intent          a job was created, and the line that must stand before it is missing
commit_missing     a job was bought from a commit that the repository does not have
not_a_line         the ledger on this host holds lines that this tool cannot read; a crash tears one, now and then
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from reconciler.history.from_ledger import STATUS
from reconciler.history.ledger_index import Told
from reconciler.history.record import Record
from reconciler.model import Job, Ours, Unreadable, tags
from reconciler.text.plural import count

NAMED: Final = 3
"""So many names are told; of more, the number."""


class MismatchDoc(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not add up."""

    check: str
    severity: Literal["wrong", "note"]
    """`note` where it cannot be told, or may well be so."""
    name: str
    """The job's name; "" where it is about no one job, as is the id."""
    job_id: str
    detail: str
    hint: str


class VerifyDoc(msgspec.Struct, frozen=True, kw_only=True):
    """What `history verify --format json` writes."""

    project: str
    base_url: str
    offline: bool
    """True where the list of jobs was not read, so that only ledger and git were compared."""
    jobs: int
    """How many were looked at."""
    lines: int
    """Of the ledger."""
    commits: int
    findings: tuple[MismatchDoc, ...]
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is compared."""

    ledger: Told
    jobs: tuple[Job, ...] | None
    """Ours; None where the list was not read."""
    records: Sequence[Record]
    project: str
    settled: float
    """Unix seconds: the list shows the jobs that the ledger saw created before this; younger ones may show later."""
    past: Sequence[str]
    """How the past of the shared ledger was changed."""
    unread: int = 0
    """Lines of the ledger on this host that cannot be read."""
    missing: Collection[str]
    """Commits that the repository does not have."""
    unreachable: Collection[str]
    """Commits that no branch or tag contains."""
    shallow: bool
    """True where the clone does not know its ancestors, so that a missing commit says little."""
    declared: Mapping[str, bool | None]
    """Of jobs that no ledger line knows: whether their commit declares them; None where nobody can tell."""


def findings(known: Evidence) -> tuple[MismatchDoc, ...]:
    """Return everything that does not add up, what is wrong first."""
    found = [*_past(known), *_commits(known), *_intents(known)]
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


def _past(known: Evidence) -> Iterator[MismatchDoc]:
    for problem in known.past:
        hint = "the tags in the workspace still hold; to see what this clone knew: git for-each-ref refs/reconciler"
        yield _finding("past_changed", problem, hint)
    if known.unread:
        hint = "a crash tears the line that it interrupts, and no other: look at the file if there was none"
        detail = f"{count(known.unread, 'line')} of the ledger cannot be read"
        yield _finding("not_a_line", detail, hint, severity="note")


def _commits(known: Evidence) -> Iterator[MismatchDoc]:
    names: dict[str, set[str]] = defaultdict(set)
    for record in known.records:
        for commit in (record.commit, record.cancel_commit):
            if commit:
                names[commit].add(record.name)
    for commit in sorted(names):
        some = _some(sorted(names[commit]))
        if commit in known.missing and known.shallow:
            hint = "fetch the history (in GitHub's checkout action: fetch-depth: 0)"
            detail = f"{commit[:10]}, from which {some} was bought, is not in this shallow clone"
            yield _finding("commit_missing", detail, hint, severity="note")
        elif commit in known.missing:
            hint = "its branch was deleted or rewritten, or was never pushed: what was bought cannot be read in git"
            detail = f"{commit[:10]}, from which {some} was bought, is not in the repository"
            yield _finding("commit_missing", detail, hint)
        elif commit in known.unreachable:
            hint = "keep it by a tag, or git will delete it some day"
            detail = f"{commit[:10]}, from which {some} was bought, is on no branch or tag"
            yield _finding("commit_missing", detail, hint, severity="note")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"


def _intents(known: Evidence) -> Iterator[MismatchDoc]:
    for job_id, line in known.ledger.created.items():
        if line.op not in known.ledger.intents:
            hint = "an intent is durable before anything is sent: a line was taken away"
            detail = "the ledger says that it was created, and not that anybody meant to"
            yield _finding("no_intent", detail, hint, name=line.name, job_id=job_id)


def _vanished(known: Evidence, listed: Collection[str]) -> Iterator[MismatchDoc]:
    recent = {job_id for job_id, line in known.ledger.created.items() if line.at > known.settled}
    for record in known.records:
        if record.job_id and record.job_id not in listed and record.job_id not in recent:
            last = f"last heard of as {record.status}" if record.status else "never seen to end"
            hint = "somebody deleted its record, the provider dropped it, or this is another workspace's key"
            yield _finding(
                "vanished",
                f"the ledger knows it, {last}, and the list does not show it",
                hint,
                name=record.name,
                job_id=record.job_id,
            )


def _twice(read: Iterable[Ours | Unreadable]) -> Iterator[MismatchDoc]:
    ours = [it for it in read if isinstance(it, Ours)]
    ops = Counter(it.tags.op for it in ours)
    for it in ours:
        if ops[it.tags.op] > 1:
            detail = f"{ops[it.tags.op]} jobs carry the op of one create"
            hint = "somebody copied the tags, or one create took effect twice"
            yield _finding("twice", detail, hint, name=it.tags.name, job_id=it.job.id)


def _of_job(known: Evidence, job: Job, read: Ours | Unreadable) -> Iterator[MismatchDoc]:
    line = known.ledger.created.get(job.id) or known.ledger.ended.get(job.id)
    name = line.name if line else str(job.metadata.get(tags.NAME, ""))
    if tags.project_of(job) != known.project:
        hint = "somebody altered its metadata; it is held, never touched"
        yield _finding(
            "unreadable", "it is ours by the ledger, and its tags deny that", hint, name=name, job_id=job.id
        )
        return
    if isinstance(read, Unreadable):
        hint = f"look at it: reconciler jobs get {job.id}"
        yield _finding("unreadable", read.problem, hint, name=name, job_id=job.id)
        return
    if line is None and read.tags.op not in known.ledger.intents:
        yield from _unknown(known, read)
    yield from _contradictions(known, read)


def _unknown(known: Evidence, it: Ours) -> Iterator[MismatchDoc]:
    declared = known.declared.get(it.job.id)
    commit = it.tags.source.commit[:10]
    if declared is False:
        detail = f"no ledger line knows it, and commit {commit} declares no such job"
        hint = f"somebody made it by hand with our tags; see who: reconciler jobs get {it.job.id}"
        yield _finding("nobody_declared", detail, hint, name=it.tags.name, job_id=it.job.id)
    elif declared is None:
        why = f"commit {commit} is not here, or was not all there was" if commit else "it names no commit"
        detail = f"no ledger line knows it, and {why}"
        hint = "its ledger is on another host, or lost; with `ledger: git` all runners share one"
        yield _finding("nobody_declared", detail, hint, name=it.tags.name, job_id=it.job.id, severity="note")


def _contradictions(known: Evidence, it: Ours) -> Iterator[MismatchDoc]:
    """Compare what both know; what one leaves out, such as an actor for which a tag had no room, is no difference."""
    created, ended = known.ledger.created.get(it.job.id), known.ledger.ended.get(it.job.id)
    intent = known.ledger.intents.get(it.tags.op)
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
        said = ended.status or STATUS.get(ended.phase, "")
        pairs.append(("status", said, it.job.status))
    for what, ledger, tag in dict.fromkeys(pairs):
        if ledger and tag and ledger != tag:
            detail = f"{what}: the ledger says {ledger[:60]}, the job {tag[:60]}"
            hint = "one of them was altered after the fact"
            yield _finding("contradiction", detail, hint, name=it.tags.name, job_id=it.job.id)
