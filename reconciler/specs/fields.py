"""The one model of a spec document: which fields there are, of what type, and within what bounds.

`msgspec` accepts or refuses a document by it; the JSON Schema (for editors, and for telling every mistake of a
refused document) and the reference page are generated from it. Field names are the API's own where it has the
field. A field's description is its text in all three places; `errorMessage` and `x-hint` are what a person reads
who got it wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from reconciler.settings import END, NAME_PATTERN, NAME_RULE

KNOWN_ENDPOINTS: Final = (
    "/v1/audio/transcriptions",
    "/v1/chat/classifications",
    "/v1/chat/completions",
    "/v1/chat/moderations",
    "/v1/classifications",
    "/v1/conversations",
    "/v1/embeddings",
    "/v1/fim/completions",
    "/v1/moderations",
    "/v1/ocr",
)
"""The endpoints that the API documents for batches. More may come, so another one is a warning only."""

_BODY_FIELDS: Final = (
    *(
        "document",
        "frequency_penalty",
        "image_limit",
        "include_image_base64",
        "input",
        "inputs",
        "instructions",
    ),
    *("language", "max_tokens", "messages", "min_tokens", "n", "output_dimension", "output_dtype", "pages"),
    *("parallel_tool_calls", "prediction", "presence_penalty", "prompt", "prompt_mode", "random_seed"),
    *("reasoning_effort", "response_format", "safe_prompt", "seed", "stop", "store", "stream", "suffix"),
    *("temperature", "timestamp_granularities", "tool_choice", "tools", "top_p"),
)
MISPLACED: Final = {
    **dict.fromkeys(_BODY_FIELDS, "it is part of a request: write it into the `body` of each line"),
    "completion_window": "write `timeout_hours`, in hours",
}
"""Hints for names that people try at the top level of a spec."""


def _told(message: str, hint: str) -> dict[str, str]:
    return {"errorMessage": message, "x-hint": hint}


_WORD: Final = r"^[!-~]+" + END

ModelName = Annotated[
    str,
    Meta(
        pattern=_WORD,
        extra_json_schema=_told("not a model name", "one word, such as `mistral-small-latest`"),
    ),
]
AgentId = Annotated[
    str, Meta(pattern=_WORD, extra_json_schema=_told("not an agent's id", "one word, as the API shows it"))
]
Paths = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
MetadataKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=32,
        pattern=r"^(?!reconciler\.)",
        extra_json_schema=_told("reserved", "keys that begin with `reconciler.` are the tool's own"),
    ),
]
MetadataText = Annotated[str, Meta(min_length=1, max_length=512)]
RerunText = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^[ -~]*" + END,
        extra_json_schema=_told("not plain ASCII on one line", "use letters, digits and punctuation"),
    ),
]
RetryStatus = Literal["FAILED", "TIMEOUT_EXCEEDED"]


class RequestFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request that stands in the spec itself."""

    custom_id: Annotated[
        str,
        Meta(
            min_length=1,
            description="Names the request; its answer is found by it. Unique in the job.",
            examples=["ticket-17"],
        ),
    ]
    body: Annotated[
        dict[str, Any],
        Meta(description="The request, as the endpoint takes it. `model` may be left out."),
    ]


class RetryFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When failed work is bought again without anybody asking."""

    max_attempts: Annotated[int, Meta(ge=1, le=10, description="Jobs in all, the first among them.")] = 1
    on: Annotated[
        list[RetryStatus],
        Meta(
            min_length=1,
            description="The API's status after which another attempt is made.",
            extra_json_schema={"default": ["FAILED", "TIMEOUT_EXCEEDED"]},
        ),
    ] = field(default_factory=lambda: ["FAILED", "TIMEOUT_EXCEEDED"])


class JobFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spec: one job."""

    EXACTLY_ONE: ClassVar = (("model", "agent_id"), ("input_files", "requests"))
    """Of each pair a spec holds one field, never both and never none."""

    name: Annotated[
        str,
        Meta(
            pattern=NAME_PATTERN,
            description="Names the job in plans, folders and tables; unique in the project, ignoring case. It "
            f"is not part of the work's identity: a job may be renamed while it runs. {NAME_RULE}.",
            examples=["ticket-classes"],
            extra_json_schema=_told("not a name", NAME_RULE),
        ),
    ]
    endpoint: Annotated[
        str,
        Meta(
            pattern=r"^/v1/[!-~]+" + END,
            description="The API's endpoint that answers every request of the job.",
            examples=[
                "/v1/chat/completions",
                *(path for path in KNOWN_ENDPOINTS if "/chat/comp" not in path),
            ],
            extra_json_schema=_told("not an endpoint", "a path such as `/v1/chat/completions`"),
        ),
    ]
    model: Annotated[
        ModelName | UnsetType,
        Meta(
            description="The model that answers. Either this or `agent_id`.",
            examples=["mistral-small-latest"],
        ),
    ] = UNSET
    agent_id: Annotated[
        AgentId | UnsetType,
        Meta(description="The agent that answers, in place of a model."),
    ] = UNSET
    input_files: Annotated[
        Paths | UnsetType,
        Meta(
            description="Where the requests are: JSONL files, as paths or globs (`*`, `?`, `[…]`, `**`) "
            "relative to this file, or ids of files that were uploaded already. Either this or `requests`.",
            examples=[["data/questions.jsonl"], ["data/2026-*/*.jsonl"]],
        ),
    ] = UNSET
    requests: Annotated[
        Annotated[list[RequestFields], Meta(min_length=1)] | UnsetType,
        Meta(
            description="The requests themselves, for small jobs. At most `limits.inline_requests`.",
            examples=[[{"custom_id": "1", "body": {"input": "Bonjour"}}]],
        ),
    ] = UNSET
    metadata: Annotated[
        dict[MetadataKey, MetadataText | int | float | bool],
        Meta(
            description="Your own labels, written into the job. Values are stored as text, exactly as "
            "written: `1.10` stays `1.10`. A change buys nothing and takes effect with the next run.",
            examples=[{"team": "search"}],
        ),
    ] = {}
    timeout_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=168,
            description="Hours after which the API gives the job up. A change buys nothing and takes effect "
            "with the next run.",
        ),
    ] = 24
    rerun: Annotated[
        RerunText | int | None,
        Meta(
            description="Change it to buy the same work again. Absent, null and empty are one; otherwise "
            "the text counts as it is written.",
            examples=[2, "2026-11"],
        ),
    ] = None
    suspend: Annotated[
        bool, Meta(description="True cancels the job where it is running, and creates none.")
    ] = False
    retry: Annotated[
        RetryFields, Meta(description="When failed work is bought again without anybody asking.")
    ] = RetryFields()
    on_change: Annotated[
        Literal["replace", "finish"],
        Meta(
            description="What becomes of a running job when its work changes here: `replace` cancels it once "
            "the new job is created, `finish` lets it end first."
        ),
    ] = "replace"
    on_remove: Annotated[
        Literal["cancel", "keep"],
        Meta(description="What becomes of a running job when its spec is removed."),
    ] = "cancel"
    max_failed: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of failed requests above which a success needs attention."),
    ] = 0.0

    def __post_init__(self) -> None:
        """Hold the rule that the types cannot express.

        Raises:
            ValueError: both fields of a pair are there, or none.
        """
        for pair in self.EXACTLY_ONE:
            if sum(getattr(self, name) is not UNSET for name in pair) != 1:
                raise ValueError(f"exactly one of {' and '.join(pair)}")
