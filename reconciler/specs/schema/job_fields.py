"""The one model of a spec document: which fields there are, of what type, and within what bounds.

`msgspec` accepts or refuses a document by it; the JSON Schema (for editors, and for reporting every mistake of a
refused document) and the reference page are generated from it. Field names are the API's own if it has the field.
The text below a field is its description in all three places; `errorMessage` and `x-hint` are the message for a wrong
value.

Annotations are values here, not texts: msgspec reads them in less time.
"""

from collections.abc import Collection
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import fields

from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.constraints import matching, such_as
from reconciler.model import Checks, Retry
from reconciler.specs.schema.types import (
    AgentId,
    Endpoint,
    Entries,
    ForEachFields,
    Grouped,
    Hours,
    JobId,
    MatrixFields,
    MetadataKey,
    MetadataText,
    ModelName,
    Name,
    OnChange,
    OnRemove,
    PeriodFields,
    ReferenceFields,
    RerunText,
    TableName,
    WorkDigest,
    optional_fields,
)

RetryWord: TypeAlias = Annotated[
    str,
    matching(
        r"^(FAILED|TIMEOUT_EXCEEDED|missing|error|http_[45]([0-9][0-9]|xx))",
        "must be `FAILED`, `TIMEOUT_EXCEEDED`, `missing`, `error` or a status such as `http_5xx`",
        "what a person cancelled is never submitted again by itself",
    ),
]
_RETRIED: Final = [*Retry().words]

_OWN: Final = frozenset({"name", "input_files", "requests", "rows", "for_each", "matrix", "adopt"})
"""Fields that `_defaults.yaml` cannot give."""


class RequestFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request written in the spec itself."""

    custom_id: Annotated[str, Meta(min_length=1, examples=["ticket-17"])]
    """Identifies the request and its answer. Unique in the job."""
    body: dict[str, Any]
    """The request body that the endpoint expects. `model` may be omitted."""


class RowsFields(ReferenceFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows that are not simply a table here: files themselves, the result of a query, or a table elsewhere."""

    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("files", "uri", "manifest"),)

    files: Annotated[
        Entries | Annotated[dict[TableName, str | Entries | ReferenceFields], Meta(min_length=1)] | UnsetType,
        such_as(["scans/*.pdf"], {"tickets": "data/tickets.parquet", "users": "data/users.csv"}),
    ] = UNSET
    """With `sql`, the tables that the query reads: a list is one table, named `files`, and a mapping names each.
    Without it, each file is a row, with the columns `path`, `stem`, `sha256` and `data_url`."""
    sql: Annotated[str | UnsetType, such_as("select * from files where lang = 'de'")] = UNSET
    """One SELECT, in DuckDB's SQL. Functions whose result changes between runs are refused."""


class RetryFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When failed work is submitted again automatically."""

    max_attempts: Annotated[int, Meta(ge=1, le=10)] = Retry().max_attempts
    """How often one request may be submitted, including the first time. Answered requests are not submitted again."""
    on: Annotated[list[RetryWord], Meta(min_length=1, extra_json_schema={"default": _RETRIED})] = field(
        default_factory=lambda: [*_RETRIED]
    )
    """What is submitted again: everything that a job did not answer, by the job's status (`FAILED`,
    `TIMEOUT_EXCEEDED`), and single requests: `missing` has no line in the results of a success, `error` is an error
    without a status, `http_429` a status, `http_4xx` and `http_5xx` a hundred of them."""


class CanaryFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small first part of the work, whose outcomes decide whether the rest is submitted."""

    requests: Annotated[int, Meta(ge=1)]
    """How many requests need an outcome first. An answer or a failure counts, also of an earlier job of the work."""


