"""The types of a spec's fields, each with the message for a wrong value."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from reconciler.settings import END, NAME_RULE

PLAIN: Final = (
    *("endpoint", "model", "agent_id", "timeout_hours", "rerun"),
    *("suspend", "on_change", "on_remove", "max_failed"),
)
"""The fields with one plain value: a matrix can vary them, and `{field}` is their placeholder."""

OF_FILES: Final = ("stem", "dir", "path")
"""The placeholders that `for_each` provides."""

_NAME_PART: Final = rf"(?:[a-z0-9._-]|\{{(?:{'|'.join((*OF_FILES, *PLAIN))})\}})"


def schema_message(message: str, hint: str) -> dict[str, str]:
    """Return the message and the hint for a wrong value as keywords of a schema."""
    return {"errorMessage": message, "x-hint": hint}


_WORD: Final = r"^[!-~]+" + END

Name = Annotated[
    str,
    Meta(
        pattern=rf"^(?![._-]){_NAME_PART}{{1,100}}" + END,
        extra_json_schema=schema_message("not a name", NAME_RULE),
    ),
]
"""A name, or a template with placeholders; the filled name is checked against `NAME_PATTERN` later."""

Endpoint = Annotated[
    str,
    Meta(
        pattern=r"^/v1/[!-~]+" + END,
        extra_json_schema=schema_message("not an endpoint", "a path such as `/v1/chat/completions`"),
    ),
]
ModelName = Annotated[
    str,
    Meta(
        pattern=_WORD,
        extra_json_schema=schema_message("not a model name", "one word, such as `mistral-small-latest`"),
    ),
]
AgentId = Annotated[
    str,
    Meta(
        pattern=_WORD, extra_json_schema=schema_message("not an agent's id", "one word, as the API shows it")
    ),
]
JobId = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*" + END,
        extra_json_schema=schema_message(
            "not a job's id", "as `reconciler jobs list --all` shows it in JSON"
        ),
    ),
]
WorkDigest = Annotated[
    str,
    Meta(
        pattern=r"^v[1-9][0-9]{0,3}:[0-9a-f]{64}" + END,
        extra_json_schema=schema_message(
            "not a work digest", "remove the line; the next error shows the digest"
        ),
    ),
]
Paths = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
MetadataKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=32,
        pattern=r"^(?!reconciler\.)",
        extra_json_schema=schema_message("reserved", "keys that begin with `reconciler.` belong to the tool"),
    ),
]
MetadataText = Annotated[str, Meta(min_length=1, max_length=512)]
RerunText = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^[ -~]*" + END,
        extra_json_schema=schema_message(
            "not plain ASCII on one line", "use letters, digits and punctuation"
        ),
    ),
]
Hours = Annotated[int, Meta(ge=1, le=168)]
Share = Annotated[float, Meta(ge=0, le=1)]
OnChange = Literal["replace", "finish"]
OnRemove = Literal["cancel", "keep"]
