"""Seeded workloads: lines of an input file, and what their answers really use. They go through the real functions.

The lines are scanned as `plan` scans them, the answers read as `outputs pull` reads them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from reconciler.cost.estimate import estimate
from reconciler.cost.prices import Price, cost_of
from reconciler.cost.shipped import shipped
from reconciler.model.money import Estimate, Usage, Workload
from reconciler.requests import contents
from reconciler.requests.contents import read_contents
from reconciler.settings import Limits
from reconciler.specs.inputs.reader import check
from tests.cost.test_interval import SHAPES

CANARY: Final = 20
MODELS: Final = {
    "/v1/chat/completions": "mistral-small-2603",
    "/v1/embeddings": "mistral-embed-2312",
    "/v1/ocr": "mistral-ocr-2512",
}


class Case(NamedTuple):
    """A workload with its answers."""

    endpoint: str
    variation: float
    lines: Sequence[bytes]
    bodies: Sequence[bytes]
    """Of the answers."""


class Result(NamedTuple):
    """An estimate after the canary, and what the rest really costs."""

    case: Case
    found: Estimate
    actual: int


def case(seed: int, *, variation: float | None = None, endpoint: str = "", following: int = 0) -> Case:
    """Return a workload: its endpoint, shape and variation by the seed."""
    rng = random.Random(seed)
    endpoint = endpoint or rng.choice([*MODELS])
    variation = variation or rng.uniform(0.3, 1.5)
    shape = SHAPES[rng.choice([*SHAPES])]
    number = CANARY + (following or rng.choice([180, 400, 1_000]))
    most, bytes_a_token = rng.choice([1_000, 4_000, 16_000]), rng.uniform(2.5, 6)
    words = rng.randint(20, 400)
    lines, bodies = [], []
    for at in range(number):
        text = "word " * max(1, round(words * SHAPES["lognormal"](rng, 0.5)))
        tokens_in = max(1, round(len(text) / bytes_a_token * rng.uniform(0.8, 1.2)))
        drawn = shape(rng, variation)
        used: dict[str, Any] = {"usage": {"prompt_tokens": tokens_in, "completion_tokens": 0}}
        asked: dict[str, Any] = {"input": text}
        if endpoint == "/v1/chat/completions":
            asked = {"messages": [{"role": "user", "content": text}], "max_tokens": most}
            used["usage"]["completion_tokens"] = min(most, max(1, round(400 * drawn)))
        elif endpoint == "/v1/ocr":
            asked = {
                "document": {"type": "document_url", "document_url": f"https://x.example/{at}"},
                "pages": "0-499",
            }
            used = {"usage_info": {"pages_processed": min(500, max(1, round(20 * drawn)))}}
        lines.append(json.dumps({"custom_id": str(at), "body": asked}).encode())
        bodies.append(json.dumps(used | {"model": "m"}).encode())
    return Case(endpoint, variation, lines, bodies)


def usage(it: Case, part: slice) -> Usage:
    """Return what the answers of a part say that they used, as summaries have it."""
    found = contents.Usage()
    for line, body in zip(it.lines[part], it.bodies[part], strict=True):
        answer, invalid = read_contents(body)
        found.add(answer, invalid=invalid, size=len(line))
    return Usage(**{name: getattr(found, name) for name in Usage.__struct_fields__})


def workload(it: Case, folder: Path) -> Workload:
    """Return what the requests may use, as a plan reads it."""
    path = folder / "requests.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in it.lines))
    found = check(path, path.name, Limits()).file.workload
    assert found
    return found


def price(endpoint: str) -> Price:
    """Return the price of the model that answers."""
    found = shipped().of(MODELS[endpoint], "2026-11-29")
    assert found
    return found


def played(it: Case, folder: Path) -> Result:
    """Return the estimate of the rest after the canary, and what it really costs."""
    rest = len(it.lines) - CANARY
    found = estimate(
        workload(it, folder),
        usage(it, slice(CANARY)),
        price(it.endpoint),
        requests=rest,
        in_all=rest,
        endpoint=it.endpoint,
        context=262_144,
    )
    actual = cost_of(price(it.endpoint), usage(it, slice(CANARY, None)))
    assert actual is not None
    return Result(it, found, actual)


def holds(it: Result) -> bool:
    """Return whether the interval holds the actual cost."""
    assert it.found.low is not None
    assert it.found.high is not None
    return it.found.low <= it.actual <= it.found.high


def width(it: Result) -> float:
    """Return how far the interval reaches from the expected cost at most, by that cost."""
    low, middle, high = it.found.low, it.found.expected, it.found.high
    assert low is not None
    assert middle
    assert high is not None
    return max(middle - low, high - middle) / middle
