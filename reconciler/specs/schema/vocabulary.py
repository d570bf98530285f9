"""Known names in a spec: the API's endpoints, and fields that belong elsewhere."""

from __future__ import annotations

from typing import Final

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
"""The endpoints that the API documents for batches. The API may add more, so another one is only a warning."""

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
MISPLACED_FIELD_HINTS: Final = {
    **dict.fromkeys(_BODY_FIELDS, "it is part of a request: write it into the `body` of each line"),
    "completion_window": "write `timeout_hours`, in hours",
    **dict.fromkeys(
        ("cron", "interval", "schedule"),
        "write `rerun: {every: day}`; `apply` acts on it when CI runs it",
    ),
    **dict.fromkeys(
        ("limit", "sample", "sample_size"),
        "to try some requests first, submit them as a job with a file of their own",
    ),
}
"""Hints for fields that are often written at the top level of a spec by mistake."""
