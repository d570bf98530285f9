"""Words in inline requests that YAML 1.1 reads as other than text: `yes`, `on`, `1_000`.

They are text here, and the API would get them as text. Fields that hold text are left out: there, they are meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from yaml import ScalarEvent

from reconciler.errors import Problem
from reconciler.specs.yaml.tree import Document, Fields, Node, Path, dotted

_TRUE: Final = frozenset({"yes", "on"})
_WORDS: Final = re.compile(r"yes|no|on|off|[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9]*)?", re.IGNORECASE)
_ANY: Final = re.compile(rf"[:,\[\-]\s*(?:{_WORDS.pattern})\s*(?:[,\]}}#]|$)", re.IGNORECASE | re.MULTILINE)
"""What a text must contain to hold such a word: most do not."""
_TEXT_FIELDS: Final = frozenset(
    (
        *(
            "arguments",
            "const",
            "content",
            "custom_id",
            "default",
            "description",
            "document_url",
            "enum",
            "examples",
        ),
        *(
            "id",
            "image_url",
            "input",
            "inputs",
            "instructions",
            "language",
            "name",
            "prompt",
            "required",
            "role",
        ),
        *("stop", "suffix", "text", "title", "type", "url"),
    )
)


def warnings(document: Document) -> Iterator[Problem]:
    """Yield a warning for each such word in the bodies of inline requests."""
    node = document.find(("requests",))
    if node is None or not _ANY.search(document.source.text):
        return
    for path, word in _plain_words(("requests",), node):
        value = word.lower().replace("_", "")
        fix = f"`{value}`" if value[-1].isdigit() else "`true`" if value in _TRUE else "`false`"
        message = f"{dotted(path)}: this word is text in YAML 1.2, and is sent as text"
        yield document.problem(path, message, f"write {fix}, or quote it if it is text", warning=True)


def _plain_words(path: Path, node: Node) -> Iterator[tuple[Path, str]]:
    waiting: list[tuple[Path, Node]] = [(path, node)]
    while waiting:
        here, item = waiting.pop()
        if isinstance(item, ScalarEvent):
            if not item.style and item.implicit[0] and _WORDS.fullmatch(item.value):
                yield here, item.value
        elif isinstance(item, Fields):
            parts = ((key, part) for key, (_, part) in item.parts.items() if not _holds_text(key, part))
            waiting += (((*here, key), part) for key, part in parts)
        else:
            waiting += (((*here, at), part) for at, part in enumerate(item.parts))


def _holds_text(key: str, node: Node) -> bool:
    """Whether a field is one of text: a text, or a list of texts."""
    return key in _TEXT_FIELDS and (isinstance(node, ScalarEvent) or not isinstance(node, Fields))
