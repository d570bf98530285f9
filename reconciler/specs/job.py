"""One document to one `JobSpec`, with its inputs found, read and checked.

Whatever is wrong with some fields, the others are looked at as well: all problems of a spec come at once.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from reconciler.errors import Problem
from reconciler.model import Input, JobSpec, Phase, Position, Retry
from reconciler.specs.accept import accept
from reconciler.specs.fields import KNOWN_ENDPOINTS, MISPLACED, JobFields
from reconciler.specs.job_inputs import Inputs
from reconciler.specs.schema import job_schema
from reconciler.specs.words import did_you_mean
from reconciler.specs.yaml_tree import Document

_PHASES: Final = {"FAILED": Phase.FAILED, "TIMEOUT_EXCEEDED": Phase.TIMED_OUT}


def job_spec(document: Document, inputs: Inputs) -> tuple[JobSpec | None, list[Problem]]:
    """Return what a document declares, None where it is not usable, and all problems and warnings."""
    fields = accept(document, JobFields, job_schema(), MISPLACED)
    problems = [*document.problems]
    found: list[Input] = []
    if isinstance(document.value, dict):
        for part, wrong in (inputs.files(document), inputs.requests(document)):
            found += part
            problems += wrong
        problems += _endpoint_unknown(document)
    if isinstance(fields, list):
        return None, problems + fields
    if any(not problem.warning for problem in problems):
        return None, problems
    return _spec(document, fields, tuple(found)), problems


def _endpoint_unknown(document: Document) -> list[Problem]:
    endpoint = document.value.get("endpoint")
    if not isinstance(endpoint, str) or not endpoint.startswith("/v1/") or endpoint in KNOWN_ENDPOINTS:
        return []
    hint = did_you_mean(endpoint, KNOWN_ENDPOINTS, "it is sent as it stands; the API may know it")
    place = document.place(("endpoint",))
    message = "endpoint: not among those that the API documents"
    return [document.source.problem(place, message, hint=hint, warning=True)]


def _spec(document: Document, fields: JobFields, inputs: tuple[Input, ...]) -> JobSpec:
    return JobSpec(
        name=fields.name,
        endpoint=fields.endpoint,
        model=None if fields.model is UNSET else fields.model,
        agent_id=None if fields.agent_id is UNSET else fields.agent_id,
        inputs=inputs,
        metadata={key: document.text(("metadata", key)) for key in fields.metadata},
        timeout_hours=fields.timeout_hours,
        rerun="" if fields.rerun is None else document.text(("rerun",)),
        suspend=fields.suspend,
        retry=Retry(
            max_attempts=fields.retry.max_attempts,
            on=frozenset(_PHASES[status] for status in fields.retry.on),
        ),
        on_change=fields.on_change,
        on_remove=fields.on_remove,
        max_failed=fields.max_failed,
        declared_at=Position(path=document.source.path, line=document.line),
    )