class ChecksFields(Checks, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares above which a succeeded job needs attention."""


class AdoptFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job without tags that counts as this spec's job."""

    job: Annotated[JobId, such_as("4fb29d1c-0000-4000-8000-000000000000")]
    """Its id."""
    work: WorkDigest | UnsetType = UNSET
    """The digest of the job's work. If it is missing, the error's hint shows the digest of the work that the spec
    declares now. Writing it confirms that the job did this work."""


class JobFields(Struct, Grouped, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spec: one job, or a family of them."""

    EXACTLY_ONE: ClassVar = (
        ("endpoint", "matrix.endpoint"),
        ("model", "agent_id", "matrix.model", "matrix.agent_id"),
        ("input_files", "requests", "rows", "for_each"),
    )

    name: Annotated[Name, such_as("ticket-classes")]
    """The job's name in plans, folders and tables; unique in the project, ignoring case. It is not part of the work's
    identity: a job may be renamed while it runs. 1 to 100 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a
    digit. With `for_each` or `matrix` it contains [placeholders](#families)."""
    endpoint: Annotated[
        Endpoint | UnsetType,
        such_as("/v1/chat/completions", *(path for path in KNOWN_ENDPOINTS if "/chat/comp" not in path)),
    ] = UNSET
    """The API's endpoint that answers every request of the job."""
    model: Annotated[ModelName | UnsetType, such_as("mistral-small-2603")] = UNSET
    """The model that answers. Either this or `agent_id`."""
    agent_id: AgentId | UnsetType = UNSET
    """The agent that answers, in place of a model."""
    input_files: Annotated[
        Entries | UnsetType,
        such_as(["data/questions.jsonl"], ["data/2026-*/*.jsonl"], [{"manifest": "data/night.json"}]),
    ] = UNSET
    """The requests: JSONL files, as paths or globs (`*`, `?`, `[…]`, `**`) relative to this file, as ids of uploaded
    files, or as [URIs](#inputs-elsewhere). Either this, `requests`, `rows` or `for_each`."""
    requests: Annotated[
        Annotated[list[RequestFields], Meta(min_length=1)] | UnsetType,
        such_as([{"custom_id": "1", "body": {"input": "Bonjour"}}]),
    ] = UNSET
    """The requests themselves, for small jobs. At most `limits.inline_requests`. They are uploaded as a file."""
    rows: Annotated[
        str | Entries | RowsFields | UnsetType,
        such_as("data/tickets.csv", {"sql": "select * from files", "files": ["data/*.parquet"]}),
    ] = UNSET
    """A table (CSV, JSONL or Parquet, as a path, a glob, a list or a [URI](#inputs-elsewhere)), whose every row becomes
    a request."""
    custom_id: Annotated[Annotated[str, Meta(min_length=1)] | UnsetType, such_as("{{ticket_id}}")] = UNSET
    """With rows: the `custom_id` of each request, with placeholders for columns."""
    body: Annotated[
        dict[str, Any] | UnsetType,
        such_as({"messages": [{"role": "user", "content": "{{subject}}"}]}),
    ] = UNSET
    """With rows: the body of each request. `{{column}}` in a text is the cell of the row, and `{$file: PATH}` the text
    of a file, or the contents of a `.json` file."""
    prompt: Annotated[Annotated[str, Meta(min_length=1)] | UnsetType, such_as("prompts/classify.txt")] = UNSET
    """With rows: the file that `{$file: "{prompt}"}` includes. A [matrix](#families) can vary it; in names, `{prompt}`
    is then the file's name without its ending."""
    columns: Annotated[
        dict[str, Literal["text", "integer", "decimal", "boolean"]], such_as({"amount": "decimal"})
    ] = {}
    """With rows of CSV: the types of columns that are not text."""
    show_requests: bool = True
    """With rows: whether a plan shows some requests before and after a change of the template, also in comments on pull
    requests."""
    for_each: ForEachFields | UnsetType = UNSET
    """Makes one job for each file: see [families](#families)."""
    matrix: MatrixFields | UnsetType = UNSET
    """Makes one job for each combination of values: see [families](#families)."""
    metadata: Annotated[
        dict[MetadataKey, MetadataText | int | float | bool], such_as({"team": "search"})
    ] = {}
    """Your own labels, written into the job. Values are stored as text, exactly as written: `1.10` stays `1.10`. A
    change submits nothing and takes effect with the next job."""
    timeout_hours: Hours = 24
    """Hours after which the API stops the job. A change submits nothing and takes effect with the next job."""
    rerun: Annotated[
        RerunText | int | PeriodFields | None,
        such_as(2, "2026-11", {"every": "week", "zone": "Europe/Paris"}),
    ] = None
    """Change it to submit the same work again. Absent, null and empty are the same; otherwise the text counts as
    written. With a mapping, the calendar changes it."""
    suspend: bool = False
    """If true, a running job is cancelled and no job is created."""
    retry: RetryFields = RetryFields()
    """When failed work is submitted again automatically."""
    on_change: OnChange = "auto"
    """What to do with a running job if the spec's work changes: `finish` lets it end first, `replace` cancels it, and
    `auto` lets it end if at least half of its requests are still wanted, or if that is not known. What it answers is
    not submitted again with `reuse`. A change of `rerun` always lets it end."""
    on_remove: OnRemove = "cancel"
    """What to do with a running job if its spec is removed. With `for_each` the default is `keep`: rotating a file away
    cancels nothing."""
    reuse: Annotated[bool | Annotated[list[Name], Meta(min_length=1)], such_as(False, ["old-name"])] = True
    """Whether answers of earlier jobs of this name count, with the same endpoint, model and `rerun`: then a change of
    the inputs submits only requests without an answer. A list names other jobs whose answers count too, after a rename
    with an edit."""
    canary: Annotated[CanaryFields | None, such_as({"requests": 20})] = None
    """Submit only so many requests first. A later apply, or a round of `apply --wait`, submits the rest if the outcomes
    pass `checks`, and holds it otherwise."""
    checks: ChecksFields = ChecksFields()
    """Shares above which a succeeded job needs attention. A change submits nothing."""
    adopt: AdoptFields | UnsetType = UNSET
    """A job that was created without this tool and counts as this spec's job: see [adopting existing
    jobs](#adopting-existing-jobs)."""


def fields_of(model: type[Struct], without: Collection[str] = ()) -> dict[str, Any]:
    """Return the types of the fields of a model, except some, by name."""
    return {it.name: it.type for it in fields(model) if it.name not in without}


@cache
def defaults_model() -> type[Struct]:
    """Return the model of a `_defaults.yaml`."""
    return optional_fields("DefaultsFields", fields_of(JobFields, _OWN))
