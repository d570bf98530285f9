"""A create with its op, its tags and its request, ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from reconciler.api.client import Writer
from reconciler.api.values import CreateJob
from reconciler.context import RunContext
from reconciler.model import TableRows, Tags, tags
from reconciler.planning.actions import Create

FileIds: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCreate:
    """A create with everything that is sent."""

    create: Create
    op: str
    tags: Tags
    request: CreateJob


def prepare(
    run: RunContext[Writer], create: Create, file_ids: FileIds, *, over: tuple[str, ...] = ()
) -> PreparedCreate:
    """Give a create its op (that of the run's intent, if it has recorded one), its tags and its request."""
    spec = create.spec
    op = run.ops.get(spec.run_key) or run.env.new_op()
    project, attempt = run.target.project, create.attempt
    known = run.requests.get(spec.run_key)
    marks = tags.tags_of(
        spec,
        project=project,
        attempt=attempt,
        op=op,
        source=run.source,
        over=over,
        request_digest=known.digest if known else "",
        part=create.submitted,
        resolved=run.resolved(spec.model),
        estimate=create.estimate,
    )
    if any(isinstance(it, TableRows) for it in create.sent.inputs):
        raise AssertionError("rows are rendered before a create")
    return PreparedCreate(
        create=create,
        op=op,
        tags=marks,
        request=CreateJob(
            endpoint=spec.endpoint,
            model=spec.model,
            agent_id=spec.agent_id,
            input_files=file_ids,
            metadata={**spec.metadata, **tags.write(marks)},
            timeout_hours=spec.timeout_hours,
        ),
    )
