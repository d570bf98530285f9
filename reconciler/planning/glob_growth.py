"""Detects a glob in `input_files` that grew: the new job repeats all requests of an earlier one.

The tags of the earlier job identify its input files, up to about 46 of them. A job of more files gets no note.
"""

from __future__ import annotations

from reconciler.model import JobSpec, OwnedJob, Phase, tags


def note(before: OwnedJob, spec: JobSpec) -> str:
    """Return a note if the inputs of a spec are those of a job and more, "" otherwise."""
    old = before.tags.input_prefixes
    if not old or not old < {tags.digest_prefix(part.identity) for part in spec.inputs}:
        return ""
    word = "answered by" if before.phase is Phase.SUCCEEDED else "submitted as"
    new = len(spec.inputs)
    return f"{len(old):,} of {new:,} parts already {word} {before.job.short_id}: did you mean `for_each`?"
