"""The fields of request bodies, by endpoint, with their types: enough to find plain mistakes.

The tables follow the request schemas of Mistral's OpenAPI description of 2026-08-13 (`openapi-public-doc.yaml`), and
are less strict: of the objects inside a body, only messages, documents and response formats are looked into.
`mistakes` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

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

_COMPLETION: Final = (
    "model metadata temperature top_p max_tokens stream stop random_seed prompt_cache_key min_tokens"
)
_NAMES: Final[Mapping[str, str]] = {
    "/v1/audio/transcriptions": "model file file_url file_id language temperature stream diarize speaker_references"
    " context_bias timestamp_granularities",
    "/v1/chat/classifications": "model input!",
    "/v1/chat/completions": f"{_COMPLETION} messages! response_format tools tool_choice presence_penalty"
    " frequency_penalty n prediction parallel_tool_calls reasoning_effort prompt_mode guardrails service_tier"
    " safe_prompt top_k repetition_penalty logprobs top_logprobs prompt_logprobs top_prompt_logprobs",
    "/v1/chat/moderations": "model input!",
    "/v1/classifications": "model metadata input!",
    "/v1/conversations": "model metadata inputs! stream store handoff_execution instructions tools completion_args"
    " guardrails name description agent_id agent_version",
    "/v1/embeddings": "model metadata input! output_dimension output_dtype encoding_format",
    "/v1/fim/completions": f"{_COMPLETION} prompt! suffix",
    "/v1/moderations": "model metadata input!",
    "/v1/ocr": "model document! pages include_image_base64 image_limit image_min_size bbox_annotation_format"
    " document_annotation_format document_annotation_prompt table_format extract_header extract_footer"
    " include_blocks confidence_scores_granularity",
}
"""The fields of each endpoint's body; `!` marks the required one. A test compares them with the official SDK."""

REQUIRED: Final[Mapping[str, str]] = {
    endpoint: name[:-1] for endpoint, names in _NAMES.items() for name in names.split() if name.endswith("!")
}
"""The field that the body of each endpoint must have. All require `model` too, which the job names; transcriptions
require nothing else."""


def _type(endpoint: str, name: str) -> Type:
    wanted = _OTHER_TYPES.get((endpoint, name), _TYPES[name])
    return wanted if name == REQUIRED.get(endpoint) else wanted | None


BODIES: Final[Mapping[str, Mapping[str, Type]]] = {
    endpoint: {name: _type(endpoint, name) for name in names.replace("!", "").split()}
    for endpoint, names in _NAMES.items()
}
"""The fields of the body of each endpoint, with their types. A field that is not required may be null."""

KNOWN_ENDPOINTS: Final = tuple(BODIES)
"""The endpoints that the API documents for batches. The API may add more, so another one is only a warning."""

OTHER_NAMES: Final = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}
"""Names of fields in other providers' APIs, with the name here."""
