"""The fields that make several jobs of one spec: one per file, per combination of values, or per period."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.settings import END
from reconciler.specs.schema.types import (
    AgentId,
    Endpoint,
    Hours,
    ModelName,
    OnChange,
    OnRemove,
    Paths,
    RerunText,
    Share,
    schema_message,
)

_SOME = Meta(min_length=1)


class ForEachFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job for each file."""

    files: Annotated[
        Paths,
        Meta(
            description="JSONL files, as paths or globs relative to this file. Each is the only input of one job.",
            examples=[["data/nightly/*.jsonl"]],
        ),
    ]


class ExcludeFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values of a matrix; combinations with all of them are excluded."""

    endpoint: Endpoint | UnsetType = UNSET
    model: ModelName | UnsetType = UNSET
    agent_id: AgentId | UnsetType = UNSET
    timeout_hours: Hours | UnsetType = UNSET
    rerun: RerunText | int | UnsetType = UNSET
    suspend: bool | UnsetType = UNSET
    on_change: OnChange | UnsetType = UNSET
    on_remove: OnRemove | UnsetType = UNSET
    max_failed: Share | UnsetType = UNSET


class MatrixFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job for each combination of values."""

    endpoint: Annotated[list[Endpoint], _SOME, Meta(description="Endpoints.")] | UnsetType = UNSET
    model: Annotated[list[ModelName], _SOME, Meta(description="Models.")] | UnsetType = UNSET
    agent_id: Annotated[list[AgentId], _SOME, Meta(description="Agents.")] | UnsetType = UNSET
    timeout_hours: Annotated[list[Hours], _SOME, Meta(description="Timeouts.")] | UnsetType = UNSET
    rerun: Annotated[list[RerunText | int], _SOME, Meta(description="Values of `rerun`.")] | UnsetType = UNSET
    suspend: Annotated[list[bool], _SOME, Meta(description="Values of `suspend`.")] | UnsetType = UNSET
    on_change: Annotated[list[OnChange], _SOME, Meta(description="Values of `on_change`.")] | UnsetType = (
        UNSET
    )
    on_remove: Annotated[list[OnRemove], _SOME, Meta(description="Values of `on_remove`.")] | UnsetType = (
        UNSET
    )
    max_failed: Annotated[list[Share], _SOME, Meta(description="Values of `max_failed`.")] | UnsetType = UNSET
    exclude: Annotated[
        list[ExcludeFields],
        Meta(
            description="Combinations to exclude: each entry names values, and excludes the combinations that have "
            "all of them. An entry that excludes nothing is an error.",
            examples=[[{"model": "mistral-large-latest", "endpoint": "/v1/ocr"}]],
        ),
    ] = []


class PeriodFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `rerun` whose value is the current period."""

    every: Annotated[
        Literal["day", "week", "month"],
        Meta(
            description="The period. `rerun` is then `2026-11-23`, `2026-W48` (ISO 8601, Monday first) or "
            "`2026-11`.",
            examples=["week"],
        ),
    ]
    zone: Annotated[
        str,
        Meta(
            pattern=r"^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)" + END,
            description="The time zone of the calendar, by its name in the tz database.",
            examples=["Europe/Paris"],
            extra_json_schema=schema_message(
                "not a time zone", "its name in the tz database, such as `Europe/Paris`, or UTC"
            ),
        ),
    ] = "UTC"
    start: Annotated[
        Annotated[
            str,
            Meta(
                pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}" + END,
                extra_json_schema=schema_message("not a date", "write it as `2026-11-23`"),
            ),
        ]
        | UnsetType,
        Meta(
            description="The first day. Before it, no job of this name is created or cancelled.",
            examples=["2026-11-23"],
        ),
    ] = UNSET
