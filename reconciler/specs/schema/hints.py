"""Hints for fields that are often written at another place, and for values that are often written in another form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.catalogue.bodies import BODIES, OTHER_NAMES
from reconciler.model import Checks
from reconciler.specs.period import meant
from reconciler.specs.schema.types import PLAIN

_HOURS: Final = re.compile(r"([0-9]{1,3}) ?(h|hours?|d|days?)")
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
NO_VARIABLES: Final = "specs have no variables: write the value, or a `matrix` of values"
_AS_MAPPING: Final = {
    "adopt": "{job: ID}",
    "canary": "{requests: 20}",
    "checks": "{failed: 0.02}",
    "for_each": "{files: [data/*.jsonl]}",
    "matrix": "{model: [mistral-small-2603, mistral-large-2512]}",
    "metadata": "{team: search}",
    "retry": "{max_attempts: 3}",
}
"""For each field that is a mapping, an example."""
_PLACEHOLDERS: Final = {
    **dict.fromkeys(("basename", "file", "filename", "file_name", "file_stem", "input"), ("stem", "name")),
    **dict.fromkeys(("directory", "dirname", "folder", "parent"), ("dir", "folder")),
}
"""Words that are not placeholders, the placeholder that was probably meant, and what of a file it is."""


MISPLACED_FIELD_HINTS: Final = {
    **dict.fromkeys(
        [*OTHER_NAMES, *(name for fields in BODIES.values() for name in fields)],
        "it is part of a request: write it into the `body` of each line",
    ),
    "completion_window": "write `timeout_hours`, in hours",
    **dict.fromkeys(
        ("cron", "interval", "schedule"),
        "write `rerun: {every: day}`; `apply` acts on it when CI runs it",
    ),
    **dict.fromkeys(
        ("limit", "sample", "sample_size"),
        "write `canary: {requests: 20}`, to submit some requests first",
    ),
}
"""Hints for fields that are often written at the top level of a spec by mistake."""


def placeholder_meant(template: str) -> str:
    """Return the hint for a placeholder that this tool calls otherwise, "" if there is none."""
    words = (_PLACEHOLDERS.get(word) for word in re.findall(r"\{([a-z_]+)\}", template))
    for placeholder, of_file in filter(None, words):
        return f"did you mean `{{{placeholder}}}`, the {of_file} of a file in a spec with `for_each`?"
    return ""


def hint_for(path: tuple[str | int, ...], value: Any) -> str:  # noqa: ANN401 - JSON
    """Return the hint for a wrong value, "" if there is no special one."""
    name = str(path[-1]) if path else ""
    if name in _AS_MAPPING and not isinstance(value, Mapping | None):
        return f"write a mapping: `{name}: {_AS_MAPPING[name]}`"
    if isinstance(value, str) and name in _OF_TEXT and (hint := _OF_TEXT[name](value)):
        return hint
    return _of_plain(name, value) if path == (name,) and name in PLAIN else ""


def _hours(text: str) -> str:
    found = _HOURS.fullmatch(text)
    unit = 24 if found and found[2].startswith("d") else 1
    return f"write `{int(found[1]) * unit}`: the number is in hours" if found else ""


def _share(text: str) -> str:
    found = _PERCENT.fullmatch(text)
    return f"write `{float(found[1]) / 100:g}`: it is a share" if found else ""


_OF_TEXT: Final[dict[str, Callable[[str], str]]] = {
    "every": lambda text: f"write `{meant(text)}`" if meant(text) else "",
    **dict.fromkeys(Checks.__struct_fields__, _share),
    "name": placeholder_meant,
    "timeout_hours": _hours,
}
"""For each field that is often written as another text, the hint for that text."""


def _of_plain(name: str, value: Any) -> str:  # noqa: ANN401 - JSON
    """Return the hint for a field with one plain value."""
    match value:
        case [_, *_] if all(isinstance(it, str | int | float) for it in value):
            return f"for one job per value, write `matrix: {{{name}: [{', '.join(map(str, value))}]}}`"
        case {**items} if items and all(it is None for it in items.values()):
            return NO_VARIABLES
        case str() if "{" in value:
            return NO_VARIABLES
        case _:
            return ""
