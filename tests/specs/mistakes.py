"""More than sixty mistakes, each in an otherwise valid spec, with the message that the tool must print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.specs.make import LINE, spec


@dataclass(frozen=True)
class Mistake:
    """A spec with one mistake."""

    text: str | bytes
    where: str
    """`line:column` in the spec, `…` standing for its path; or a place in another file."""
    message: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Input files beside the spec."""


def field_wrong(line: int, column: int, message: str, **changes: str | None) -> Mistake:
    """A mistake in one field of the shortest spec."""
    return Mistake(spec(**{"name": "NAME", "rerun": "RERUN", **changes}), f"…:{line}:{column}", message)


def text_wrong(line: int, column: int, message: str, more: str) -> Mistake:
    """A mistake in lines after the shortest spec, whose `rerun` is line 5."""
    return Mistake(spec(name="NAME", rerun="RERUN") + more, f"…:{line}:{column}", message)


def input_wrong(where: str, message: str, data: bytes) -> Mistake:
    """A mistake in an input file that only this spec names."""
    return Mistake(
        spec(name="NAME", rerun="RERUN", input_files="[NAME.jsonl]"), where, message, {"NAME.jsonl": data}
    )


INLINE: Final = spec(name="NAME", rerun="RERUN", input_files=None)
"""Without inputs; its lines are name, endpoint, model, rerun."""

