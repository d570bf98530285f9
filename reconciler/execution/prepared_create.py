"""A create with its op, its tags and its request, ready to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from reconciler.api.client import Writer
from reconciler.api.values import CreateJob
from reconciler.context import RunContext
from reconciler.model import InlineRequests, tags
from reconciler.planning.actions import Create

FileIds: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCreate:
    """A create with everything that is sent."""

    create: Create
    op: str
    tags: Mapping[str, str]
    request: CreateJob


def prepare(
    run: RunContext[Writer], create: Create, file_ids: FileIds, *, over: tuple[str, ...] = ()
) -> PreparedCreate:
    """Give a create its op (the claimed one, if the ledger has a claim), its tags and its request."""
    spec = create.spec
    op = run.ops.get(spec.run_key) or run.env.new_op()
    written = tags.write(
        tags.tags_of(
            spec, project=run.target.project, attempt=create.attempt, op=op, source=run.source, over=over
        )
    )
    inline = next((part.body for part in spec.inputs if isinstance(part, InlineRequests)), None)
    return PreparedCreate(
        create=create,
        op=op,
        tags=written,
        request=CreateJob(
            endpoint=spec.endpoint,
            model=spec.model,
            agent_id=spec.agent_id,
            input_files=file_ids,
            requests=inline,
            metadata={**spec.metadata, **written},
            timeout_hours=spec.timeout_hours,
        ),
    )
