"""What a job asks of every line of its inputs, beyond being a request: its endpoint's own fields, and its one model.

A line without them is sure to be refused, hours later. Of a file, a few facts are enough to know that it meets them,
whichever jobs name it; only where it does not is it read again, to name the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from reconciler.specs.inputs.findings import Finding, Kind

REQUIRED: Final[Mapping[str, str]] = {
    "/v1/chat/classifications": "input",
    "/v1/chat/completions": "messages",
    "/v1/chat/moderations": "input",
    "/v1/classifications": "input",
    "/v1/conversations": "inputs",
    "/v1/embeddings": "input",
    "/v1/fim/completions": "prompt",
    "/v1/moderations": "input",
    "/v1/ocr": "document",
}
"""The field that the body of each endpoint must have. Source: `required` in the request schemas of Mistral's OpenAPI
description (ChatClassificationRequest, ChatCompletionRequest, ChatModerationRequest, ClassificationRequest,
ConversationRequest, EmbeddingRequest, FIMCompletionRequest, OCRRequest); a test holds it to the official SDK's. They
require `model` too, which the job names. AudioTranscriptionRequest requires nothing else."""

FIELDS: Final = frozenset(REQUIRED.values())


class Facts(Struct, frozen=True):
    """What is known of all lines of a file together."""

    everywhere: frozenset[str] = FIELDS
    """Those of `FIELDS` that the body of every line has."""
    models: frozenset[str] = frozenset()
    """The models that bodies name, a few of them where they are many; "" for one that is no text."""


NOTHING_KNOWN: Final = Facts()


class Demands(Struct, frozen=True):
    """What one job asks."""

    endpoint: str = ""
    model: str | None = None
    """None where the job names an agent, or nothing usable."""

    def met(self, facts: Facts) -> bool:
        """Tell whether a file with these facts meets them in every line."""
        field = REQUIRED.get(self.endpoint)
        return (field is None or field in facts.everywhere) and (
            self.model is None or facts.models <= {self.model}
        )

    def unmet(self, number: int, body: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield what a line lacks.

        Args:
            number: the line's.
            body: the request.
        """
        field, model = REQUIRED.get(self.endpoint), body.get("model")
        if field is not None and field not in body:
            yield Finding(Kind.LACKS, number, more=f": `{field}`, which {self.endpoint} requires")
        if self.model is not None and model is not None and model != self.model:
            yield Finding(Kind.OTHER_MODEL, number, more=f", `{self.model}`")
