"""Folders of results: `<name>/<run>/<job id>/`, in names that are valid on every file system and object store."""

from __future__ import annotations

import re
from typing import Final

from reconciler.model import OwnedJob, RunKey, digests
from reconciler.text.sanitize import NO_WINDOWS_NAME

OUTPUT: Final = "output.jsonl"
"""The provider's file of answers, unchanged."""
ERRORS: Final = "errors.jsonl"
"""The provider's file of failed requests, unchanged."""
RESULTS: Final = "results.jsonl"
"""Both files, joined with the inputs."""

RUN_LENGTH: Final = 12
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def folder_of(owned: OwnedJob) -> str:
    """Return a job's folder below the destination, with forward slashes.

    The name is the one in the job's tags, so renaming a spec does not move its results.
    """
    return "/".join((safe_name(owned.tags.name), run_of(owned.tags.run_key), safe_name(owned.job.id)))


def run_of(run_key: RunKey) -> str:
    """Return a short digest of a run key. 48 bits are enough within one name: a collision only shares the folder."""
    return digests.sha256(f"{run_key.work} {run_key.rerun}".encode())[:RUN_LENGTH]


def safe_name(word: str) -> str:
    """Return a folder name: the word if it is valid everywhere, else the word marked with `~`, or its digest."""
    if not _PLAIN.fullmatch(word):
        return "~" + digests.sha256(word.encode("utf-8", "surrogatepass"))[:32]
    if NO_WINDOWS_NAME.fullmatch(word):
        return f"~{word}~"
    return word
