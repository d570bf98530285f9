"""The types that the fields of a spec are made of, each with what a person reads who got it wrong."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from reconciler.settings import END, NAME_RULE

PLAIN: Final = (
    *("endpoint", "model", "agent_id", "timeout_hours", "rerun"),
    *("suspend", "on_change", "on_remove", "max_failed"),
)
"""The fields that hold one plain value: a matrix varies them, and `{field}` stands for their value."""

OF_FILES: Final = ("stem", "dir", "path")
"""What `for_each` gives names and metadata."""

_NAME_PART: Final = rf"(?:[a-z0-9._-]|\{{(?:{'|'.join((*OF_FILES, *PLAIN))})\}})"


def told(message: str, hint: str) -> dict[str, str]:
    """Return what is said, and the next step, as a schema holds them."""
    return {"errorMessage": message, "x-hint": hint}


_WORD: Final = r"^[!-~]+" + END

Name = Annotated[
    str,
    Meta(
        pattern=rf"^(?![._-]){_NAME_PART}{{1,100}}" + END,
        extra_json_schema=told("not a name", NAME_RULE),
    ),
]
"""A name, or one with placeholders; how long and of what it is once they are filled is checked then."""

Endpoint = Annotated[
    str,
    Meta(
        pattern=r"^/v1/[!-~]+" + END,
        extra_json_schema=told("not an endpoint", "a path such as `/v1/chat/completions`"),
    ),
]
ModelName = Annotated[
    str,
    Meta(
        pattern=_WORD,
        extra_json_schema=told("not a model name", "one word, such as `mistral-small-latest`"),
    ),
]
AgentId = Annotated[
    str, Meta(pattern=_WORD, extra_json_schema=told("not an agent's id", "one word, as the API shows it"))
]
JobId = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*" + END,
        extra_json_schema=told("not a job's id", "as `reconciler jobs list --all` shows it in JSON"),
    ),
]
WorkDigest = Annotated[
    str,
    Meta(
        pattern=r"^v[1-9][0-9]{0,3}:[0-9a-f]{64}" + END,
        extra_json_schema=told("not a work digest", "leave it out, and the problem tells it"),
    ),
]
Paths = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
MetadataKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=32,
        pattern=r"^(?!reconciler\.)",
        extra_json_schema=told("reserved", "keys that begin with `reconciler.` are the tool's own"),
    ),
]
MetadataText = Annotated[str, Meta(min_length=1, max_length=512)]
RerunText = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^[ -~]*" + END,
        extra_json_schema=told("not plain ASCII on one line", "use letters, digits and punctuation"),
    ),
]
Hours = Annotated[int, Meta(ge=1, le=168)]
Share = Annotated[float, Meta(ge=0, le=1)]
OnChange = Literal["replace", "finish"]
OnRemove = Literal["cancel", "keep"]
