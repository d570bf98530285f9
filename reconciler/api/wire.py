"""Convert between the API's JSON and our values, in both directions.

The types follow Mistral's OpenAPI description (ListBatchJobsResponse, BatchJob, FileSchema, CreateBatchJobRequest).
Fields that it requires are required, unknown fields are ignored, and an optional field may be null. A body that
does not match is rejected; of a page of jobs, `odd_rows` reads the rows one by one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from reconciler.api import error_text
from reconciler.api.errors import FROM_A_PROXY, MalformedAnswerError
from reconciler.api.values import CreateJob, File, FilePage, Id, JobPage
from reconciler.catalogue.models import CAPABILITIES, Model
from reconciler.model import Job, Phase
from reconciler.model.jobs import Count, Time
from reconciler.text.sanitize import clean

PHASES: Final = {
    "QUEUED": Phase.ACTIVE,
    "RUNNING": Phase.ACTIVE,
    "SUCCESS": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "TIMEOUT_EXCEEDED": Phase.TIMED_OUT,
    "CANCELLATION_REQUESTED": Phase.STOPPING,
    "CANCELLED": Phase.CANCELLED,
}
"""Every status of the description (BatchJobStatus). Any other status is `Phase.UNKNOWN`: Mistral may add some."""

NO_MATCH: Final = "the answer does not match the API's description"
MAX_DIGITS: Final = 40
"""Digits: a longer number is read as text."""


NO_BATCH: Final = ("audio_speech", "audio_transcription_realtime")
"""Capabilities that no endpoint for batches needs."""
_DATED: Final = re.compile(r"-\d{4}\Z")

Name = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9][\w.:/-]*\Z")]
"""A model's id or alias."""

_shared: Final = lru_cache(maxsize=1000)(clean)
"""Cleans values that most jobs have in common, and shares them in memory."""


class BatchError(Struct, gc=False):
    """An error of a job, and how often it occurred."""

    message: str
    count: int | None = 1


class BatchJob(Struct, gc=False, omit_defaults=True):
    """A job as the API returns it."""

    id: Id
    input_files: list[Id]
    endpoint: str
    errors: list[BatchError]
    status: str
    created_at: Time
    """Unix seconds by the server's clock, like the two others."""
    total_requests: Count
    completed_requests: Count
    succeeded_requests: Count
    failed_requests: Count
    metadata: dict[str, Any] | None = None
    model: str | None = None
    agent_id: str | None = None
    output_file: Id | None = None
    error_file: Id | None = None
    started_at: Time | None = None
    completed_at: Time | None = None

    def fold(self) -> Job:
        """Return our value of the job, its texts cleaned."""
        fields = msgspec.structs.asdict(self) | {
            "status": _shared(self.status),
            "endpoint": _shared(self.endpoint),
            "model": None if self.model is None else _shared(self.model),
            "agent_id": None if self.agent_id is None else _shared(self.agent_id),
            "metadata": self.metadata or {},
            "input_files": tuple(self.input_files),
            "errors": tuple(map(_describe, self.errors)) if self.errors else (),
        }
        return Job(phase=PHASES.get(self.status, Phase.UNKNOWN), **fields)


class _Jobs(Struct, gc=False):
    total: Count
    data: list[BatchJob] | None = None


class _Files(Struct, gc=False):
    data: list[File] | None = None
    total: Count | None = None


class ModelCard(Struct, gc=False):
    """A model as the API returns it: BaseModelCard or FTModelCard of the official SDK.

    An alias has a card of its own, whose `name` is the model's id, and `aliases` are its other names.
    """

    id: Name
    name: str | None = None
    aliases: list[Name] | None = None
    capabilities: dict[str, bool | None] | None = None
    max_context_length: Annotated[int, Meta(gt=0)] | None = None
    deprecation: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d")] | None = None
    deprecation_replacement_model: Name | None = None

    def fold(self) -> Model:
        """Return our value of the model. It has the endpoints that no capability denies."""
        names = (self.id, *(self.aliases or ()))
        dated = (name for name in names if _DATED.search(name))
        own = self.name if self.name and self.name in names else next(dated, self.id)
        able = self.capabilities or {}
        endpoints = [it for it, capability in CAPABILITIES.items() if able.get(capability) is not False]
        embeds = not any(map(able.get, (*CAPABILITIES.values(), *NO_BATCH)))
        return Model(
            id=own,
            aliases=tuple(sorted(set(names) - {own})),
            endpoints=tuple(sorted([*endpoints, *(["/v1/embeddings"] if embeds else [])])),
            context=self.max_context_length,
            retired=self.deprecation and self.deprecation[:10],
            replacement=self.deprecation_replacement_model,
        )


