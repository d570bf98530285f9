"""The check of a job's model, from the table that comes with the package."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.catalogue import models
from reconciler.sandbox import triggers
from reconciler.sandbox.errors import refused
from reconciler.sandbox.world import World


def check_model(world: World, name: str | None, endpoint: str) -> None:
    """Refuse a model that a trigger names, and one that the table does not have, or has as retired or unfit.

    Raises:
        ErrorResponse: 400.
    """
    if triggers.names(name, triggers.REFUSED_MODEL):
        raise refused(f"Invalid model: {name}", param="model", code="unknown_model")
    day = datetime.fromtimestamp(world.now(), UTC).date().isoformat()
    found = None if name is None or world.lenient else models.doubt(name, endpoint, day)
    if found is not None:
        message = f"Invalid model: {name} ({found.message}; {found.hint})"
        raise refused(message, param="model", code=f"{found.kind}_model")
