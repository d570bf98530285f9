"""Read an answer's body: what it used, the model that it names, its texts, and whether it was cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reconciler.requests.answers import DECODE_ERRORS

CUT_OFF: Final = "length"
"""The `finish_reason` of an answer that reached the maximum of tokens."""
MAX_MODELS: Final = 100
"""Different models that are counted."""

MAX_USED: Final = 10**9
"""Larger numbers of one answer are invalid, so that results and the ledger can hold the sums and their squares."""
_Natural = Annotated[int, msgspec.Meta(ge=0, le=MAX_USED)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_USED)]


class _Details(msgspec.Struct, gc=False):
    cached_tokens: _Natural = 0


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Natural = 0
    completion_tokens: _Natural = 0
    total_tokens: _Natural | None = None
    prompt_tokens_details: _Details | None = None
    prompt_audio_seconds: _Seconds | None = None


class _Pages(msgspec.Struct, gc=False):
    pages_processed: _Natural = 0


class _Message(msgspec.Struct, frozen=True, gc=False):
    content: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message = _Message()
    finish_reason: Any = None


class _Image(msgspec.Struct, gc=False):
    image_annotation: Any = None


class _Page(msgspec.Struct, gc=False):
    markdown: Any = None
    images: list[_Image] | None = None


class Contents(msgspec.Struct, gc=False):
    """The parts of a body that are counted and checked."""

    usage: _Usage | None = None
    usage_info: _Pages | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    pages: list[_Page] | None = None
    """Of OCR."""
    text: Any = None
    """Of a transcription."""
    document_annotation: Any = None
    """Of OCR."""

    @property
    def truncated(self) -> bool:
        """Whether the answer reached the maximum of tokens."""
        return any(choice.finish_reason == CUT_OFF for choice in self.choices or ())

    @property
    def annotated(self) -> bool:
        """Whether an answer of OCR has annotations, which cost more."""
        images = (image for page in self.pages or () for image in page.images or ())
        return bool(self.document_annotation) or any(image.image_annotation for image in images)

    def texts(self) -> Iterator[str | None]:
        """Yield the text of every choice; None if it has none, such as a call of a tool."""
        for choice in self.choices or ():
            content = choice.message.content
            if isinstance(content, list):
                parts = [part.get("text") for part in content if isinstance(part, dict)]
                content = "".join(part for part in parts if isinstance(part, str))
            yield content if isinstance(content, str) else None

    @property
    def main_text(self) -> str | None:
        """The text of the first choice, of all pages, or of a transcription; None if there is none."""
        if self.pages is not None:
            return "\n\n".join(page.markdown for page in self.pages if isinstance(page.markdown, str))
        return self.text if isinstance(self.text, str) else next(self.texts(), None)


_decode: Final = msgspec.json.Decoder(Contents).decode


def read_contents(body: bytes) -> tuple[Contents, bool]:
    """Return the parts of a body that are valid, and whether a number of its usage is not."""
    try:
        return _decode(body), False
    except DECODE_ERRORS:
        pass
    try:
        value = msgspec.json.decode(body)
    except DECODE_ERRORS:
        return Contents(), False
    if not isinstance(value, dict):
        return Contents(), False
    usage, invalid = _valid(value.pop("usage", None), _Usage)
    pages, more = _valid(value.pop("usage_info", None), _Pages)
    found, _ = _valid(value, Contents)
    found = found or Contents()
    return replace(found, usage=usage, usage_info=pages), invalid or more


def _valid(value: Any, kind: type[Any]) -> tuple[Any, bool]:  # noqa: ANN401 - any JSON
    """Return the valid fields of a struct, None if there are none, and whether any is invalid."""
    if not isinstance(value, dict):
        return None, value is not None
    given = {name: value[name] for name in kind.__struct_fields__ if name in value}
    valid = {name: each for name, each in given.items() if _converts({name: each}, kind)}
    return (msgspec.convert(valid, kind) if valid else None), len(valid) < len(given)


def _converts(value: dict[str, Any], kind: type[Any]) -> bool:
    try:
        msgspec.convert(value, kind)
    except DECODE_ERRORS:
        return False
    return True


class Usage(Struct):
    """Sums over answers."""

    prompt: int = 0
    completion: int = 0
    total: int = 0
    cached: int = 0
    """Of the prompt tokens, those that the provider had cached."""
    pages: int = 0
    """Pages of documents."""
    annotated: int = 0
    """Of the pages, those of answers with annotations."""
    audio_seconds: float = 0.0
    answers: int = 0
    """Answers that report their usage."""
    incomplete: int = 0
    """Answers with a usage that lacks a number or has an invalid one, so that the sums are a lower bound."""
    prompt_squares: float = 0.0
    """Divided by the bytes of the request lines: longer lines vary more."""
    completion_squares: float = 0.0
    pages_squares: float = 0.0
    audio_squares: float = 0.0
    bytes: int = 0
    """Bytes of the request lines of the answers that report their usage."""
    models: Counter[str] = msgspec.field(default_factory=Counter)
    """Answers by the model that their bodies name; at most `MAX_MODELS` of them."""

    def add(self, contents: Contents, *, invalid: bool, size: int = 0) -> None:
        """Add what an answer used; `size` is the number of bytes of its request line."""
        usage, pages, model = contents.usage, contents.usage_info, contents.model
        self.incomplete += invalid
        reports = usage is not None or pages is not None
        self.answers += reports
        self.bytes += size if reports else 0
        if usage is not None:
            self.prompt += usage.prompt_tokens
            self.completion += usage.completion_tokens
            self.prompt_squares += usage.prompt_tokens**2 / (size or 1)
            self.completion_squares += usage.completion_tokens**2
            total = usage.total_tokens
            self.total += usage.prompt_tokens + usage.completion_tokens if total is None else total
            if usage.prompt_tokens_details is not None:
                self.cached += usage.prompt_tokens_details.cached_tokens
            seconds = usage.prompt_audio_seconds or 0
            self.audio_seconds += seconds
            self.audio_squares += seconds**2
        if pages is not None:
            self.pages += pages.pages_processed
            self.annotated += pages.pages_processed if contents.annotated else 0
            self.pages_squares += pages.pages_processed**2
        if model is not None and (model in self.models or len(self.models) < MAX_MODELS):
            self.models[model] += 1