MISTAKES: Final = (
    # fields that are missing, unknown or exclude each other
    field_wrong(1, 1, "`name` is missing", name=None),
    field_wrong(1, 1, "`endpoint` is missing", endpoint=None),
    field_wrong(1, 1, "`model` or `agent_id` is missing", model=None),
    field_wrong(1, 1, "`input_files`, `requests`, `rows` or `for_each` is missing", input_files=None),
    field_wrong(6, 1, "agent_id: cannot be combined with `model`", agent_id="ag-1"),
    text_wrong(
        6,
        1,
        "requests: cannot be combined with `input_files`",
        'requests: [{custom_id: "1", body: {input: x}}]\n',
    ),
    field_wrong(6, 1, "timeuot_hours: unknown field", timeuot_hours="12"),
    field_wrong(6, 1, "temperature: unknown field", temperature="0.3"),
    field_wrong(6, 1, "max_attempts: unknown field", max_attempts="3"),
    field_wrong(6, 1, "flavour: unknown field", flavour="vanilla"),
    field_wrong(6, 9, "retry.on_change: unknown field", retry="{on_change: finish}"),
    # values
    field_wrong(1, 7, "name: not a name", name="NAME Upper"),
    field_wrong(1, 6, "name: empty", name=""),
    field_wrong(1, 7, "name: must be text, not a whole number", name="12"),
    field_wrong(2, 11, "endpoint: not an endpoint", endpoint="chat/completions"),
    field_wrong(2, 11, "endpoint: must be text, not a list", endpoint="[/v1/ocr]"),
    field_wrong(3, 8, "model: not a model name", model="mistral small"),
    field_wrong(4, 14, "input_files: must be a list, not text", input_files="data.jsonl"),
    field_wrong(4, 14, "input_files: an empty list", input_files="[]"),
    field_wrong(4, 15, "input_files[0]: must be text, not a whole number", input_files="[7]"),
    field_wrong(4, 15, "input_files[0]: must be text, not a list", input_files="[[]]"),
    field_wrong(6, 16, "timeout_hours: must be 1 to 168", timeout_hours="169"),
    field_wrong(6, 16, "timeout_hours: must be a whole number, not text", timeout_hours='"24"'),
    field_wrong(6, 16, "timeout_hours: must be a whole number, not a number", timeout_hours="1.5"),
    field_wrong(5, 8, "rerun: must be text or a whole number, not a number", rerun="1.5"),
    field_wrong(5, 8, "rerun: 65 characters, at most 64", rerun="x" * 65),
    field_wrong(5, 8, "rerun: not plain ASCII on one line", rerun="été"),
    field_wrong(6, 10, "suspend: must be true or false, not text", suspend="yes"),
    field_wrong(6, 23, "retry.max_attempts: must be 1 to 10", retry="{max_attempts: 11}"),
    field_wrong(
        6,
        14,
        "retry.on[0]: must be `FAILED`, `TIMEOUT_EXCEEDED`, `missing`, `error` or a status such as `http_5xx`",
        retry="{on: [CANCELLED]}",
    ),
    field_wrong(6, 13, "retry.on: an empty list", retry="{on: []}"),
    field_wrong(6, 8, "retry: must be a mapping, not a whole number", retry="3"),
    field_wrong(6, 12, "on_change: must be `auto`, `finish` or `replace`", on_change="restart"),
    field_wrong(6, 12, "on_remove: must be `cancel` or `keep`", on_remove="delete"),
    field_wrong(6, 18, "checks.failed: must be 0 to 1", checks="{failed: 5}"),
    field_wrong(6, 12, "metadata.reconciler.x: reserved", metadata="{reconciler.x: y}"),
    field_wrong(6, 18, "metadata.team: empty", metadata="{team: }"),
    field_wrong(
        6, 18, "metadata.team: must be text, a number or true or false, not a list", metadata="{team: [a]}"
    ),
    field_wrong(6, 12, f"metadata.{'k' * 33}: 33 characters, at most 32", metadata=f"{{{'k' * 33}: v}}"),
    field_wrong(6, 15, "metadata.k: 513 characters, at most 512", metadata=f"{{k: {'v' * 513}}}"),
    # input files
    field_wrong(4, 15, "`dtaa.jsonl`: no such file", input_files="[dtaa.jsonl]"),
    field_wrong(4, 15, "`none-*.jsonl`: matches no file", input_files="['none-*.jsonl']"),
    field_wrong(4, 15, "`/etc/passwd`: an absolute path is not allowed", input_files="[/etc/passwd]"),
    field_wrong(4, 15, "`../../x.jsonl`: leads out of the project", input_files="[../../x.jsonl]"),
    field_wrong(4, 15, "`.`: a folder", input_files="[.]"),
    field_wrong(
        4, 27, "`./data.jsonl`: specs/data.jsonl is named twice", input_files="[data.jsonl, ./data.jsonl]"
    ),
    input_wrong("specs/NAME.jsonl:2:15", "not valid JSON", LINE.encode() + b'{"custom_id": 2'[:-1]),
    input_wrong("specs/NAME.jsonl", "the file is empty", b""),
    input_wrong("specs/NAME.jsonl:1", "the lines end in CRLF", LINE.encode().replace(b"\n", b"\r\n")),
    input_wrong("specs/NAME.jsonl:2", "`custom_id` was used before, in line 1", LINE.encode() * 2),
    input_wrong("specs/NAME.jsonl:1", "`body` is missing", b'{"custom_id":"1"}\n'),
    # requests in the spec
    Mistake(INLINE + "requests: []\n", "…:5:11", "requests: an empty list"),
    Mistake(INLINE + "requests:\n  - body: {}\n", "…:6:5", "requests[0]: `custom_id` is missing"),
    Mistake(
        INLINE + "requests:\n  - {custom_id: '1', body: {}}\n  - {custom_id: '1', body: {}}\n",
        "…:7:17",
        "requests[1].custom_id: already used on line 6",
    ),
    Mistake(
        INLINE + "requests:\n  - {custom_id: '1', body: {seed: 9007199254740993}}\n",
        "…:6:35",
        "requests[0].body.seed: too large for every JSON reader to keep exactly",
    ),
    # YAML
    text_wrong(6, 1, "duplicate key `model`, first on line 3", "model: other\n"),
    text_wrong(6, 1, "a field's name must be text", "1: one\n"),
    text_wrong(6, 16, "tags (`!…`) are not supported", "timeout_hours: !!int 0\n"),
    text_wrong(6, 1, "the merge key `<<` is not supported", "<<: {suspend: true}\n"),
    text_wrong(6, 16, ".nan is not a number in JSON", "timeout_hours: .nan\n"),
    text_wrong(6, 11, "unknown anchor `base`", "metadata: *base\n"),
    text_wrong(6, 8, "missing `}` or `,`", "retry: {max_attempts: 2\n"),
    text_wrong(6, 71, "more than 64 levels of nesting", f"retry: {'[' * 70}{']' * 70}\n"),
    Mistake(b"name: NAME\nmodel: \xff\n", "…:2:8", "the byte 0xff at offset 23 is not UTF-8"),
    Mistake("- name: NAME\n", "…:1:1", "must be a mapping, not a list"),
    Mistake(f"name: NAME\n#{'x' * 1_000_000}\n", "…", "larger than 1,000,000 bytes"),
    # between specs
    Mistake(
        spec(name="good-000", rerun="RERUN"),
        "…:1:7",
        "name: `good-000` is already declared at specs/good-000.yaml:1",
    ),
)


def corpus(good: int) -> tuple[dict[str, str | bytes], dict[str, str]]:
    """Return the files of a spec folder with every mistake among good specs, and each place with its message.

    Names sort the good ones first, so that what clashes with them is the mistake.
    """
    files: dict[str, str | bytes] = {
        f"good-{n:03}.yaml": spec(name=f"good-{n:03}", rerun=f"r-good-{n:03}") for n in range(good)
    }
    expected: dict[str, str] = {}
    for n, mistake in enumerate(MISTAKES):
        name = f"wrong-{n:03}"
        text = mistake.text if isinstance(mistake.text, bytes) else mistake.text.encode()
        files[f"{name}.yaml"] = text.replace(b"NAME", name.encode()).replace(b"RERUN", f"r-{name}".encode())
        files |= {path.replace("NAME", name): data for path, data in mistake.files.items()}
        where = mistake.where.replace("…", f"specs/{name}.yaml").replace("NAME", name)
        expected[where] = mistake.message.replace("NAME", name)
    return files, expected
