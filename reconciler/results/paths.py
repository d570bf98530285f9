"""Where results stand: `<name>/<run>/<job id>/`, names that every file system and every object store takes."""

from __future__ import annotations

import re
from typing import Final

from reconciler.model import Ours, RunKey, digests

OUTPUT: Final = "output.jsonl"
"""The provider's file of answers, as it is."""
ERRORS: Final = "errors.jsonl"
"""The provider's file of failed requests, as it is."""
RESULTS: Final = "results.jsonl"
"""Both, joined with the inputs."""

RUN_LENGTH: Final = 12
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever follows the dot."""


def folder_of(ours: Ours) -> str:
    """Return a job's folder below the destination, with forward slashes.

    The name is the one in the job's tags: a spec that is renamed leaves its results where they are.
    """
    return "/".join((part(ours.tags.name), run_of(ours.tags.run_key), part(ours.job.id)))


def run_of(run_key: RunKey) -> str:
    """Return a short name for a run key: 48 bits are enough within one name, and a twin only shares the folder."""
    return digests.sha256(f"{run_key.work} {run_key.rerun}".encode())[:RUN_LENGTH]


def part(word: str) -> str:
    """Return a name for one folder: the word itself where it will do everywhere, else the word marked or its digest."""
    if not _PLAIN.fullmatch(word):
        return "~" + digests.sha256(word.encode("utf-8", "surrogatepass"))[:32]
    if _DEVICE.fullmatch(word) or word.endswith("."):
        return f"~{word}~"
    return word
