"""The types of a spec's fields, each with the message for a wrong value."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from reconciler.constraints import NAME_RULE, matching

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
