"""The fields of `reconciler.yaml`: the project's name, the spec folder, and every limit.

The provider's documentation contradicts itself on several limits and states others nowhere, so each one is a
setting, and the text below it says where the default comes from. The JSON Schema of the file and its part of the
reference page are generated from these classes and texts.

Annotations are values here, not texts: msgspec reads them in less time.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from reconciler.constraints import NAME_PATTERN, NAME_RULE, matching, up_to

API: Final = "https://api.mistral.ai"
"""The host that gets the key, unless `--base-url` or `MISTRAL_BASE_URL` names another. No setting does."""

_HOST: Final = r"^(https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\]))(:[0-9]{1,5})?"
"""https, or plain http to this machine; no user name."""


RESULTS_SCHEMES: Final = ("s3", "gs", "az")
"""Schemes of URLs that results may have."""
RESULTS_URL: Final = rf"(?:{'|'.join(RESULTS_SCHEMES)})://[A-Za-z0-9][!-~]{{0,500}}"


LEDGER_PLACE: Final = "(?:local|git|s3://[A-Za-z0-9][A-Za-z0-9._/-]{0,500})"
LEDGER_HINT: Final = (
    "`local`, `git`, or such as s3://bucket/ledger: no other store is known to create an object only once"
)
INPUT_BUCKET: Final = r"(?:(?:s3|gs)://[a-z0-9][a-z0-9._-]{1,62}|az://[a-z0-9][a-z0-9-]{1,62}|https://[a-z0-9][a-z0-9.-]{0,252})"
"""The beginning of a URI of inputs: no user name and no port. A name of `az` with a dot would name another account."""
INPUT_STEP: Final = r"/(?!\.{1,2}(?:/|$))[A-Za-z0-9._=+,-]{1,255}"
"""A step of its path: not `..`, and nothing that a store's package reads as another URI, a version or a query."""
InputPrefix = Annotated[
    str,
    matching(
        rf"^{INPUT_BUCKET}(?:{INPUT_STEP}){{0,64}}/",
        "not a place of inputs",
        "such as `s3://lake/requests/`: s3, gs, az or https, with a `/` at the end",
    ),
]


Count = Annotated[int, Meta(ge=1)]
_Workers = Annotated[int, Meta(ge=1, le=64)]
_Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_Natural = Annotated[int, Meta(ge=0)]
_Amount = Annotated[float, Meta(ge=0, le=1_000_000_000)]
_Webhook = Annotated[
    str,
    matching(
        _HOST + r"([/?][!-\x22$-~]*)?",
        "not an address to post to",
        "`https://host/path`, or `http://localhost:port/path` for a server on this machine",
    ),
]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits on sizes, counts and times."""

    file_bytes: Annotated[int, up_to(2_000_000_000)] = 512_000_000
    """Bytes of one uploaded input file; a larger one is submitted in parts. The API's documentation: 512 MB."""
    line_bytes: Annotated[int, up_to(256_000_000)] = 96_000_000
    """Bytes of one line of an input file. Tool default: a scanned document is one."""
    requests_per_job: Annotated[int, up_to(10_000_000)] = 1_000_000
    """Requests in one job; more are submitted in parts. The API's documentation: 1,000,000 (another page: 100,000)."""
    inline_requests: Annotated[int, up_to(100_000)] = 10_000
    """Requests written in the spec itself. The API's OpenAPI description: 10,000."""
    jobs_per_spec: Annotated[int, up_to(100_000)] = 10_000
    """Jobs that `for_each` and `matrix` of one spec may make. Tool default."""
    max_workspace_pending: Count = 1_000_000
    """Requests that a workspace may have pending. The API's documentation: 1,000,000. A create that does not fit is
    held for a later apply."""
    max_pending: Count | None = None
    """Requests that this project may have pending, so that other projects have capacity; null for no limit."""
    in_flight: _Workers = 8
    """Concurrent writes to the API. Tool default: it stays below usual rate limits."""
    reads_in_flight: _Workers = 16
    """Concurrent reads from the API. Tool default: it reads a long list 12 times faster."""
    downloads_in_flight: _Workers = 4
    """Jobs downloaded concurrently. Tool default: more do not increase throughput."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Seconds that one call to the API may take; a file may take longer at 32 KiB/s. Tool default."""
    deadline_seconds: _Seconds = 900.0
    """Seconds that all waits and retries of one run may take. Tool default."""
    settle_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """Seconds after a lost response during which the job may still appear in the list; until then its absence proves
    nothing. Tool default: the API documents no bound."""
    late_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 3600.0
    """Seconds after a job's end during which its results may still be incomplete; 0 in the sandbox. Tool default: the
    API documents no bound."""
    plan_read_bytes: Annotated[int, Meta(ge=0, le=10_000_000_000)] = 64_000_000
    """Bytes of results that one plan reads from the API, to say exactly what it would submit; beyond it, it says "at
    most", and `apply` reads the rest. Tool default."""
    spec_bytes: Annotated[int, up_to(10_000_000)] = 1_000_000
    """Bytes of one YAML file. Tool default: a larger file is unlikely to be a spec."""
    spec_depth: Annotated[int, up_to(200)] = 64
    """Levels of nesting in a YAML file. Tool default: a limit against hostile files."""
    spec_nodes: Annotated[int, up_to(1_000_000)] = 100_000
    """Values in one YAML file, aliases expanded. Tool default, for the same reason."""


class UploadSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How input files are kept in the workspace."""

    expiry_hours: Count | None = None
    """Hours after which the API deletes an upload; null leaves that to the API (30 days). Must be more than
    `reuse_hours`, unless `reuse` is false."""
    visibility: Literal["workspace", "user"] | None = None
    """Who can see an upload; null leaves that to the API (the workspace)."""
    reuse: bool = True
    """Whether to reuse an existing upload with the same content."""
    verify: bool = False
    """Whether to read back and hash an upload of an earlier run before reusing it. Otherwise its name (the SHA-256 of
    its content), size and line count are trusted; anyone who can write to the workspace can fake them."""
    reuse_hours: _Natural = 168
    """Hours that an upload must have left to be reused. Tool default: the longest timeout."""


_Duration = Annotated[str, matching(r"^[1-9][0-9]{0,2}[hd]", "not a duration", "such as `14d` or `12h`")]


class KeepAtProvider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the provider keeps the files of a job that has ended."""

    inputs: _Duration | None = None
    """How long it keeps uploaded input files after the job's end; null to delete none."""
    results: _Duration | None = None
    """How long it keeps result files after the job's end; null to delete none."""


class Guards(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits above which actions of a plan are held back. Each has an override on the command line."""

    max_cancels: _Natural = 10
    """Cancels in one plan; duplicates do not count."""
    max_cancel_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the active jobs that one plan may cancel, from 3 cancels on."""
    max_new_requests: _Natural | None = None
    """Requests that one plan may submit; null for no budget."""
    max_requests_per_day: _Natural | None = None
    """Requests that this project may submit within 24 hours, counted from its jobs in the workspace: a stop for specs
    that keep changing. null for no limit."""
    max_cost: _Amount | None = None
    """The most that one plan may cost, with the parts that follow without another plan, in the currency of the prices;
    null for no budget. A plan whose upper bound is not known exceeds it."""
    max_cost_per_day: _Amount | None = None
    """The most that the jobs of this project may cost within 24 hours: what they used, or what they reserved until
    their results are pulled. null for no budget."""
    max_cost_per_month: _Amount | None = None
    """The same in a calendar month, in UTC."""
    max_lost_answers: _Natural = 10_000
    """Answers of running jobs that the cancels of one plan may discard."""
    allow_empty: bool = False
    """Whether a plan may cancel every job because no spec is declared."""
    allow_other_workspace: bool = False
    """Whether to go on if the workspace shows none of the jobs in the ledger."""
    allow_created_elsewhere: bool = False
    """Whether to submit work that another project of the workspace has submitted."""
    allow_other_branch: bool = False
    """Whether to create jobs from a branch that `apply.only_from` does not name."""
    allow_dirty: bool = False
    """Whether to create jobs from files with uncommitted changes, with `apply.clean`."""
    allow_unpushed: bool = False
    """Whether to create jobs from a commit that was not pushed, with `apply.pushed`."""


class ApplyFrom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The checkouts from which jobs may be created, except in the sandbox. Each rule has an override in `guards`."""

    only_from: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """Globs of the branches from which jobs may be created; empty for every branch."""
    clean: bool = False
    """Whether the files of a new job must be committed."""
    pushed: bool = False
    """Whether a remote-tracking branch must contain the commit, as far as the clone knows."""


class ApproveAbove(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The size of a plan from which the GitHub workflow waits for an approval."""

    requests: _Natural | None = None
    """Requests that one plan may submit without an approval; null for any number."""
    cost: _Amount | None = None
    """The most that one plan may cost without an approval, in the currency of the prices; null for any cost."""


class OnEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command or a webhook that `apply` notifies once when a job has ended."""

    command: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] | None = None
    """A program and its arguments, run in the folder of this file without a shell. It gets HOME, PATH, the like, and
    what `environment` names, never the API key. It receives JSON on standard input; exit code 0 means that it was
    delivered."""
    environment: tuple[
        Annotated[
            str,
            matching(
                r"^(?!(?:MISTRAL_API_KEY|RECONCILER_.*|GIT_CONFIG.*)$)[A-Za-z_][A-Za-z0-9_]{0,99}",
                "not a variable that a command may get",
                "the name of an environment variable; the API key, RECONCILER_* and GIT_CONFIG* stay in the tool",
            ),
        ],
        ...,
    ] = ()
    """Environment variables that the command gets, such as SLACK_TOKEN."""
    webhook: _Webhook | None = None
    """A URL that receives the JSON as a POST; a 2xx response means that it was delivered."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds that one delivery may take. Tool default."""


ProjectName = Annotated[str, matching(NAME_PATTERN, "not a project name", NAME_RULE, end="")]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one project: those of `reconciler.yaml`, or of one of its environments."""

    project: ProjectName
    moved_from: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """The folders in the repository that this file was in before, `.` for the repository's root. Jobs that the project
    submitted there are its own; jobs from any other folder are held."""
    specs: Annotated[
        str, matching(r"^[^\x00-\x1f\x7f]+", "not a folder", "name a folder below that of this file")
    ] = "specs"
    """The folder of the specs, relative to this file and beneath it."""
    results: Annotated[
        str,
        matching(
            rf"^(?:(?!.*://)[^\x00-\x1f\x7f]{{1,500}}|{RESULTS_URL})",
            "not a place for results",
            "a folder, or a URL such as s3://bucket/outputs, gs://… or az://…",
        ),
    ] = "outputs"
    """The place of results: a folder below this one, or the URL of an object store. The variable RECONCILER_RESULTS
    overrides it."""
    keep_at_provider: KeepAtProvider = KeepAtProvider()
    """How long the provider keeps files of jobs whose results are pulled. Then `outputs pull` deletes them there."""
    input_uris: tuple[InputPrefix, ...] = ()
    """The beginnings of the URIs that inputs may have, such as `s3://lake/requests/`. What is there is read with the
    credentials of the environment."""
    ledger: Annotated[str, matching(rf"^{LEDGER_PLACE}", "not a place for a ledger", LEDGER_HINT)] = "local"
    """Where to keep the record of intended actions and their outcomes: on this host (`local`), or also where every
    runner and every fresh clone can read it: in the branch `reconciler-ledger/<project>` of the repository's remote
    (`git`), or in a folder of an S3 bucket (`s3://bucket/ledger`)."""
    ledger_remote: Annotated[
        str,
        matching(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", "not the name of a git remote", "such as `origin`"),
    ] = "origin"
    """The git remote that holds the branch, with `ledger: git`."""
    on_end: OnEnd = OnEnd()
    """Notification sent once for work that is complete or held; only `apply` sends it."""
    limits: Limits = Limits()
    """Limits on sizes, counts and times."""
    uploads: UploadSettings = UploadSettings()
    """How input files are kept in the workspace."""
    guards: Guards = Guards()
    """Limits above which actions are held back."""
    apply: ApplyFrom = ApplyFrom()
    """The checkouts from which jobs may be created."""
    on_attention: Literal["fail", "issue"] = "fail"
    """On GitHub, whether a scheduled run fails if a job needs attention, or only reports it in an issue."""
    agreed_for: _Duration = "14d"
    """On GitHub, how long the plan of a pull request may be applied. What is left then needs a new review."""
    approve_above: ApproveAbove | None = None
    """On GitHub, the merge of a larger plan waits for the reviewers of the environment `reconciler`; the hourly run
    never submits more. null to wait for no one."""
    snapshot: bool = True
    """On GitHub, whether `ci apply` saves a snapshot of the workspace, for plans without a key."""