class _Models(Struct, gc=False):
    data: list[ModelCard] | None = None

    def by_name(self) -> dict[str, Model]:
        """Return every model under its names; a card of its own decides about a name."""
        cards = [(card, card.fold()) for card in self.data or ()]
        others = {alias: model for card, model in cards for alias in card.aliases or ()}
        return others | {card.id: model for card, model in cards}


class _Deleted(Struct, gc=False):
    id: Id
    deleted: bool | None = True


S = TypeVar("S", bound=Struct)
T = TypeVar("T")
OPTIONAL: Final = frozenset(
    field.name for field in msgspec.structs.fields(BatchJob) if field.default is not msgspec.NODEFAULT
)
"""The fields of a job that the API may omit."""


def _cleaned(file: File) -> File:
    texts = {name: clean(it) for name, it in msgspec.structs.asdict(file).items() if isinstance(it, str)}
    return msgspec.structs.replace(file, **texts)


def reads(kind: type[S], fold: Callable[[S], T]) -> Callable[[bytes], T]:
    """Return a function that reads a body of this kind, or raises `MalformedAnswerError`."""
    decoder = msgspec.json.Decoder(kind)
    return lambda body: fold(_decoded(decoder, body))


read_job: Final = reads(BatchJob, BatchJob.fold)
"""Reads a BatchJob."""
read_job_page: Final = reads(
    _Jobs, lambda page: JobPage(jobs=tuple(job.fold() for job in page.data or ()), total=page.total)
)
"""Reads a page of jobs; one without `data` is empty, and one malformed job makes the page malformed: see `odd_rows`."""
read_file: Final = reads(File, _cleaned)
"""Reads a file's description."""
read_file_page: Final = reads(
    _Files, lambda page: FilePage(files=tuple(map(_cleaned, page.data or ())), total=page.total)
)
"""Reads a page of files."""
_read_deleted: Final = reads(_Deleted, lambda answer: answer.deleted is not False)


read_models: Final = reads(_Models, _Models.by_name)
"""Reads the list of models."""


def read_deleted(body: bytes) -> bool:
    """Read the answer to a DELETE: False if the API says that it did not delete, True for an empty body (204)."""
    return not body or _read_deleted(body)


class _Object(Struct):
    """Any JSON object."""


_read_object: Final = reads(_Object, bool)


def read_answer(body: bytes) -> bytes:
    """Return the answer of a live endpoint as it is, if it is a JSON object."""
    _read_object(body)
    return body


def write_create(job: CreateJob) -> bytes:
    """Return the body of `POST /v1/batch/jobs` without the empty fields."""
    return msgspec.json.encode({it.name: value for it in fields(job) if (value := getattr(job, it.name))})


def _decoded(decoder: msgspec.json.Decoder[S], body: bytes) -> S:
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, UTF-8 and validation errors alike
        with suppress(ValueError, RecursionError):
            return decoder.decode(_mended(body))
        if isinstance(error, msgspec.ValidationError):
            raise MalformedAnswerError(f"{NO_MATCH}: {error}") from None
        if error_text.is_html(body):
            raise MalformedAnswerError("the answer is an HTML page", hint=FROM_A_PROXY) from None
        raise MalformedAnswerError(f"the answer is not JSON: {error}", transient=True) from None


def _mended(body: bytes) -> bytes:
    """Repair JSON that only lenient decoders accept: another project's metadata must not make the list unreadable.

    Half of a surrogate pair becomes a question mark. A number too large for a double becomes its text.
    """
    value = json.loads(body, parse_float=_number, parse_int=_number, parse_constant=str)
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _number(text: str) -> object:
    number = float(text)
    if math.isinf(number) or len(text) > MAX_DIGITS:
        return text
    return int(text) if text.lstrip("-").isdigit() else number


def _describe(error: BatchError) -> str:
    message = clean(error.message)
    return f"{message} ({error.count:,} times)" if error.count and error.count > 1 else message
