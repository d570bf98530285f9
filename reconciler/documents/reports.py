"""The JSON documents that commands write, except the plan: one type each, from which the schemas are generated."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from reconciler.cost.actual import Cost
from reconciler.documents.result_summary import ResultSummary, WorkSummary
from reconciler.planning.tally import Tally
from reconciler.plans.action_documents import JobDoc
from reconciler.plans.document import PlanDoc

Verdict: TypeAlias = Literal["ok", "note", "warning", "failed"]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in a report."""


class _TargetPart(_Part, frozen=True, kw_only=True):
    """Base of a report on one target."""

    project: str
    environment: str = ""
    """The environment of the settings file; "" if it has none."""
    base_url: str
    sandbox: bool


class OutcomeDoc(_Part, frozen=True, kw_only=True):
    """The outcome of one action."""

    name: str
    outcome: str
    """`created`, `cancelled`, `had_ended`, `created_with_altered_tags`, `create_failed`, `cancel_failed`, `unknown` or
    `not_done`."""
    job_id: str | None
    status: str | None
    recovered: bool
    """True if the response to a create was lost and the job was found in the list."""
    message: str
    hint: str


class StatusRow(_Part, frozen=True, kw_only=True):
    """The state of one declared job."""

    name: str
    family: str
    """The pattern of the names of its spec's jobs (`backfill-*`); "" for a spec of one job."""
    state: str
    """The job's status, or `to create`, `to replace`, `on hold`, `suspended`, `not yet` or `record gone`."""
    reason: str
    job: JobDoc | None
    states: Tally | None = None
    """How many requests of its work are in each state, over all of its jobs; null if that is not known."""
    attention: bool
    detail: str
    again: str = ""
    """When another apply continues the work; "" if none is needed for that."""
    cost: Cost | None = None
    """What the jobs of its work have cost so far, as far as their results were pulled; null after a wait."""


class StatusDoc(_TargetPart, frozen=True, kw_only=True):
    """The output of `status --format json`."""

    rows: tuple[StatusRow, ...]


class WaitDoc(StatusDoc, frozen=True, kw_only=True):
    """The output of `wait --format json`, and the last part of the output of `apply --wait`: the final state."""

    readiness: dict[str, str]
    """The readiness of each name: `done`, `attention`, `pending` (for the next apply), `running`, or `idle`."""
    timed_out: bool
    exit_code: int


class ApplyDoc(_Part, frozen=True, kw_only=True):
    """The output of `apply --format json`."""

    plan: PlanDoc
    outcomes: tuple[OutcomeDoc, ...]
    """The outcomes of all actions; with `--wait`, of all rounds."""
    exit_code: int
    waited: WaitDoc | None = None
    """With `--wait`, the final state."""


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
    """The metadata of the job; values that are not strings are written as JSON."""
    project: str | None
    """The project in its tags, None if it carries no tag of this tool."""
    name: str | None


class JobListDoc(_Part, frozen=True, kw_only=True):
    """The output of `jobs list --format json`."""

    jobs: tuple[ListedJob, ...]


class ProblemDoc(_Part, frozen=True, kw_only=True):
    """One problem in a file."""

    path: str
    line: int
    column: int
    message: str
    hint: str
    warning: bool


class ValidateDoc(_Part, frozen=True, kw_only=True):
    """The output of `validate --format json`."""

    specs: int
    requests: int
    uncounted: int
    """Specs whose requests are not in `requests`: their inputs are uploaded files, Git LFS pointers or URIs."""
    problems: tuple[ProblemDoc, ...]


class FindingDoc(_Part, frozen=True):
    """The result of one check."""

    check: str
    verdict: Verdict
    detail: str
    hint: str = ""


class DoctorDoc(_Part, frozen=True, kw_only=True):
    """The output of `doctor --format json`."""

    tool_version: str
    host: str
    findings: tuple[FindingDoc, ...]


class PulledJob(_Part, frozen=True, kw_only=True):
    """The results of one ended job."""

    name: str
    job_id: str
    status: str
    state: str
    """`pulled` by this run, `present` before, `due` with --dry-run, `failed`, `stopped` before it was complete, or
    `refused`: the files contradict what the API says about them."""
    path: str
    """The job's folder: the place of results, name, `jobs` and job id."""
    summary: ResultSummary | None = None
    """The summary of results that this run pulled; earlier ones have it in `summary.json`."""
    message: str = ""
    hint: str = ""


class NameResults(_Part, frozen=True, kw_only=True):
    """The results of a name."""

    name: str
    state: str
    """`joined` by this run, `unchanged`, `failed`, or `stopped` before they were complete."""
    path: str = ""
    """Of the joined results."""
    summary: WorkSummary | None = None
    message: str = ""
    hint: str = ""


class DeletedFile(_Part, frozen=True, kw_only=True):
    """A file at the provider that `keep_at_provider` no longer keeps."""

    name: str
    job_id: str
    """The job that ended last, of those that use the file."""
    file_id: str
    kind: str
    """`inputs` or `results`."""
    reason: str
    """Why it is not kept; if it failed, also how."""
    state: str = "due"
    """`deleted` by this run or gone before, `due` with --dry-run, `failed`, or `stopped`: the next pull deletes it."""
    tried: bool = False
    """Whether an earlier pull was about to delete it."""


class PullDoc(_TargetPart, frozen=True, kw_only=True):
    """The output of `outputs pull --format json`."""

    place: str
    """The place of results: a folder or a URL."""
    running: int
    """The number of jobs that have not ended and have no results yet."""
    jobs: tuple[PulledJob, ...]
    results: tuple[NameResults, ...]
    files: tuple[DeletedFile, ...] = ()
    """The files that `keep_at_provider` no longer keeps."""
    kept: str = ""
    """Why none was deleted although `keep_at_provider` is set, "" if nothing prevented it."""
    exit_code: int


def pretty(report: msgspec.Struct) -> bytes:
    """Return a report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
