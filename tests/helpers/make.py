"""Short functions that make a spec, a job or a memory, so that a row of a test's table fits on a line.

A job is what the API returns. Its tags are written by the code under test, so that a row reads "a running job of this
spec" and never spells out a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypedDict, Unpack

from msgspec.structs import replace

from reconciler.api.values import OddRow
from reconciler.ledger.fold import remember
from reconciler.ledger.lines import (
    CancelEnded,
    CancelIntended,
    CreateConfirmed,
    CreateIntended,
    Ended,
    Line,
    job_facts,
)
from reconciler.ledger.memory import Memory
from reconciler.model import (
    Adopt,
    Ancestry,
    Checks,
    Declared,
    Input,
    InputFile,
    Job,
    JobSpec,
    Observed,
    OwnedJob,
    Phase,
    Position,
    Retry,
    Source,
    SubmittedPart,
    UploadedFile,
    tags,
)
from reconciler.planning.actions import Action, Cancel, Create, Hold, Keep, Plan
from reconciler.workspace.observe import Watched, sort_out

NOW: Final = 1_800_000_000.0
PROJECT: Final = "search"
HEAD: Final = "c0ffee"
"""The commit that this checkout is at."""
NOTHING: Final[Mapping[str, None]] = {}
ELSEWHERE: Final = "badcafe"
"""A commit that this checkout does not contain."""

ACTIVE: Final = Phase.ACTIVE
STOPPING: Final = Phase.STOPPING
SUCCEEDED: Final = Phase.SUCCEEDED
FAILED: Final = Phase.FAILED
TIMED_OUT: Final = Phase.TIMED_OUT
CANCELLED: Final = Phase.CANCELLED
UNKNOWN: Final = Phase.UNKNOWN

STATUS: Final = {
    ACTIVE: "RUNNING",
    STOPPING: "CANCELLATION_REQUESTED",
    SUCCEEDED: "SUCCESS",
    FAILED: "FAILED",
    TIMED_OUT: "TIMEOUT_EXCEEDED",
    CANCELLED: "CANCELLED",
    UNKNOWN: "PAUSED",
}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file_of(work: str, *, requests: int = 10) -> InputFile:
    return InputFile(path=f"data/{work}.jsonl", sha256=sha(work), size=len(work), requests=requests)


class SpecFacts(TypedDict, total=False):
    """Fields of a spec."""

    endpoint: str
    model: str | None
    agent_id: str | None
    inputs: tuple[Input, ...]
    metadata: Mapping[str, str]
    timeout_hours: int
    suspend: bool
    retry: Retry
    on_change: Literal["auto", "replace", "finish"]
    on_remove: Literal["cancel", "keep"]
    checks: Checks
    canary: int
    reuse: bool | tuple[str, ...]


def spec(name: str = "a", work: str = "w1", rerun: str = "", **more: Unpack[SpecFacts]) -> JobSpec:
    """A spec whose one input file is named after its work. By default, answers of other work do not count."""
    plain = JobSpec(
        name=name,
        rerun=rerun,
        endpoint="/v1/chat/completions",
        model="mistral-small-latest",
        inputs=(file_of(work),),
        reuse=False,
        declared_at=Position(path=f"specs/{name}.yaml", line=1),
    )
    return replace(plain, **more)


def retrying(times: int, *on: Phase) -> Retry:
    return Retry(max_attempts=times, on=frozenset(on or (FAILED, TIMED_OUT)))


def hidden(name: str = "a") -> JobSpec:
    """A spec whose input is an uploaded file: its number of requests is unknown."""
    return spec(name, inputs=(UploadedFile(id="0f9d1b6e-0000-4000-8000-000000000001"),))


def op_of(job_id: str) -> str:
    """The op that made a job."""
    return f"{job_id:0>8}".replace("-", "0")


class JobFacts(TypedDict, total=False):
    """Fields of a job."""

    status: str
    errors: tuple[str, ...]
    total_requests: int
    completed_requests: int
    succeeded_requests: int
    failed_requests: int
    output_file: str | None
    completed_at: int


class Written(JobFacts, total=False):
    """How a job came to be."""

    attempt: int
    age: int
    commit: str
    root: str
    project: str
    on_remove: Literal["cancel", "keep"] | None
    op: str | None
    part: tuple[int, int, int] | None


def job(
    of: JobSpec,
    job_id: str = "j1",
    phase: Phase = ACTIVE,
    *,
    attempt: int = 1,
    age: int = 600,
    commit: str = HEAD,
    root: str = "",
    project: str = PROJECT,
    on_remove: Literal["cancel", "keep"] | None = None,
    op: str | None = None,
    over: Iterable[str] = (),
    part: tuple[int, int, int] | None = None,
    altered: Mapping[str, object | None] = NOTHING,
    **more: Unpack[JobFacts],
) -> Job:
    """A job that was created for a spec.

    Args:
        of: the spec as it was then.
        job_id: names it.
        phase: the state of the job.
        attempt: in its tags.
        age: seconds before `NOW` at which it was created.
        commit: in its tags.
        root: in its tags.
        project: in its tags.
        on_remove: in its tags; the spec's own where None.
        op: in its tags.
        over: in its tags: the jobs that it replaced.
        part: how many requests it was asked, of how many, and how many were answered before; None for all.
        altered: metadata that a person changed afterwards; None deletes a key.
        more: other fields of the job.
    """
    written = tags.tags_of(
        of,
        project=project,
        attempt=attempt,
        op=op or op_of(job_id),
        source=Source(commit=commit, root=root),
        over=over,
        part=None
        if part is None
        else SubmittedPart(inputs=of.inputs, requests=part[0], of=part[1], reused=part[2]),
    )
    pairs: dict[str, object] = dict(tags.write(replace(written, on_remove=on_remove or of.on_remove)))
    pairs |= {key: value for key, value in altered.items() if value is not None}
    plain = Job(
        id=job_id,
        phase=phase,
        status=STATUS[phase],
        endpoint=of.endpoint,
        model=of.model,
        agent_id=of.agent_id,
        total_requests=(of.requests if part is None else part[0]) or 0,
        created_at=int(NOW) - age,
        metadata={key: value for key, value in pairs.items() if altered.get(key, value) is not None},
    )
    made = replace(plain, **more)
    if phase is not SUCCEEDED or "succeeded_requests" in more:
        return made
    answered = max(0, made.total_requests - made.failed_requests)
    return replace(made, succeeded_requests=answered, output_file=made.output_file or f"{job_id}-output")


def untagged(of: JobSpec, job_id: str = "j1", phase: Phase = ACTIVE, **more: Unpack[Written]) -> Job:
    """A job that a person created by hand for the same work: it has none of our tags."""
    return replace(job(of, job_id, phase, **more), metadata={"made": "by hand"})


def adopting(of: JobSpec, job_id: str = "j1", *, work: JobSpec | None = None) -> JobSpec:
    """A spec that adopts a job, for its own work or for that of another spec."""
    return replace(of, adopt=Adopt(job=job_id, work=(work or of).run_key.work))


def newer(of: JobSpec, job_id: str = "j1", phase: Phase = ACTIVE, **more: Unpack[Written]) -> Job:
    """A job whose tags a newer version of this tool wrote."""
    run = str(job(of, job_id).metadata[tags.RUN]).replace("v=1", "v=2")
    return job(of, job_id, phase, altered={tags.RUN: run}, **more)


def broken(of: JobSpec, job_id: str = "j1", phase: Phase = ACTIVE, **more: Unpack[Written]) -> Job:
    """A job whose tag with the attempt and the op was damaged."""
    return job(of, job_id, phase, altered={tags.RUN: "v=1 attempt=1"}, **more)


def nobodys(job_id: str = "x1") -> OddRow:
    """A row of the list of which nothing shows whose job it is."""
    damaged = replace(job(spec("x"), job_id, UNKNOWN), status="unreadable", metadata={})
    return OddRow(
        number=1, job=damaged, problem="metadata", unreadable=frozenset({"metadata"}), has_lost_tags=True
    )


def seen(
    specs: Iterable[JobSpec], *jobs: Job, gone: Iterable[str] = (), odd: Iterable[OddRow] = ()
) -> Observed:
    """The workspace as a run with these specs sees it."""
    specs = tuple(specs)
    wanted = frozenset(key for it in specs for key in it.run_keys)
    adopted = frozenset(it.adopt.job for it in specs if it.adopt)
    return sort_out(
        jobs, Watched(project=PROJECT, wanted=wanted, adopted=adopted), missing_ids=frozenset(gone), odd=odd
    )


def owned(of: JobSpec, job_id: str = "j1", phase: Phase = ACTIVE, **more: Unpack[Written]) -> OwnedJob:
    """A job of ours with its tags read."""
    read = tags.read(job(of, job_id, phase, **more))
    assert isinstance(read, OwnedJob)
    return read


def declared(
    *specs: JobSpec,
    selected: Iterable[str] | None = None,
    contained_commits: Iterable[str] | None = (HEAD,),
    uncommitted: Iterable[str] = (),
    descendant_commits: Iterable[str] = (),
    roots: Iterable[str] = ("",),
) -> Declared:
    return Declared(
        specs=specs,
        roots=frozenset(roots),
        selected=None if selected is None else frozenset(selected),
        ancestry=Ancestry(
            contained=None if contained_commits is None else frozenset(contained_commits),
            descendants=frozenset(descendant_commits),
        ),
        uncommitted=frozenset(uncommitted),
    )


def intended(of: JobSpec, op: str, *, at: float = NOW, attempt: int = 1) -> CreateIntended:
    return CreateIntended(
        at=at,
        run_id="r1",
        op=op,
        name=of.name,
        work=of.run_key.work,
        rerun=of.rerun,
        attempt=attempt,
        reason="new",
    )


def created(of: JobSpec, job_id: str, *, at: float = NOW, attempt: int = 1) -> CreateConfirmed:
    about = job_facts(owned(of, job_id, attempt=attempt))
    return CreateConfirmed(at=at, run_id="r1", op=op_of(job_id), **about)


def ended(
    of: JobSpec, job_id: str, phase: Phase, *, at: float = NOW, attempt: int = 1, **more: Unpack[JobFacts]
) -> Ended:
    about = job_facts(owned(of, job_id, phase, attempt=attempt, **more))
    return Ended(at=at, run_id="r1", **about)


def meant(job_id: str, reason: str, *, at: float = NOW, run_id: str = "r1") -> CancelIntended:
    """A cancel that may never have been sent."""
    return CancelIntended(at=at, run_id=run_id, job_id=job_id, name="a", reason=reason)


def stopped(job_id: str, reason: str, *, at: float = NOW, run_id: str = "r1") -> tuple[Line, Line]:
    """A cancel that the API accepted."""
    took = CancelEnded(at=at + 1, run_id=run_id, job_id=job_id, status="CANCELLATION_REQUESTED")
    return meant(job_id, reason, at=at, run_id=run_id), took


def memory(*lines: Line) -> Memory:
    return remember(lines, settle_seconds=60)


def said(action: Action) -> str:
    """An action in a few words; `!` if it needs a person's attention, `?` if it rests on the ledger alone."""
    match action:
        case Create():
            part = f" {len(action.part.places)}/{action.part.of}" if action.part else ""
            return f"create {action.reason} {action.attempt}{'?' * bool(action.rests_on_ledger)}{part}"
        case Cancel():
            return f"cancel {action.owned.job.id} {action.reason}"
        case Keep():
            return f"keep {action.job.id if action.job else '-'} {action.reason}{'!' * action.attention}"
        case Hold():
            return f"hold {action.job.id if action.job else '-'} {action.reason}{'!' * action.attention}"


def reported(plan: Plan) -> dict[str, tuple[str, ...]]:
    """A plan in a few words a name."""
    return {decision.name: tuple(map(said, decision.actions)) for decision in plan.decisions}
