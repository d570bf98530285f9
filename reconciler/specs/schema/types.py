"""The types of a spec's fields, each with the message for a wrong value.

The classes at the end are fields that make several jobs of one spec: one per file, per combination of values, or per
period.

Annotations are values here, not texts: msgspec reads them in less time.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field

from reconciler.constraints import NAME_RULE, matching, such_as
from reconciler.settings import INPUT_BUCKET, INPUT_STEP

OF_FILES: Final = ("stem", "dir", "path")
"""The placeholders that `for_each` provides."""

_WORD: Final = r"^[!-#%-z|~]+"
"""No `$`, `{` and `}`: specs have no variables."""

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
TableName = Annotated[
    str, matching(r"^[a-z_][a-z0-9_]{0,62}", "not a table name", "a-z, 0-9 and `_`, such as `tickets`")
]
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
OnChange = Literal["auto", "replace", "finish"]
OnRemove = Literal["cancel", "keep"]

_DATABASE: Final = "its name in the tz database, such as `Europe/Paris`, or UTC"
_Zone = Annotated[
    str, matching(r"^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)", "not a time zone", _DATABASE)
]
Day = Annotated[str, matching(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}", "not a date", "write it as `2026-11-23`")]


_PLAIN_TYPES: Final[dict[str, Any]] = {
    "endpoint": Endpoint,
    "model": ModelName,
    "agent_id": AgentId,
    "timeout_hours": Hours,
    "rerun": RerunText | int,
    "suspend": bool,
    "on_change": OnChange,
    "prompt": Annotated[str, Meta(min_length=1)],
    "on_remove": OnRemove,
}
PLAIN: Final = tuple(_PLAIN_TYPES)
"""The fields with one plain value: a matrix can vary them, and `{field}` is their placeholder."""

_NAME_PART: Final = rf"(?:[a-z0-9._-]|\{{(?:{'|'.join((*OF_FILES, *PLAIN))})\}})"
Name = Annotated[str, matching(rf"^(?![._-]){_NAME_PART}{{1,100}}", "not a name", NAME_RULE)]
"""A name, or a template with placeholders; the filled name is checked against `NAME_PATTERN` later."""


def optional_fields(title: str, types: Mapping[str, Any]) -> type[Struct]:
    """Return a model of fields of which none is required, from the type of each."""
    defined = [(name, it, UNSET) for name, it in types.items()]
    return defstruct(title, defined, kw_only=True, frozen=True, forbid_unknown_fields=True)


class Grouped:
    """A model that holds exactly one field of each group, which its types cannot express."""

    __slots__ = ()
    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]]

    def __post_init__(self) -> None:
        """Raise `ValueError` if a group has no field, or more than one."""
        for group in self.EXACTLY_ONE:
            values = [
                getattr(getattr(self, outer), inner, UNSET) if inner else getattr(self, outer)
                for outer, inner in _steps(group)
            ]
            if len(values) - values.count(UNSET) != 1:
                raise ValueError(f"exactly one of {', '.join(group)}")


@cache
def _steps(group: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return a field and a field of it, such as `matrix` and `model`, for each name of a group; mostly "" for none."""
    return tuple((outer, inner) for outer, _, inner in (name.partition(".") for name in group))


InputUri = Annotated[
    str,
    matching(
        rf"^{INPUT_BUCKET}(?:{INPUT_STEP}){{1,64}}",
        "not the URI of an input",
        "s3, gs, az or https, such as `s3://lake/night.jsonl`; letters, digits and . _ = + , - only",
    ),
]
Sha256 = Annotated[
    str, matching(r"^[0-9a-f]{64}", "not a SHA-256", "64 of 0-9 and a-f, as `sha256sum` prints it")
]
_EXAMPLE_SHA256: Final = "0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f"


class ReferenceFields(Struct, Grouped, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input that is not in the checkout, by its URI and the SHA-256 of its content, or by a manifest of such."""

    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("uri", "manifest"),)

    uri: Annotated[InputUri | UnsetType, such_as("s3://lake/night.jsonl")] = UNSET
    """The place of the content, below one of `input_uris` in `reconciler.yaml`."""
    manifest: Annotated[Annotated[str, Meta(min_length=1)] | UnsetType, such_as("data/night.json")] = UNSET
    """In place of `uri`: a JSON file beside this one, with an object of the other fields here, or a list of them."""
    sha256: Annotated[Sha256 | UnsetType, such_as(_EXAMPLE_SHA256)] = UNSET
    """The SHA-256 of the content, which is its identity. `apply` refuses another content."""
    requests: Annotated[int, Meta(ge=1, le=1_000_000_000)] | UnsetType = UNSET
    """How many requests it has, so that a plan can say it."""
    bytes: Annotated[int, Meta(ge=1, le=100_000_000_000)] | UnsetType = UNSET
    """Its size."""


Entries = Annotated[list[Annotated[str, Meta(min_length=1)] | ReferenceFields], Meta(min_length=1)]
"""Paths, and inputs that are not in the checkout."""


class ForEachFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job for each file."""

    files: Annotated[Paths, such_as(["data/nightly/*.jsonl"])]
    """JSONL files, as paths or globs relative to this file. Each is the only input of one job. With `body`, each is
    a table."""


if TYPE_CHECKING:
    from msgspec import Struct as ExcludeFields
    from msgspec import Struct as Varied
else:
    ExcludeFields = optional_fields("ExcludeFields", _PLAIN_TYPES)
    """Values of a matrix; combinations with all of them are excluded."""
    Varied = optional_fields(
        "Varied", {name: Annotated[list[it], Meta(min_length=1)] for name, it in _PLAIN_TYPES.items()}
    )
    """For each field with one plain value, a list of values."""


class MatrixFields(Varied, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job for each combination of values."""

    exclude: Annotated[
        list[ExcludeFields], such_as([{"model": "mistral-large-2512", "endpoint": "/v1/ocr"}])
    ] = field(default_factory=list)
    """Combinations to exclude: each entry names values, and excludes the combinations that have all of them. An entry
    that excludes nothing is an error."""


class PeriodFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `rerun` whose value is the current period."""

    every: Annotated[Literal["day", "week", "month"], such_as("week")]
    """The period. `rerun` is then `2026-11-23`, `2026-W48` (ISO 8601, Monday first) or `2026-11`."""
    zone: Annotated[_Zone, such_as("Europe/Paris")] = "UTC"
    """The time zone of the calendar, by its name in the tz database."""
    start: Annotated[Day | UnsetType, such_as("2026-11-23")] = UNSET
    """The first day. Before it, no job of this name is created or cancelled."""
