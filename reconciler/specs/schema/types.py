"""The types of a spec's fields, each with the message for a wrong value.

The classes at the end are fields that make several jobs of one spec: one per file, per combination of values, or per
period.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.constraints import NAME_RULE, about, matching

PLAIN: Final = (
    *("endpoint", "model", "agent_id", "timeout_hours", "rerun"),
    *("suspend", "on_change", "on_remove", "max_failed"),
)
"""The fields with one plain value: a matrix can vary them, and `{field}` is their placeholder."""

OF_FILES: Final = ("stem", "dir", "path")
"""The placeholders that `for_each` provides."""

_NAME_PART: Final = rf"(?:[a-z0-9._-]|\{{(?:{'|'.join((*OF_FILES, *PLAIN))})\}})"


_WORD: Final = r"^[!-#%-z|~]+"
"""No `$`, `{` and `}`: specs have no variables."""

Name = Annotated[str, matching(rf"^(?![._-]){_NAME_PART}{{1,100}}", "not a name", NAME_RULE)]
"""A name, or a template with placeholders; the filled name is checked against `NAME_PATTERN` later."""

Endpoint = Annotated[
    str, matching(r"^/v1/[!-#%-z|~]+", "not an endpoint", "a path such as `/v1/chat/completions`")
]
ModelName = Annotated[str, matching(_WORD, "not a model name", "one word, such as `mistral-small-2603`")]
AgentId = Annotated[str, matching(_WORD, "not an agent's id", "one word, as the API shows it")]
JobId = Annotated[
    Annotated[str, Meta(max_length=100)],
    matching(
        r"^[A-Za-z0-9][A-Za-z0-9_-]*", "not a job's id", "as `reconciler jobs list --all` shows it in JSON"
    ),
]
_REMOVE: Final = "remove the line; the next error shows the digest"
WorkDigest = Annotated[str, matching(r"^v[1-9][0-9]{0,3}:[0-9a-f]{64}", "not a work digest", _REMOVE)]
Paths = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
MetadataKey = Annotated[
    Annotated[str, Meta(min_length=1, max_length=32)],
    matching(
        r"^(?!reconciler\.)", "reserved", "keys that begin with `reconciler.` belong to the tool", end=""
    ),
]
MetadataText = Annotated[str, Meta(min_length=1, max_length=512)]
RerunText = Annotated[
    Annotated[str, Meta(max_length=64)],
    matching(r"^[ -~]*", "not plain ASCII on one line", "use letters, digits and punctuation"),
]
Hours = Annotated[int, Meta(ge=1, le=168)]
Share = Annotated[float, Meta(ge=0, le=1)]
OnChange = Literal["replace", "finish"]
OnRemove = Literal["cancel", "keep"]

_SOME = Meta(min_length=1)
_DATABASE: Final = "its name in the tz database, such as `Europe/Paris`, or UTC"
_Zone = Annotated[
    str, matching(r"^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)", "not a time zone", _DATABASE)
]
_Day = Annotated[str, matching(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}", "not a date", "write it as `2026-11-23`")]


class ForEachFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job for each file."""

    files: Annotated[
        Paths,
        about(
            "JSONL files, as paths or globs relative to this file. Each is the only input of one job.",
            ["data/nightly/*.jsonl"],
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

    endpoint: Annotated[list[Endpoint], _SOME, about("Endpoints.")] | UnsetType = UNSET
    model: Annotated[list[ModelName], _SOME, about("Models.")] | UnsetType = UNSET
    agent_id: Annotated[list[AgentId], _SOME, about("Agents.")] | UnsetType = UNSET
    timeout_hours: Annotated[list[Hours], _SOME, about("Timeouts.")] | UnsetType = UNSET
    rerun: Annotated[list[RerunText | int], _SOME, about("Values of `rerun`.")] | UnsetType = UNSET
    suspend: Annotated[list[bool], _SOME, about("Values of `suspend`.")] | UnsetType = UNSET
    on_change: Annotated[list[OnChange], _SOME, about("Values of `on_change`.")] | UnsetType = UNSET
    on_remove: Annotated[list[OnRemove], _SOME, about("Values of `on_remove`.")] | UnsetType = UNSET
    max_failed: Annotated[list[Share], _SOME, about("Values of `max_failed`.")] | UnsetType = UNSET
    exclude: Annotated[
        list[ExcludeFields],
        about(
            "Combinations to exclude: each entry names values, and excludes the combinations that have "
            "all of them. An entry that excludes nothing is an error.",
            [{"model": "mistral-large-2512", "endpoint": "/v1/ocr"}],
        ),
    ] = []


class PeriodFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `rerun` whose value is the current period."""

    every: Annotated[
        Literal["day", "week", "month"],
        about(
            "The period. `rerun` is then `2026-11-23`, `2026-W48` (ISO 8601, Monday first) or `2026-11`.",
            "week",
        ),
    ]
    zone: Annotated[
        _Zone, about("The time zone of the calendar, by its name in the tz database.", "Europe/Paris")
    ] = "UTC"
    start: Annotated[
        _Day | UnsetType,
        about("The first day. Before it, no job of this name is created or cancelled.", "2026-11-23"),
    ] = UNSET
