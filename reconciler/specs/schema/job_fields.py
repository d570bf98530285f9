"""The one model of a spec document: which fields there are, of what type, and within what bounds.

`msgspec` accepts or refuses a document by it; the JSON Schema (for editors, and for reporting every mistake of a
refused document) and the reference page are generated from it. Field names are the API's own if it has the field.
A field's description is its text in all three places; `errorMessage` and `x-hint` are the message for a wrong value.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field
from msgspec.structs import fields

from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.constraints import NAME_RULE, about
from reconciler.specs.schema.types import (
    AgentId,
    Endpoint,
    ForEachFields,
    Hours,
    JobId,
    MatrixFields,
    MetadataKey,
    MetadataText,
    ModelName,
    Name,
    OnChange,
    OnRemove,
    Paths,
    PeriodFields,
    RerunText,
    Share,
    WorkDigest,
)

_RetryStatus = Literal["FAILED", "TIMEOUT_EXCEEDED"]

_OWN: Final = frozenset({"name", "input_files", "requests", "for_each", "matrix", "adopt"})
"""Fields that `_defaults.yaml` cannot give."""


class RequestFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request written in the spec itself."""

    custom_id: Annotated[
        str,
        Meta(
            min_length=1,
            description="Identifies the request and its answer. Unique in the job.",
            examples=["ticket-17"],
        ),
    ]
    body: Annotated[
        dict[str, Any], about("The request body that the endpoint expects. `model` may be omitted.")
    ]


class RetryFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When failed work is submitted again automatically."""

    max_attempts: Annotated[
        int, Meta(ge=1, le=10, description="Maximum number of jobs for the work, including the first.")
    ] = 1
    on: Annotated[
        list[_RetryStatus],
        Meta(
            min_length=1,
            description="Statuses of the API after which another attempt is made.",
            extra_json_schema={"default": ["FAILED", "TIMEOUT_EXCEEDED"]},
        ),
    ] = field(default_factory=lambda: ["FAILED", "TIMEOUT_EXCEEDED"])


class AdoptFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job without tags that counts as this spec's job."""

    job: Annotated[JobId, about("Its id.", "4fb29d1c-0000-4000-8000-000000000000")]
    work: Annotated[
        WorkDigest | UnsetType,
        about(
            "The digest of the job's work. If it is missing, the error's hint shows the digest of the "
            "work that the spec declares now. Writing it confirms that the job did this work."
        ),
    ] = UNSET


class JobFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spec: one job, or a family of them."""

    EXACTLY_ONE: ClassVar = (
        ("endpoint", "matrix.endpoint"),
        ("model", "agent_id", "matrix.model", "matrix.agent_id"),
        ("input_files", "requests", "for_each"),
    )
    """A spec holds exactly one field of each group."""

    name: Annotated[
        Name,
        about(
            "The job's name in plans, folders and tables; unique in the project, ignoring case. It "
            f"is not part of the work's identity: a job may be renamed while it runs. {NAME_RULE}. With "
            "`for_each` or `matrix` it contains [placeholders](#families).",
            "ticket-classes",
        ),
    ]
    endpoint: Annotated[
        Endpoint | UnsetType,
        about(
            "The API's endpoint that answers every request of the job.",
            "/v1/chat/completions",
            *(path for path in KNOWN_ENDPOINTS if "/chat/comp" not in path),
        ),
    ] = UNSET
    model: Annotated[
        ModelName | UnsetType,
        about("The model that answers. Either this or `agent_id`.", "mistral-small-2603"),
    ] = UNSET
    agent_id: Annotated[AgentId | UnsetType, about("The agent that answers, in place of a model.")] = UNSET
    input_files: Annotated[
        Paths | UnsetType,
        about(
            "The requests: JSONL files, as paths or globs (`*`, `?`, `[…]`, `**`) relative to this "
            "file, or ids of uploaded files. Either this, `requests` or `for_each`.",
            ["data/questions.jsonl"],
            ["data/2026-*/*.jsonl"],
        ),
    ] = UNSET
    requests: Annotated[
        Annotated[list[RequestFields], Meta(min_length=1)] | UnsetType,
        about(
            "The requests themselves, for small jobs. At most `limits.inline_requests`. More than 256 KiB are "
            "uploaded as a file.",
            [{"custom_id": "1", "body": {"input": "Bonjour"}}],
        ),
    ] = UNSET
    for_each: Annotated[
        ForEachFields | UnsetType, about("Makes one job for each file: see [families](#families).")
    ] = UNSET
    matrix: Annotated[
        MatrixFields | UnsetType,
        about("Makes one job for each combination of values: see [families](#families)."),
    ] = UNSET
    metadata: Annotated[
        dict[MetadataKey, MetadataText | int | float | bool],
        about(
            "Your own labels, written into the job. Values are stored as text, exactly as "
            "written: `1.10` stays `1.10`. A change submits nothing and takes effect with the next job.",
            {"team": "search"},
        ),
    ] = {}
    timeout_hours: Annotated[
        Hours,
        about(
            "Hours after which the API stops the job. A change submits nothing and takes effect "
            "with the next job."
        ),
    ] = 24
    rerun: Annotated[
        RerunText | int | PeriodFields | None,
        about(
            "Change it to submit the same work again. Absent, null and empty are the same; otherwise "
            "the text counts as written. With a mapping, the calendar changes it.",
            2,
            "2026-11",
            {"every": "week", "zone": "Europe/Paris"},
        ),
    ] = None
    suspend: Annotated[bool, about("If true, a running job is cancelled and no job is created.")] = False
    retry: Annotated[RetryFields, about("When failed work is submitted again automatically.")] = RetryFields()
    on_change: Annotated[
        OnChange,
        about(
            "What to do with a running job if the spec's work changes: `replace` cancels it once the "
            "new job is created, `finish` lets it end first."
        ),
    ] = "replace"
    on_remove: Annotated[
        OnRemove,
        about(
            "What to do with a running job if its spec is removed. With `for_each` the default is "
            "`keep`: rotating a file away cancels nothing."
        ),
    ] = "cancel"
    max_failed: Annotated[
        Share, about("Share of failed requests above which a succeeded job needs attention.")
    ] = 0.0
    adopt: Annotated[
        AdoptFields | UnsetType,
        about(
            "A job that was created without this tool and counts as this spec's job: see "
            "[adopting existing jobs](#adopting-existing-jobs)."
        ),
    ] = UNSET

    def __post_init__(self) -> None:
        """Check the rule that the types cannot express.

        Raises:
            ValueError: a group has no field, or more than one.
        """
        for own, varied in _GROUPS:
            held = [getattr(self, name) for name in own]
            if self.matrix is not UNSET:
                held += [getattr(self.matrix, name) for name in varied]
            if len(held) - held.count(UNSET) != 1:
                raise ValueError(f"exactly one of {', '.join(own)}")


_GROUPS: Final = [
    ([it for it in group if "." not in it], [it.partition(".")[2] for it in group if "." in it])
    for group in JobFields.EXACTLY_ONE
]
"""For each group: the fields of a spec, and those of its matrix."""


def optional_fields(title: str, without: Collection[str] = (), of: type[Struct] = JobFields) -> type[Struct]:
    """Return a model of the fields of another, by default a spec, except some, none required."""
    return defstruct(
        title,
        [(it.name, it.type, UNSET) for it in fields(of) if it.name not in without],
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
    )


def defaults_model() -> type[Struct]:
    """Return the model of a `_defaults.yaml`."""
    return optional_fields("DefaultsFields", _OWN)
