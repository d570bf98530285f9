"""The fields of request bodies, by endpoint, with their types: enough to find plain mistakes.

The types are the table. They follow the request schemas of Mistral's OpenAPI description of 2026-08-13
(`openapi-public-doc.yaml`), and are less strict: of the objects inside a body, only messages and response formats are
looked into. `mistakes` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct

_Count: TypeAlias = Annotated[int, Meta(ge=0)] | None
_Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)] | None
_Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=1.5)] | None
_TopP: TypeAlias = Annotated[float, Meta(gt=0, le=1)] | None
_Texts: TypeAlias = str | Annotated[list[str], Meta(min_length=1)]


class _Object(Struct):
    """Any object: its fields are not checked."""


_Objects: TypeAlias = list[_Object] | None


class NoStream:
    """The type of `stream`: false or null, since the answer of a batch is a file."""


class _Chunk(Struct):
    type: str = "text"


Role: TypeAlias = Literal["assistant", "system", "tool", "user"]
Format: TypeAlias = Literal["text", "json_object", "json_schema"]


class _Message(Struct):
    role: Role
    content: str | list[_Chunk] | None = None


_Messages: TypeAlias = Annotated[list[_Message], Meta(min_length=1)]


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


class Body(Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields of every body."""

    model: str | None = None


class _Completion(Body, kw_only=True):
    metadata: _Object | None = None
    temperature: _Temperature = None
    top_p: _TopP = None
    max_tokens: _Count = None
    stream: NoStream | None = None
    stop: str | list[str] | None = None
    random_seed: _Count = None
    prompt_cache_key: str | None = None


class Chat(_Completion, kw_only=True):
    """`/v1/chat/completions`."""

    messages: _Messages
    response_format: _ResponseFormat | None = None
    tools: _Objects = None
    tool_choice: str | _Object | None = None
    presence_penalty: _Penalty = None
    frequency_penalty: _Penalty = None
    n: Annotated[int, Meta(ge=1)] | None = None
    prediction: _Object | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    prompt_mode: str | None = None
    guardrails: _Objects = None
    service_tier: str | None = None
    safe_prompt: bool | None = None
    min_tokens: _Count = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    prompt_logprobs: bool | None = None
    top_prompt_logprobs: int | None = None


class Fim(_Completion, kw_only=True):
    """`/v1/fim/completions`."""

    prompt: str
    suffix: str | None = None
    min_tokens: _Count = None


class Embedding(Body, kw_only=True):
    """`/v1/embeddings`."""

    metadata: _Object | None = None
    input: _Texts
    output_dimension: Annotated[int, Meta(gt=0)] | None = None
    output_dtype: Literal["float", "int8", "uint8", "binary", "ubinary"] | None = None
    encoding_format: Literal["float", "base64"] | None = None


class Classification(Body, kw_only=True):
    """`/v1/moderations` and `/v1/classifications`."""

    metadata: _Object | None = None
    input: _Texts


class ChatClassification(Body, kw_only=True):
    """`/v1/chat/moderations` and `/v1/chat/classifications`: conversations."""

    input: _Object | Annotated[list[Any], Meta(min_length=1)]


class _Document(Struct):
    document_url: str | None = None
    image_url: str | _Object | None = None
    file_id: str | None = None

    def __post_init__(self) -> None:
        if not (self.document_url or self.image_url or self.file_id):
            raise ValueError("names none of `document_url`, `image_url` and `file_id`")


class Ocr(Body, kw_only=True):
    """`/v1/ocr`."""

    document: _Document
    pages: str | list[int] | None = None
    include_image_base64: bool | None = None
    image_limit: int | None = None
    image_min_size: int | None = None
    bbox_annotation_format: _ResponseFormat | None = None
    document_annotation_format: _ResponseFormat | None = None
    document_annotation_prompt: str | None = None
    table_format: Literal["markdown", "html"] | None = None
    extract_header: bool | None = None
    extract_footer: bool | None = None
    include_blocks: bool | None = None
    confidence_scores_granularity: Literal["word", "page", "block"] | None = None


class Conversation(Body, kw_only=True):
    """`/v1/conversations`."""

    metadata: _Object | None = None
    inputs: str | Annotated[list[_Object], Meta(min_length=1)]
    stream: NoStream | None = None
    store: bool | None = None
    handoff_execution: Literal["client", "server"] | None = None
    instructions: str | None = None
    tools: _Objects = None
    completion_args: _Object | None = None
    guardrails: _Objects = None
    name: str | None = None
    description: str | None = None
    agent_id: str | None = None
    agent_version: str | int | None = None


class Transcription(Body, kw_only=True):
    """`/v1/audio/transcriptions`."""

    file: _Object | None = None
    file_url: str | None = None
    file_id: str | None = None
    language: str | None = None
    temperature: float | None = None
    stream: NoStream | None = None
    diarize: bool | None = None
    speaker_references: _Object | None = None
    context_bias: list[str] | None = None
    timestamp_granularities: list[Literal["segment", "word"]] | None = None

    def __post_init__(self) -> None:
        if not (self.file or self.file_url or self.file_id):
            raise ValueError("names none of `file`, `file_url` and `file_id`")


ENDPOINTS: Final[Mapping[str, type[Body]]] = {
    "/v1/audio/transcriptions": Transcription,
    "/v1/chat/classifications": ChatClassification,
    "/v1/chat/completions": Chat,
    "/v1/chat/moderations": ChatClassification,
    "/v1/classifications": Classification,
    "/v1/conversations": Conversation,
    "/v1/embeddings": Embedding,
    "/v1/fim/completions": Fim,
    "/v1/moderations": Classification,
    "/v1/ocr": Ocr,
}
"""The type of the body of each endpoint."""

OTHER_NAMES: Final = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}
"""Names of fields in other providers' APIs, with the name here."""
