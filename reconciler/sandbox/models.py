"""The model call, answered from the table that comes with the package."""

from __future__ import annotations

from typing import Final

from werkzeug.wrappers import Request

from reconciler.catalogue import models
from reconciler.sandbox.http import Json
from reconciler.sandbox.store import World

_CAPABILITIES: Final = {
    "audio_transcription": "/v1/audio/transcriptions",
    "completion_chat": "/v1/chat/completions",
    "completion_fim": "/v1/fim/completions",
    "moderation": "/v1/moderations",
    "ocr": "/v1/ocr",
}
"""The names that the API gives to uses, and the endpoint of each. The table says nothing of other capabilities."""


def list_models(world: World, request: Request, workspace: str) -> Json:  # noqa: ARG001 - a handler
    """Answer `GET /v1/models`: the models that are not retired on the sandbox's date."""
    day = world.day()
    listed = [_shown(it) for it in models.table().models if it.retired is None or it.retired > day]
    return {"object": "list", "data": listed}


def _shown(model: models.Model) -> Json:
    """Return a model as the API returns it."""
    return {
        "id": model.id,
        "object": "model",
        "owned_by": "mistralai",
        "name": model.id,
        "aliases": model.aliases,
        "capabilities": {name: endpoint in model.endpoints for name, endpoint in _CAPABILITIES.items()},
        "deprecation": None if model.retired is None else f"{model.retired}T00:00:00Z",
        "deprecation_replacement_model": model.replacement,
        "type": "base",
    }
