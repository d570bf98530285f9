"""The least work of any plan: read, parse and check every spec, read the list, compare. The floor for `noop.py`.

Plain code on the packages that the tool uses, without the tool's own: no positions, messages, families or notes.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml
from yaml.cyaml import CParser

STR = "tag:yaml.org,2002:str"
AT_ONCE, SIZE = 16, 100
FLOAT = re.compile(r"[0-9]+\.[0-9]+")


class Retry(msgspec.Struct, forbid_unknown_fields=True):
    max_attempts: int = 1
    on: list[str] = []


class Checks(msgspec.Struct, forbid_unknown_fields=True):
    failed: float = 0.0
    invalid: float = 0.0
    truncated: float = 1.0


class Spec(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    endpoint: str
    model: str
    input_files: list[str]
    metadata: dict[str, str] = {}
    timeout_hours: int = 24
    retry: Retry | None = None
    on_change: str = "replace"
    on_remove: str = "cancel"
    checks: Checks | None = None


class Job(msgspec.Struct):
    id: str
    status: str
    metadata: dict[str, str]


class Page(msgspec.Struct):
    total: int
    data: list[Job] = []


class Parser(CParser):
    """The composer of libyaml, without tags."""

    def resolve(self, _kind: object, _value: object, _implicit: object) -> str:
        return STR

    def descend_resolver(self, _parent: object, _index: object) -> None: ...

    def ascend_resolver(self) -> None: ...


def value(node: Any) -> Any:  # noqa: ANN401 - YAML
    kind = type(node)
    if kind is yaml.ScalarNode:
        text = node.value
        if node.style or not text[:1].isdigit():
            return text
        return int(text) if text.isdecimal() else float(text) if FLOAT.fullmatch(text) else text
    if kind is yaml.SequenceNode:
        return [value(item) for item in node.value]
    return {key.value: value(item) for key, item in node.value}


def spec(path: str) -> tuple[str, str]:
    with open(path, "rb") as file:  # noqa: PTH123 - the floor
        it = msgspec.convert(value(Parser(file.read()).get_single_node()), Spec)
    work = msgspec.json.encode((it.endpoint, it.model, it.input_files))
    return it.name, hashlib.sha256(work).hexdigest()


def main(root: Path, url: str) -> None:
    decode = msgspec.json.Decoder(Page).decode
    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(AT_ONCE) as pool:

        def page(number: int) -> Page:
            return decode(
                client.get(f"/v1/batch/jobs?page={number}&page_size={SIZE}&order_by=created").content
            )

        def listed() -> list[Job]:
            first = page(0)
            rest = pool.map(page, range(1, -(-first.total // SIZE)))
            return first.data + [job for each in rest for job in each.data]

        jobs = pool.submit(listed)
        wanted = dict(spec(entry.path) for entry in os.scandir(root / "specs"))
        there = {job.metadata["reconciler.name"]: job for job in jobs.result()}
    missing = wanted.keys() - there.keys()
    print(f"{len(wanted):,} specs, {len(there):,} jobs, {len(missing):,} to create")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
