"""Specs for existing jobs: each adopts its job, so that its work is not submitted again. Pure.

The fields of a job are untrusted text of its creator: they are quoted, checked with the schema of a spec, and omitted
if they do not fit. A job that a spec cannot express is reported with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from reconciler.model import TAG_PREFIX, Adopt, Job, JobSpec, Position, RunKey, UploadedFile
from reconciler.settings import Limits
from reconciler.specs import to_yaml
from reconciler.specs.inputs.paths import uploaded_id
from reconciler.specs.schema.convert import convert_or_explain
from reconciler.specs.schema.hints import MISPLACED_FIELD_HINTS
from reconciler.specs.schema.job_fields import JobFields
from reconciler.specs.yaml import reader
from reconciler.specs.yaml.source import SourceFile
from reconciler.text.plural import pluralize
from reconciler.text.sanitize import NO_WINDOWS_NAME

_KEY_LENGTH: Final = 32
_VALUE_LENGTH: Final = 512
_NAME_LENGTH: Final = 80
_CALLED: Final = ("name", "job_name", "title")
"""Metadata keys that usually hold a job's name."""


class NoSpecError(Exception):
    """A job cannot have a spec. The text is the reason."""


def drafts(
    jobs: Iterable[Job], declared: Iterable[JobSpec], *, schema: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the YAML document of a spec for each job, by the spec's name; and why jobs get none, by their ids.

    Names, work and adopted jobs of `declared` specs cannot be used again. `schema` is the path of the schema for
    editors, relative to the new specs.
    """
    specs = tuple(declared)
    names = {spec.name.casefold() for spec in specs}
    works: dict[RunKey, str] = {
        key: f"`{spec.name}` ({spec.declared_at})" for spec in specs for key in spec.run_keys
    }
    adopted = {spec.adopt.job for spec in specs if spec.adopt}
    found: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for job in sorted(jobs, key=lambda job: job.age_key):
        if job.id in adopted:
            continue
        try:
            spec = _spec(job, names, works)
            found[spec.name] = _checked(_text(job, spec, schema))
        except NoSpecError as error:
            skipped[job.id] = str(error)
        else:
            names.add(spec.name)
            works |= dict.fromkeys(spec.run_keys, f"`{spec.name}`")
    return found, skipped


def _spec(job: Job, names: set[str], works: Mapping[RunKey, str]) -> JobSpec:
    """Return the spec of a job. Raises `NoSpecError` if there can be none."""
    if not job.input_files:
        raise NoSpecError("its requests were sent inline, and the API does not show them")
    ids = [uploaded_id(file) for file in job.input_files]
    if None in ids:
        raise NoSpecError("the ids of its input files are not valid in a spec")
    if (job.model is None) == (job.agent_id is None):
        raise NoSpecError("the API shows neither a model nor an agent, or both")
    parts = sorted((UploadedFile(id=file) for file in ids if file), key=lambda part: part.identity)
    spec = JobSpec(
        name=_name(job, names),
        endpoint=job.endpoint,
        model=job.model,
        agent_id=job.agent_id,
        inputs=tuple(parts),
        metadata=_metadata(job.metadata),
        declared_at=Position(path="", line=1),
    )
    if other := works.get(spec.run_key):
        adopt = f"adopt: {{job: {job.id}, work: {spec.run_key.work}}}"
        raise NoSpecError(f"{other} declares its work: add {adopt} there")
    return replace(spec, adopt=Adopt(job=job.id, work=spec.run_key.work))


def _name(job: Job, names: set[str]) -> str:
    """Return an unused name: from the job's metadata, or else from its model."""
    called = (job.metadata.get(key) for key in _CALLED)
    given = next((slug(it) for it in called if isinstance(it, str) and slug(it)), "")
    if given and given not in names:
        return given
    base = given or slug((job.model or "agent").rpartition("/")[2]) or "job"
    short = slug(job.short_id) or "0"
    return next(
        name for at in range(len(names) + 1) if (name := f"{base}-{short}" + f"-{at}" * bool(at)) not in names
    )


def slug(text: str) -> str:
    """Return text as a name of lowercase letters, digits, `.`, `_` and `-`; "" if no character is left."""
    name = re.sub(r"[^a-z0-9._]+", "-", text.lower())[:_NAME_LENGTH].strip("-._")
    return f"job-{name}" if NO_WINDOWS_NAME.fullmatch(name) else name


def _metadata(pairs: Mapping[str, object]) -> dict[str, str]:
    """Return the pairs that are valid in a spec, as text."""
    texts = {key: _as_text(value) for key, value in sorted(pairs.items())}
    return {
        key: text
        for key, text in texts.items()
        if 0 < len(key) <= _KEY_LENGTH and not key.startswith(TAG_PREFIX) and 0 < len(text) <= _VALUE_LENGTH
    }


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else ""


def _text(job: Job, spec: JobSpec, schema: str) -> str:
    left = len(job.metadata) - len(spec.metadata)
    more = (
        f"# Omitted from its metadata, as not valid in a spec: {pluralize(left, 'pair')}.\n" if left else ""
    )
    return (
        f"# yaml-language-server: $schema={schema}\n"
        f"# Adopted by `reconciler init --from-workspace`: job {job.id}, created without this tool.\n"
        "# The API does not show its timeout; the next job has 24 hours unless `timeout_hours` is set.\n"
        f"{more}{to_yaml.body(spec, '')}"
    )


def _checked(text: str) -> str:
    """Return a document. Raises `NoSpecError` if it is not a valid spec."""
    documents, problems = reader.read(SourceFile("spec.yaml", text), Limits())
    for document in documents[:1]:
        problems += convert_or_explain(document, JobFields, "job", MISPLACED_FIELD_HINTS)[1]
    if problems:
        raise NoSpecError("; ".join(problem.message for problem in problems))
    return text
