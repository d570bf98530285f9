"""The sandbox as a WSGI application: routes, authentication, and the list of the models that it knows."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from reconciler.catalogue import models
from reconciler.sandbox import files, jobs, results
from reconciler.sandbox.http import Json, json_response, like_fastapi, unauthorized
from reconciler.sandbox.store import Store, World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_JOBS, _JOB = "/v1/batch/jobs", "/v1/batch/jobs/<uuid:job_id>"
_FILES, _FILE = "/v1/files", "/v1/files/<uuid:file_id>"


def _list_models(world: World, request: Request, workspace: str) -> Json:  # noqa: ARG001 - a handler
    """Answer `GET /v1/models`: the models that are not retired on the sandbox's date."""
    day = world.day()
    listed = [_shown_model(it) for it in models.table().models if it.retired is None or it.retired > day]
    return {"object": "list", "data": listed}


def _shown_model(model: models.Model) -> Json:
    """Return a model as the API returns it."""
    return {
        "id": model.id,
        "object": "model",
        "owned_by": "mistralai",
        "name": model.id,
        "aliases": model.aliases,
        "capabilities": {
            name: any(models.CAPABILITIES.get(endpoint) == name for endpoint in model.endpoints)
            for name in models.CAPABILITIES.values()
        },
        **({} if model.context is None else {"max_context_length": model.context}),
        "deprecation": None if model.retired is None else f"{model.retired}T00:00:00Z",
        "deprecation_replacement_model": model.replacement,
        "type": "base",
    }


_CALLS = Map(
    [
        Rule(_JOBS, methods=["GET"], endpoint=jobs.list_jobs),
        Rule(_JOBS, methods=["POST"], endpoint=jobs.create_job),
        Rule(_JOB, methods=["GET"], endpoint=jobs.get_job),
        Rule(_JOB, methods=["DELETE"], endpoint=jobs.delete_job),
        Rule(f"{_JOB}/cancel", methods=["POST"], endpoint=jobs.cancel_job),
        Rule("/v1/models", methods=["GET"], endpoint=_list_models),
        Rule(_FILES, methods=["GET"], endpoint=files.list_files),
        Rule(_FILES, methods=["POST"], endpoint=files.upload_file),
        Rule(_FILE, methods=["GET"], endpoint=files.get_file),
        Rule(_FILE, methods=["DELETE"], endpoint=files.delete_file),
        Rule(f"{_FILE}/content", methods=["GET"], endpoint=files.download_file),
        *(Rule(path, methods=["POST"], endpoint=jobs.answer) for path in results.ENDPOINTS),
    ]
)
_BODY_SLACK = 1 << 20


class _Request(Request):
    """A request that closes its spooled uploads, also if the sender disconnects."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        super().__init__(environ)
        self._spooled = ExitStack()

    def _get_file_stream(self, *about: Any, **more: Any) -> IO[bytes]:  # noqa: ANN401 - passed on unchanged
        return self._spooled.enter_context(super()._get_file_stream(*about, **more))

    def close(self) -> None:
        super().close()
        self._spooled.close()


def make_app(
    store: Store,
    *,
    now: Callable[[], float],
    speed: float = 1.0,
    ids: Callable[[], str] = lambda: str(uuid.uuid4()),
    lenient: bool = False,
) -> WSGIApplication:
    """Build the sandbox's application on a store, which the caller closes.

    The application does not catch other exceptions than error answers: they are bugs, and a run in the same process
    fails with their traceback. New jobs run `speed` times faster than normal; if it is infinite, they end at once. A
    `lenient` sandbox accepts any model and any request body, also of no known kind. Raises `ValueError` if the speed is
    not a number above zero.
    """
    if math.isnan(speed) or speed <= 0:
        raise ValueError(f"speed must be above zero, not {speed}")
    world = World(store, now, ids, speed, lenient)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with _Request(environ) as request:
            request.max_content_length = files.MAX_FILE_BYTES + _BODY_SLACK
            try:
                response = _answer(world, request)
            except HTTPException as error:
                response = like_fastapi(error, environ)
        return response(environ, start_response)

    return app


def _answer(world: World, request: Request) -> Response:
    handler, ids = _CALLS.bind_to_environ(request.environ).match()
    answer: Response | Json = handler(world, request, _workspace(request), *map(str, ids.values()))
    return answer if isinstance(answer, Response) else json_response(answer)


def _workspace(request: Request) -> str:
    """Return the workspace of the caller's key: the hash of the key, so that the key is not stored."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise unauthorized()
    return hashlib.sha256(key.strip().encode()).hexdigest()
