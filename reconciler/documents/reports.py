"""The JSON that commands write, beside the plan: one type each, from which their schemas are generated."""

from __future__ import annotations

import msgspec

from reconciler.documents.result_summary import Summary
from reconciler.plans.document import JobDoc, PlanDoc


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in a report."""


class OutcomeDoc(_Part, frozen=True, kw_only=True):
    """What came of one action."""

    name: str
    outcome: str
    """`created`, `cancelled`, `had_ended`, `create_failed`, `cancel_failed`, `unknown` or `not_done`."""
    job_id: str | None
    status: str | None
    adopted: bool
    """True where the answer to a create was lost and the job was found."""
    message: str
    hint: str


class StatusRow(_Part, frozen=True, kw_only=True):
    """One declared job as it stands."""

    name: str
    family: str
    """What the jobs of its spec are called together (`backfill-*`); "" for a spec of one job."""
    state: str
    """A job's own status; else `to create`, `to replace`, `on hold`, `suspended`, `not yet` or `record gone`."""
    reason: str
    job: JobDoc | None
    attention: bool
    detail: str


class StatusDoc(_Part, frozen=True, kw_only=True):
    """What `status --format json` writes."""

    project: str
    base_url: str
    sandbox: bool
    rows: tuple[StatusRow, ...]


class WaitDoc(_Part, frozen=True, kw_only=True):
    """What `wait --format json` writes, and the last part of what `apply --wait` does."""

    project: str
    base_url: str
    sandbox: bool
    rows: tuple[StatusRow, ...]
    """Every name that was waited for, as it stood in the end."""
    stands: dict[str, str]
    """How far each name came: `done`, `attention`, `pending` (an apply would go on), `running`, or `idle`."""
    timed_out: bool
    exit_code: int


class ApplyDoc(_Part, frozen=True, kw_only=True):
    """What `apply --format json` writes."""

    plan: PlanDoc
    outcomes: tuple[OutcomeDoc, ...]
    """Of every round, with `--wait`."""
    exit_code: int
    waited: WaitDoc | None = None
    """How it stood in the end, with `--wait`."""


class ListedJob(_Part, frozen=True, kw_only=True):
    """One job of the workspace."""

    id: str
    status: str
    endpoint: str
    model: str | None
    agent_id: str | None
    created_at: int
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None
    completed_at: int | None
    total_requests: int
    completed_requests: int
    succeeded_requests: int
    failed_requests: int
    input_files: tuple[str, ...]
    output_file: str | None
    error_file: str | None
    errors: tuple[str, ...]
    metadata: dict[str, str]
    """As it stands on the job; values that are not strings as JSON."""
    project: str | None
    """Whose it is, None where it carries no tag of this tool."""
    name: str | None


class JobListDoc(_Part, frozen=True, kw_only=True):
    """What `jobs list --format json` writes."""

    jobs: tuple[ListedJob, ...]


class ProblemDoc(_Part, frozen=True, kw_only=True):
    """One thing that is wrong in a file."""

    path: str
    line: int
    column: int
    message: str
    hint: str
    warning: bool


class ValidateDoc(_Part, frozen=True, kw_only=True):
    """What `validate --format json` writes."""

    specs: int
    requests: int
    problems: tuple[ProblemDoc, ...]


class StoredDoc(_Part, frozen=True, kw_only=True):
    """One upload of this tool."""

    id: str
    filename: str
    """The SHA-256 of its content, and `.jsonl`."""
    bytes: int | None
    """None where the API does not say."""
    created_at: int
    """Unix seconds, the server's clock."""
    deleted: bool
    """Whether it was deleted now."""


class PruneDoc(_Part, frozen=True, kw_only=True):
    """What `files prune --format json` writes."""

    uploads: tuple[StoredDoc, ...]
    """Those that nothing needs, the oldest first."""


class FindingDoc(_Part, frozen=True, kw_only=True):
    """One thing that was looked at."""

    check: str
    verdict: str
    """`ok`, `note`, `warning` or `failed`."""
    detail: str
    hint: str


class DoctorDoc(_Part, frozen=True, kw_only=True):
    """What `doctor --format json` writes."""

    tool_version: str
    host: str
    findings: tuple[FindingDoc, ...]


class PulledJob(_Part, frozen=True, kw_only=True):
    """The results of one ended job."""

    name: str
    job_id: str
    status: str
    state: str
    """`pulled` now, `present` before, `failed`, or `stopped` before it was whole."""
    path: str
    """The job's folder: the destination, then name, run and job id."""
    summary: Summary | None
    """What was pulled now; what was there before has its `summary.json`."""
    message: str
    hint: str


class PullDoc(_Part, frozen=True, kw_only=True):
    """What `outputs pull --format json` writes."""

    project: str
    base_url: str
    sandbox: bool
    to: str
    """The destination."""
    running: int
    """Jobs that have not ended: they have no results yet."""
    jobs: tuple[PulledJob, ...]
    exit_code: int


class CountsDoc(_Part, frozen=True, kw_only=True):
    """A job's requests, as the API counts them."""

    total: int | None
    """None where nobody knows yet."""
    ok: int
    failed: int
    missing: int | None
    """Neither answered nor failed."""


class EndDoc(_Part, frozen=True, kw_only=True):
    """What `on_end` is told of a job's end: on standard input, or as the body of a POST."""

    v: int = 1
    event: str = "job.ended"
    id: str
    """The same for the same end, should it ever be told twice."""
    text: str
    """One line for people; chat webhooks show it."""
    project: str
    base_url: str
    sandbox: bool
    name: str
    """The spec's name in the job's tags."""
    job_id: str
    work: str
    """The work digest; with `rerun` the run key."""
    rerun: str
    attempt: int
    status: str
    """In the API's words."""
    phase: str
    """SUCCEEDED, FAILED, TIMED_OUT or CANCELLED."""
    endpoint: str
    model: str | None
    created_at: int
    """Unix seconds, the server's clock; so are the two below."""
    started_at: int | None
    completed_at: int | None
    requests: CountsDoc
    errors: tuple[str, ...]
    """What the API says went wrong."""
    output_file: str | None
    error_file: str | None
    commit: str
    """Who bought it from where; empty parts are unknown."""
    actor: str
    run_url: str
    told_by: str
    """The run that tells it."""


def pretty(report: msgspec.Struct) -> bytes:
    """Return a report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
