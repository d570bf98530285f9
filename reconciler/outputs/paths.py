"""Folders of results: `<name>/` and `<name>/jobs/<job id>/`, in names that are valid everywhere."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from reconciler.model import JobSpec, OwnedJob, RunKey, digests
from reconciler.text.sanitize import NO_WINDOWS_NAME

OUTPUT: Final = "output.jsonl"
"""The provider's file of answers, unchanged."""
ERRORS: Final = "errors.jsonl"
"""The provider's file of failed requests, unchanged."""
RESULTS: Final = "results.jsonl"
"""The results of a name: one line for each request of its newest work that has answers."""
JOBS: Final = "jobs"
"""The folder, within that of a name, with a folder for each job."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def job_folder(name: str, job_id: str) -> str:
    """Return a job's folder below the place of results, with forward slashes."""
    return f"{safe_name(name)}/{JOBS}/{safe_name(job_id)}"


def safe_name(word: str) -> str:
    """Return a folder name: the word if it is valid everywhere, else the word marked with `~`, or its digest."""
    if not _PLAIN.fullmatch(word):
        return "~" + digests.sha256(word.encode("utf-8", "surrogatepass"))[:32]
    if NO_WINDOWS_NAME.fullmatch(word):
        return f"~{word}~"
    return word


def naming(specs: Sequence[JobSpec], owned: Sequence[OwnedJob]) -> Callable[[OwnedJob], str]:
    """Return a function that gives the name under which a job's results belong.

    It is the name in the job's tags, or that of the spec that wants the job's work now: a renamed spec takes its
    results along, also those of its older work.
    """
    wanting: dict[RunKey, list[str]] = defaultdict(list)
    for spec in specs:
        for key in spec.run_keys:
            wanting[key].append(spec.name)
    names = {spec.name for spec in specs}
    renamed = {
        it.tags.name: min(wanting[it.tags.run_key])
        for it in owned
        if it.tags.name not in names and it.tags.run_key in wanting
    }

    def name(it: OwnedJob) -> str:
        now = wanting.get(it.tags.run_key, ())
        if now and it.tags.name not in now:
            return min(now)
        return renamed.get(it.tags.name, it.tags.name)

    return name
