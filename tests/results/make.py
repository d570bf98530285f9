"""Lines of result files and of inputs, as they are made for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.results.join import Joined, JoinSources, join

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


def asked(*custom_ids: str) -> str:
    """Return the lines of an input file."""
    return "".join(json.dumps({"custom_id": each, "body": {}}) + "\n" for each in custom_ids)


def text(lines: Iterable[str]) -> str:
    """Return lines as a file."""
    return "".join(f"{line}\n" for line in lines)


def joined(
    folder: Path,
    *,
    output: str | bytes | None = None,
    errors: str | bytes | None = None,
    inputs: Iterable[str | bytes] | None = None,
    longest: int = LONGEST,
) -> tuple[Joined, list[dict[str, Any]]]:
    """Join texts, and return the count and the results as values."""

    def file(name: str, content: str | bytes | None) -> Path | None:
        if content is None:
            return None
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    parts = None if inputs is None else [file(f"in-{at}", part) for at, part in enumerate(inputs)]
    sources = JoinSources(
        output=file("output.jsonl", output),
        errors=file("errors.jsonl", errors),
        inputs=None if parts is None else [part for part in parts if part],
        longest=longest,
    )
    results = folder / "results.jsonl"
    counts, written = join(sources, results, lambda: None)
    rows = [json.loads(line) for line in results.read_bytes().split(b"\n") if line]
    assert written.lines == len(rows)
    assert written.size == results.stat().st_size
    assert sorted(path.name for path in folder.iterdir() if path.suffix in (".part", ".spool")) == []
    return counts, rows
