"""Lines of result files and of inputs, as they are made for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.requests import answered, answers, asked
from reconciler.requests.checks import Checker, Patterns
from reconciler.requests.contents import Usage
from reconciler.requests.join import Joined, Part, join

LONGEST = 10_000


def answer(custom_id: str, *, status: int | None = 200, tokens: int | None = None, **more: Any) -> str:  # noqa: ANN401 - JSON
    """Return an answer's line."""
    body: dict[str, Any] = {"id": f"of-{custom_id}", "choices": []}
    if tokens is not None:
        body["usage"] = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
    response = {"status_code": status, "body": body}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": response, "error": None} | more)


def error(custom_id: str, what: object = "sunk") -> str:
    """Return the line of a request that failed without a response."""
    return json.dumps({"id": "x", "custom_id": custom_id, "response": None, "error": {"message": what}})


def requests(*custom_ids: str) -> str:
    """Return the lines of an input file."""
    return "".join(json.dumps({"custom_id": each, "body": {}}) + "\n" for each in custom_ids)


def text(lines: Iterable[str]) -> str:
    """Return lines as a file."""
    return "".join(f"{line}\n" for line in lines)


@dataclass
class Counts:
    """The numbers of the indexes and the join."""

    ok: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    requests: int | None = None
    missing: int = 0
    first_missing: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    verdicts: dict[int, int] = field(default_factory=dict)
    malformed: int = 0
    unnamed: int = 0
    repeated: int = 0
    unknown: int = 0
    usage: Usage = field(default_factory=Usage)


def joined(
    folder: Path,
    *,
    output: str | bytes | None = None,
    errors: str | bytes | None = None,
    inputs: Iterable[str | bytes] | None = None,
    longest: int = LONGEST,
) -> tuple[Counts, list[dict[str, Any]]]:
    """Join texts, and return the numbers and the results as values."""

    def file(name: str, content: str | bytes | None) -> Path | None:
        if content is None:
            return None
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    parts = None if inputs is None else [file(f"in-{at}", part) for at, part in enumerate(inputs)]
    file("output.jsonl", output)
    file("errors.jsonl", errors)
    asked = None if parts is None else [part for part in parts if part]
    counts = join_files(folder, asked, longest=longest)
    lines = (folder / "results.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    return counts, [json.loads(line) for line in lines]


def join_files(
    folder: Path,
    inputs: list[Path] | None,
    *,
    longest: int = LONGEST,
    beat: Callable[[], None] = lambda: None,
) -> Counts:
    """Index the files of a folder, write the indexes, read them again and join."""
    files = {name: folder / name for name in answered.FILES if (folder / name).exists()}
    was_asked = asked.read_inputs(inputs or (), model=None, longest=longest, heartbeat=beat)
    with Patterns() as patterns:
        found = answered.read_answers(
            files,
            was_asked,
            Checker(was_asked.schemas, patterns),
            ordered=inputs is not None,
            longest=longest,
            heartbeat=beat,
        )
    was_asked.write(folder / asked.NAME, {})
    found.write(folder / answered.NAME, {})
    order, index = asked.load(folder / asked.NAME), answered.load(folder / answered.NAME)
    assert order is not None
    assert index is not None
    numbers = {number: files[name] for number, name in enumerate(answered.FILES, start=1) if name in files}
    part = Part(job_id="j", asked=order, answered=index, files=numbers)
    totals = Joined()
    with (folder / "results.jsonl").open("wb") as results:
        results.writelines(join([part], order, beat, totals))
    kinds = found.counts()
    assert kinds == totals.kinds
    return Counts(
        ok=kinds.pop(answers.OK, 0),
        missing=kinds.pop(answers.MISSING, 0),
        failures=dict(sorted(kinds.items())),
        requests=None if inputs is None else order.count,
        first_missing=totals.first["missing"],
        reasons=dict(found.why_failed()),
        verdicts=dict(totals.verdicts),
        malformed=found.malformed,
        unnamed=found.unnamed.total(),
        repeated=found.repeated,
        unknown=len(found.unknown),
        usage=found.usage,
    )
