"""Text from outside, made safe to show.

Whatever we did not write ourselves (file names, spec text, the API's messages, names in tags) may hold characters
that move the cursor, colour the terminal or turn the reading direction around. Every renderer passes such text
through `clean` first.
"""

from __future__ import annotations

import re
from typing import Final

_BREAKS: Final = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1 controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the reading direction around
    "\u200b\u2060-\u2065\ufeff\U000e0000-\U000e007f"  # characters without a width or a meaning
    "\ud800-\udfff]"  # lone surrogates: no encoder takes them
)


def clean(text: str) -> str:
    """Return `text` on one line, without the characters that act on a terminal or hide."""
    if text.isprintable():
        return text
    return _UNSEEN.sub("", _BREAKS.sub(" ", text))
