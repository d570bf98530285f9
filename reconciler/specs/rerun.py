"""Submit work again, by a change of its spec: all of it under another `rerun`, or what has no answer once more."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Final

from reconciler.errors import UsageError
from reconciler.model import JobSpec, Retry
from reconciler.specs.field_edit import BY_HAND, NUMBER, Edit, edited, find, given_by, written
from reconciler.specs.period import hint_for_text
from reconciler.specs.project import Project
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import clean

MOST_ATTEMPTS: Final = 10
"""The largest `retry.max_attempts`."""
_FITS: Final = re.compile(r"[ -~]{1,64}")


def rerun_edit(
    project: Project, specs: Sequence[JobSpec], later: Collection[str], name: str, to: str | None
) -> Edit:
    """Return the edited file of the spec of a job, with another `rerun`. Writes nothing.

    `later` has the names whose first period has not begun; `to` is None for the old number plus one. Raises
    `UsageError` if no declared job has this name, or it is in a family, or its `rerun` is a period, or there is no next
    value; `ReconcilerError` if the file's syntax is not supported.
    """
    spec = find(specs, later, name)
    if spec is None:
        hint = f"wait until it begins, or {BY_HAND}: change `start`"
        raise UsageError(f"the `rerun` of {name} is a period, and the first one has not begun", hint=hint)
    if spec.name != name:
        raise UsageError(
            f"{name} is a family of jobs ({spec.declared_at})",
            hint=f"to submit all of them again, {BY_HAND}",
        )
    if spec.family:
        alike = sum(other.declared_at == spec.declared_at for other in specs)
        raise UsageError(
            f"{name} is in a family ({spec.declared_at} makes {pluralize(alike, 'job')}); a change of `rerun` "
            "there would submit all of them again",
            hint=f"if this is intended, {BY_HAND}; for this job alone, write a separate spec",
        )
    given = given_by(project, spec, "rerun")
    if spec.period:
        raise UsageError(
            f"the `rerun` of {name} is a period ({given or spec.declared_at})",
            hint=f"wait for the next period, or {BY_HAND}: write a plain value instead of the mapping",
        )
    after = _next(spec, to)
    return edited(project, spec, ("rerun",), before=spec.rerun, after=after, missing=written(after))


def _next(spec: JobSpec, to: str | None) -> str:
    at = spec.declared_at
    if to is None:
        if not NUMBER.fullmatch(spec.rerun or "0"):
            raise UsageError(
                f"{spec.name} has `rerun: {spec.rerun}` ({at}), which is not a number to increase",
                hint=f"give the next value: reconciler rerun {spec.name} --to VALUE",
            )
        return str(int(spec.rerun or "0") + 1)
    if not _FITS.fullmatch(to):
        raise UsageError(
            f"--to {clean(to)!r} is not valid for `rerun`",
            hint="use 1 to 64 ASCII letters, digits, spaces and punctuation",
        )
    if hint := hint_for_text(to):
        raise UsageError(f"--to {to}: this is text, which never changes by itself", hint=hint)
    if to == spec.rerun:
        raise UsageError(f"{spec.name} already has `rerun: {to}` ({at})", hint="use another value")
    return to


def retry_edit(project: Project, specs: Sequence[JobSpec], later: Collection[str], name: str) -> Edit:
    """Return the edited file of a spec, with one more of `retry.max_attempts`. Writes nothing.

    Of a family, all jobs get another attempt. Raises `UsageError` if no declared job or family has this name, nothing
    of it was submitted, or no number is left; `ReconcilerError` if the file's syntax is not supported.
    """
    spec = find(specs, later, name)
    if spec is None:
        raise UsageError(f"the first period of {name} has not begun", hint="wait until it begins")
    before = spec.retry.max_attempts
    if before >= MOST_ATTEMPTS:
        raise UsageError(
            f"{name} already has `retry.max_attempts: {before}`, the most ({spec.declared_at})",
            hint=f"to submit all of its requests again: reconciler rerun {name}",
        )
    after = str(before + 1)
    kinds = {"on": spec.retry.words} if spec.retry.words != Retry().words else {}
    missing = json.dumps({"max_attempts": before + 1} | kinds)
    return edited(project, spec, ("retry", "max_attempts"), before=str(before), after=after, missing=missing)
