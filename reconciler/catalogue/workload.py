"""What requests may use, as far as their bodies tell it: the most tokens out or pages, and what bounds the tokens in.

A token has at least one byte, so a text has at most as many tokens as bytes. The tokens that a chat template adds, a
few for each message, are fewer than the bytes of JSON around the message: `{"role":"user","content":""},`. This does
not hold for images, documents and recordings, which the model turns into tokens of its own, or for fields that add
text, such as `tools`, `safe_prompt` and `prompt_mode`. A field that is not listed here may be one of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from msgspec import Struct

from reconciler.model.money import Workload

Body: TypeAlias = Mapping[str, Any]

_PLAIN: Final = frozenset(
    {"frequency_penalty", "input", "max_tokens", "messages", "metadata", "min_tokens", "model", "n"}
    | {
        "parallel_tool_calls",
        "presence_penalty",
        "prompt",
        "random_seed",
        "reasoning_effort",
        "response_format",
    }
    | {"stop", "stream", "suffix", "temperature", "top_p"}
)
"""Fields that add no tokens beyond their bytes."""
_TEXTS: Final = frozenset({"text", "thinking", "reference"})
"""Types of the chunks of a message that are text."""
_ANNOTATIONS: Final = frozenset({"bbox_annotation_format", "document_annotation_format"})
_BOUNDED: Final = frozenset({"document", "max_tokens", "n"})
"""Fields that say how much an answer may be."""
_PAGES: Final = re.compile(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?")
_messages: Final = itemgetter("messages")
_max_tokens: Final = itemgetter("max_tokens")
DYNAMIC: Final = frozenset({"max_tokens", "n", "pages", "type"})
"""The fields whose values matter here. Of all others, it matters whether they are there."""


class Load(Struct):
    """Adds up what requests may use; `Workload` has the meaning of the fields."""

    output: int = 0
    largest_output: int = 0
    without_maximum: int = 0
    largest_n: int = 1
    linked: int = 0
    annotated: int = 0

    def add(self, bodies: Sequence[Body], *, one_list_each: bool = False) -> tuple[set[str], bool]:
        """Add the bodies of some requests. Return the names of their fields, and whether all have plain messages.

        `one_list_each` says that the lines have as many lists as there are lines. Then, if each has a list of messages,
        no message has one, and so none has an image: that is quicker to find out for short lines.
        """
        names: set[str] = set().union(*bodies)
        if names.isdisjoint(_BOUNDED):
            self.without_maximum += len(bodies)
        elif "n" in names or "document" in names or not self._add_maxima(bodies):
            for body in bodies:
                self._add_bound(body)
        texts = "messages" in names and (_have_messages if one_list_each else _have_texts)(bodies)
        if not names <= _PLAIN or ("messages" in names and not texts):
            self.linked += sum(map(_is_linked, bodies))
            self.annotated += sum(not _ANNOTATIONS.isdisjoint(body) for body in bodies)
        return names, texts

    def merge(self, other: Load, *, times: int = 1) -> None:
        """Add what other requests may use, each of them `times`."""
        self.output += other.output * times
        self.largest_output = max(self.largest_output, other.largest_output)
        self.without_maximum += other.without_maximum * times
        self.largest_n = max(self.largest_n, other.largest_n)
        self.linked += other.linked * times
        self.annotated += other.annotated * times

    def workload(self, *, requests: int, size: int, longest: int) -> Workload:
        """Return the sums; `size` is the number of bytes of all lines, and `longest` that of the longest one."""
        return Workload(
            requests=requests,
            bytes=size,
            longest=longest,
            **{name: getattr(self, name) for name in self.__struct_fields__},
        )

    def _add_maxima(self, bodies: Sequence[Body]) -> bool:
        """Add `max_tokens` of some bodies; False if one has no valid one."""
        try:
            found = set(map(_max_tokens, bodies))
        except (KeyError, TypeError):  # it is not there, or a list
            return False
        if set(map(type, found)) != {int} or min(found) <= 0:
            return False
        self.output += sum(map(_max_tokens, bodies)) if len(found) > 1 else len(bodies) * min(found)
        self.largest_output = max(self.largest_output, *found)
        return True

    def _add_bound(self, body: Body) -> None:
        number = _natural(body.get("n")) or 1
        of_one = pages(body.get("pages")) if "document" in body else _natural(body.get("max_tokens"))
        self.largest_n = max(self.largest_n, number)
        self.without_maximum += 0 if of_one else number
        self.output += of_one * number
        self.largest_output = max(self.largest_output, of_one * number)


def load_of(lines: Iterable[Body]) -> Load:
    """Return what some requests may use."""
    load = Load()
    load.add([*lines])
    return load


def pages(value: Any) -> int:  # noqa: ANN401 - any JSON
    """Return the most pages that `pages` names: a list, or `0,2-5`; 0 if it bounds none."""
    if isinstance(value, list):
        return len(value)
    if not isinstance(value, str):
        return 0
    found = [_PAGES.fullmatch(part) for part in value.split(",")]
    if None in found:
        return 0
    spans = [(int(it[1]), int(it[2] or it[1])) for it in found if it]
    return sum(max(0, last - first + 1) for first, last in spans)


def _natural(value: Any) -> int:  # noqa: ANN401 - any JSON
    return value if type(value) is int and value > 0 else 0


def _have_messages(bodies: Sequence[Body]) -> bool:
    try:
        return set(map(type, map(_messages, bodies))) == {list}
    except KeyError:
        return False


def _have_texts(bodies: Sequence[Body]) -> bool:
    """Return whether each message is one text. If not, `_is_linked` looks closer."""
    try:
        for body in bodies:
            for message in body["messages"]:
                if type(message["content"]) is not str:
                    return False
    except (KeyError, TypeError):
        return False
    return True


def _is_linked(body: Body) -> bool:
    if not body.keys() <= _PLAIN:
        return True
    messages = body.get("messages")
    return messages is not None and not (isinstance(messages, list) and all(map(_is_text, messages)))


def _is_text(message: Any) -> bool:  # noqa: ANN401 - any JSON
    content = message.get("content") if isinstance(message, dict) else message
    if isinstance(content, list):
        return all(isinstance(it, dict) and it.get("type", "text") in _TEXTS for it in content)
    return content is None or isinstance(content, str)
