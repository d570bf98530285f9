"""The fields of request bodies, by endpoint, with their types: enough to find plain mistakes.

The tables follow the request schemas of Mistral's OpenAPI description of 2026-08-13 (`openapi-public-doc.yaml`), and
are less strict: of the objects inside a body, only messages, documents and response formats are looked into.
`mistakes` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

Type: TypeAlias = Any
"""A type that msgspec understands."""


class _Object(Struct):
    """Any object: its fields are not checked."""


class NoStream:
    """The type of `stream`: false or null, since the answer of a batch is a file."""


class _Chunk(Struct):
    type: str = "text"


Role: TypeAlias = Literal["assistant", "system", "tool", "user"]
Format: TypeAlias = Literal["text", "json_object", "json_schema"]


class _Message(Struct):
    role: Role
    content: str | list[_Chunk] | None = None


class _JsonSchema(Struct):
    name: str
    schema: _Object
    strict: bool | None = None


class _ResponseFormat(Struct):
    type: Format = "text"
    json_schema: _JsonSchema | None = None

    def __post_init__(self) -> None:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("lacks `json_schema`, which its type requires")


class _Document(Struct):
    document_url: str | None = None
    image_url: str | _Object | None = None
    file_id: str | None = None

    def __post_init__(self) -> None:
        if not (self.document_url or self.image_url or self.file_id):
            raise ValueError("names none of `document_url`, `image_url` and `file_id`")


_NAMES_BY_TYPE: Final[tuple[tuple[Type, str], ...]] = (
    (Annotated[list[_Message], Meta(min_length=1)], "messages"),
    (_Document, "document"),
    (str | Annotated[list[str], Meta(min_length=1)], "input"),
    (str | Annotated[list[_Object], Meta(min_length=1)], "inputs"),
    (_ResponseFormat, "bbox_annotation_format document_annotation_format response_format"),
    (NoStream, "stream"),
    (Annotated[float, Meta(ge=0, le=1.5)], "temperature"),
    (Annotated[float, Meta(gt=0, le=1)], "top_p"),
    (Annotated[float, Meta(ge=-2, le=2)], "frequency_penalty presence_penalty"),
    (float, "repetition_penalty"),
    (Annotated[int, Meta(ge=0)], "max_tokens min_tokens random_seed"),
    (Annotated[int, Meta(ge=1)], "n output_dimension"),
    (int, "image_limit image_min_size top_k top_logprobs top_prompt_logprobs"),
    (bool, "diarize extract_footer extract_header include_blocks include_image_base64 logprobs"),
    (bool, "parallel_tool_calls prompt_logprobs safe_prompt store"),
    (str, "agent_id description document_annotation_prompt file_id file_url instructions language model"),
    (str, "name prompt prompt_cache_key prompt_mode service_tier suffix"),
    (_Object, "completion_args file metadata prediction speaker_references"),
    (list[_Object], "guardrails tools"),
    (list[str], "context_bias"),
    (str | int, "agent_version"),
    (str | list[int], "pages"),
    (str | list[str], "stop"),
    (str | _Object, "tool_choice"),
    (Literal["word", "page", "block"], "confidence_scores_granularity"),
    (Literal["float", "base64"], "encoding_format"),
    (Literal["client", "server"], "handoff_execution"),
    (Literal["float", "int8", "uint8", "binary", "ubinary"], "output_dtype"),
    (Literal["none", "minimal", "low", "medium", "high", "xhigh"], "reasoning_effort"),
    (Literal["markdown", "html"], "table_format"),
    (list[Literal["segment", "word"]], "timestamp_granularities"),
)
_TYPES: Final = {name: wanted for wanted, names in _NAMES_BY_TYPE for name in names.split()}
_CONVERSATIONS: Final[Type] = _Object | Annotated[list[Any], Meta(min_length=1)]
_OTHER_TYPES: Final[Mapping[tuple[str, str], Type]] = {
    ("/v1/audio/transcriptions", "temperature"): float,
    ("/v1/chat/classifications", "input"): _CONVERSATIONS,
    ("/v1/chat/moderations", "input"): _CONVERSATIONS,
}
"""The types of fields that differ in one endpoint."""


class _Endpoint(Struct, frozen=True):
    """The body of one endpoint, as `endpoints.json` describes it. A test compares it with the official SDK."""

    fields: tuple[str, ...]
    required: str | None = None


_ENDPOINTS: Final = msgspec.json.decode(
    Path(__file__).with_name("endpoints.json").read_bytes(), type=dict[str, _Endpoint]
)
REQUIRED: Final[Mapping[str, str]] = {name: it.required for name, it in _ENDPOINTS.items() if it.required}
"""The field that the body of each endpoint must have. All require `model` too, which the job names; transcriptions
require nothing else."""


def _type(endpoint: str, name: str) -> Type:
    wanted = _OTHER_TYPES.get((endpoint, name), _TYPES[name])
    return wanted if name == REQUIRED.get(endpoint) else wanted | None


BODIES: Final[Mapping[str, Mapping[str, Type]]] = {
    endpoint: {name: _type(endpoint, name) for name in it.fields} for endpoint, it in _ENDPOINTS.items()
}
"""The fields of the body of each endpoint, with their types. A field that is not required may be null."""

KNOWN_ENDPOINTS: Final = tuple(BODIES)
"""The endpoints that the API documents for batches. The API may add more, so another one is only a warning."""

OTHER_NAMES: Final = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}
"""Names of fields in other providers' APIs, with the name here."""
