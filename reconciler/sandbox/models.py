"""The model calls, and the check of a job's model: from the table that comes with the package."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from reconciler.catalogue import models
from reconciler.catalogue.models import Model
from reconciler.sandbox import triggers
from reconciler.sandbox.errors import json_response, not_found, refused
from reconciler.sandbox.world import World

_CAPABILITIES = {
    "audio_transcription": "transcriptions",
    "classification": "classifications",
    "completion_chat": "chat",
    "completion_fim": "fim",
    "moderation": "moderations",
    "ocr": "ocr",
}
"""The uses of the table under the names that the API gives them; it has no name for others."""


def list_models(world: World, request: Request, workspace: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `GET /v1/models`: the models that are not retired."""
    day = _day(world)
    listed = [_shown(it) for it in models.table().models if it.retired is None or it.retired > day]
    return json_response({"object": "list", "data": listed})


def get_model(world: World, request: Request, workspace: str, name: str) -> Response:  # noqa: ARG001 - a handler
    """Answer `GET /v1/models/{model_id}`, by the id or an alias."""
    model = models.by_name().get(name)
    if model is None or (model.retired is not None and model.retired <= _day(world)):
        raise not_found("Model", name)
    return json_response(_shown(model))


def check_model(world: World, name: str | None, endpoint: str) -> None:
    """Refuse a model that a trigger names, and one that the table does not have, or has as retired or unfit.

    Raises:
        ErrorResponse: 400.
    """
    if triggers.names(name, triggers.REFUSED_MODEL):
        raise refused(f"Invalid model: {name}", param="model", code="unknown_model")
    found = None if name is None or world.lenient else models.doubt(name, endpoint, _day(world))
    if found is not None:
        message = f"Invalid model: {name} ({found.message}; {found.hint})"
        raise refused(message, param="model", code=f"{found.kind}_model")


def _day(world: World) -> str:
    return datetime.fromtimestamp(world.now(), UTC).date().isoformat()


def _shown(model: Model) -> dict[str, Any]:
    """Return a model as the API returns it."""
    return {
        "id": model.id,
        "object": "model",
        "owned_by": "mistralai",
        "name": model.id,
        "aliases": model.aliases,
        "max_context_length": model.context or 32768,
        "capabilities": {
            **{name: use in model.uses for name, use in _CAPABILITIES.items()},
            **{name: name in model.can for name in ("audio", "function_calling", "vision")},
        },
        "deprecation": None if model.retired is None else f"{model.retired}T00:00:00Z",
        "deprecation_replacement_model": model.replacement,
        "type": "base",
    }
