"""Places of results, which may be away for a while, or lose everything."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.outputs import paths
from tests.simulation.requests.api import ERRORS, OUTPUT, AskedJob
from tests.simulation.requests.specs import NAMES

_STORED: Final = {OUTPUT: paths.OUTPUT, ERRORS: paths.ERRORS}


@dataclass(eq=False)
class Place:
    """A place of results, which may be away for a while."""

    folder: Path
    emptied: bool = False
    """Whether it was ever emptied."""

    @property
    def aside(self) -> Path:
        """The folder while it is away."""
        return self.folder.with_name(f"{self.folder.name}-away")

    def holds(self, job: AskedJob) -> set[str]:
        """Return which result files of a job it has, finished."""
        found = [it for it in self._folders(job) if (it / "summary.json").exists()]
        return {name for name, file in _STORED.items() if any((it / file).exists() for it in found)}

    def knows(self, job: AskedJob) -> bool:
        """Return whether it can be read what a job was asked: in an upload, or in an index of its requests."""
        return bool(job.body.input_files) or self.has_index(job)

    def has_index(self, job: AskedJob) -> bool:
        """Return whether it has an index of the requests of a job."""
        indexes = [it / "asked.idx" for it in self._folders(job)]
        return any(it.exists() and _has_requests(it) for it in indexes)

    def _folders(self, job: AskedJob) -> list[Path]:
        return [Path(f"{self.folder}/{name}/jobs/{job.id}") for name in NAMES]

    def go(self) -> None:
        """Let it be away: as a mount that is missing, it looks empty."""
        if self.folder.exists() and not self.aside.exists():
            self.folder.rename(self.aside)

    def come_back(self) -> None:
        """Let it be there again, and hide what was written meanwhile."""
        if self.aside.exists():
            self.emptied = self.emptied or self.folder.exists()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.aside.rename(self.folder)

    def empty(self) -> None:
        """Delete everything."""
        self.emptied = True
        shutil.rmtree(self.folder, ignore_errors=True)


def _has_requests(index: Path) -> bool:
    return bool(json.loads(index.read_bytes().partition(b"\n")[0])["ordered"])
