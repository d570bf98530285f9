"""What the calls have in common: parameters as the API declares them, answers, and errors in the real API's shapes.

The real API uses both FastAPI's shape of an error and its own.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from reconciler.catalogue.mistakes import located

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

S = TypeVar("S", bound=Struct)
Json: TypeAlias = dict[str, Any]

MAX_PAGE_SIZE: Final = 10_000
"""The real limit is unknown."""
_REPEATABLE: Final = frozenset({"mimetypes", "sample_type", "source", "status"})
"""The parameters that a call may give several times."""


class Page(Struct, frozen=True, kw_only=True):
    """The parameters of a list."""

    page: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    page_size: Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE)] = 100


def read(given: MultiDict[str, str], wanted: type[S], *, place: str = "query") -> S:
    """Return the query or the form of a request, without the parameters that `wanted` does not have.

    Raises a 422 with the first problem.
    """
    values = {name: given.getlist(name) if name in _REPEATABLE else text for name, text in given.items()}
    try:
        return msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise unprocessable(place, error) from None


def json_response(body: object, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(msgspec.json.encode(body), status, content_type="application/json")


class ErrorResponse(HTTPException):
    """An error answer. Handlers raise it, and the application sends it."""

    def __init__(self, response: Response) -> None:
        super().__init__(response=response)


def unauthorized() -> ErrorResponse:
    """Return the answer to a missing or empty key."""
    return ErrorResponse(json_response({"detail": "Unauthorized"}, 401))


def unprocessable(place: str, error: Exception) -> ErrorResponse:
    """Return the answer to a malformed `body` or `query`: `error` of msgspec says what is wrong with it."""
    path, message = located(error)
    problem = {"type": "value_error", "loc": [place, *path], "msg": message, "input": None}
    return ErrorResponse(json_response({"detail": [problem]}, 422))


def not_found(kind: str, identifier: str) -> ErrorResponse:
    """Return the answer to an id that this workspace does not have."""
    return ErrorResponse(json_response(envelope(f"{kind} {identifier} not found.", code="not_found"), 404))


def refused(message: str, *, param: str, code: str) -> ErrorResponse:
    """Return the answer to a request that is well-formed and cannot be carried out."""
    return ErrorResponse(json_response(envelope(message, param=param, code=code), 400))


def gateway_refusal() -> ErrorResponse:
    """Return the answer of the gateway in front of the API to a body that is too large: a web page."""
    title = "400 Bad Request"
    page = f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n</body>\n</html>\n"
    return ErrorResponse(Response(page, 400, content_type="text/html"))


def like_fastapi(error: HTTPException, environ: WSGIEnvironment) -> Response:
    """Return the answer to a request that werkzeug rejects: an unknown path, a wrong method, a broken upload."""
    response = Response.force_type(error.get_response(environ), environ)
    if not isinstance(error, ErrorResponse) and response.status_code >= HTTPStatus.BAD_REQUEST:
        response.data = msgspec.json.encode({"detail": error.name})
        response.content_type = "application/json"
    return response


def envelope(message: object, kind: str = "invalid_request_error", **more: str) -> Json:
    """Return an error in the API's own shape."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": None, **more}
