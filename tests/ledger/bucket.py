"""A ledger in an object store in memory, and hosts that share it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reconciler.ledger.objects import ObjectLedger
from reconciler.outputs.object_store import ObjectStore

URL = "s3://bucket/ledger/host/shop"


class Bucket:
    """An empty store, in memory or in S3, and the hosts that share a ledger in it."""

    snapshot_after = 100

    def __init__(self, folder: Path, fs: Any) -> None:  # noqa: ANN401 - fsspec has no types
        self.folder = folder
        self.fs = fs

    def host(self, name: str, store: ObjectStore | None = None) -> ObjectLedger:
        """Return the ledger as a host sees it, which keeps its state."""
        state = self.folder / name
        store = store or ObjectStore(URL, staging=state)
        rng = random.Random(name)
        return ObjectLedger(store=store, state=state, rng=rng, snapshot_after=self.snapshot_after)

    def rows(self, host: str) -> list[bytes]:
        """Fetch the lines as a host sees them."""
        ledger = self.host(host)
        return [row for block in ledger.blocks(ledger.fetch()) for row in block.splitlines()]

    def push(self, host: str, *rows: bytes, times: int = 1) -> str:
        """Fetch and push so often, with a number at the end of each line."""
        ledger = self.host(host)
        tip = ledger.fetch()
        for number in range(times):
            tip = ledger.push(tip, [b"%s %d" % (row, number) for row in rows or (b"line",)], message="run 1")
        return tip

    def names(self, folder: str = "segments") -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.paths(f"/{folder}/"))

    def paths(self, part: str = "") -> Sequence[str]:
        self.fs.invalidate_cache()
        return [path for path in self.fs.find("bucket") if part in path]

    def content(self, number: int) -> bytes:
        content: bytes = self.fs.cat_file(f"{URL}/segments/{number:08}.jsonl")
        return content

    def change(self, number: int, old: bytes, new: bytes) -> None:
        """Change a segment, as a person does who may overwrite objects."""
        data = self.content(number)
        assert old in data
        self.fs.pipe_file(f"{URL}/segments/{number:08}.jsonl", data.replace(old, new))

    def remove(self, *numbers: int) -> None:
        for number in numbers:
            self.fs.rm_file(f"{URL}/segments/{number:08}.jsonl")
