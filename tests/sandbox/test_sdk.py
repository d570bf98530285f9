"""The official SDK, unmodified, against the sandbox over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from reconciler.sandbox import results
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store

if TYPE_CHECKING:  # the SDK takes half a second: tests that use it import it
    from mistralai.client import Mistral
    from mistralai.client.models import (
        ChatCompletionRequest,
        ChatCompletionResponse,
        EmbeddingRequest,
        EmbeddingResponse,
    )
    from mistralai.extra.batch import BatchClient, BatchResult

from .support import CHAT, START, Clock, jsonl, requests, running


@pytest.fixture
def url(store: Store, clock: Clock) -> Iterator[str]:
    with running(Server(make_app(store, now=clock), "127.0.0.1", 0)) as url:
        yield url


@pytest.fixture
def sdk(url: str) -> Iterator[Mistral]:
    from mistralai.client import Mistral

    with Mistral(api_key="a-key", server_url=url) as sdk:
        yield sdk


def test_it_uploads_lists_reads_and_deletes_files(sdk: Mistral) -> None:
    content = jsonl(*requests(3))
    uploaded = sdk.files.upload(
        file={"file_name": "questions.jsonl", "content": content}, purpose="batch", expiry=24
    )

    assert (uploaded.size_bytes, uploaded.num_lines, uploaded.sample_type) == (
        len(content),
        3,
        "batch_request",
    )
    listed = sdk.files.list(purpose="batch", sample_type=["batch_request"], source=["upload"], search="quest")
    assert [file.id for file in listed.data] == [uploaded.id]
    assert sdk.files.retrieve(file_id=uploaded.id).deleted is False
    assert sdk.files.download(file_id=uploaded.id).read() == content
    assert sdk.files.delete(file_id=uploaded.id).deleted is True
    assert sdk.files.list().total == 0


def test_it_uploads_for_every_purpose_that_it_knows(sdk: Mistral) -> None:
    for purpose in ("fine-tune", "batch", "ocr", "agentic_safety"):
        file = {"file_name": "a.jsonl", "content": b""}
        assert sdk.files.upload(file=file, purpose=purpose).purpose == purpose  # type: ignore[arg-type]


def test_it_creates_gets_and_reads_a_job_from_a_file(sdk: Mistral, clock: Clock) -> None:
    file = sdk.files.upload(file={"file_name": "q.jsonl", "content": jsonl(*requests(3))}, purpose="batch")
    job = sdk.batch.jobs.create(
        endpoint="/v1/chat/completions",
        input_files=[file.id],
        model="mistral-small-latest",
        metadata={"team": "search"},
        timeout_hours=2,
    )
    assert (job.status, job.total_requests, job.metadata) == ("QUEUED", 0, {"team": "search"})
    clock.advance(60)
    ended = sdk.batch.jobs.get(job_id=job.id)

    assert (ended.status, ended.succeeded_requests) == ("SUCCESS", 3)
    assert isinstance(ended.output_file, str)
    assert len(sdk.files.download(file_id=ended.output_file).read().splitlines()) == 3


def test_it_creates_an_inline_job_and_reads_its_outputs(sdk: Mistral, clock: Clock) -> None:
    from mistralai.client.models import BatchRequest

    job = sdk.batch.jobs.create(
        endpoint="/v1/embeddings",
        model="mistral-embed",
        requests=[BatchRequest(custom_id="a", body={"input": "text"})],
    )
    clock.advance(60)
    outputs = sdk.batch.jobs.get(job_id=job.id, inline=True).outputs

    assert isinstance(outputs, list)
    assert [output["custom_id"] for output in outputs] == ["a"]


def test_it_lists_jobs_with_every_filter(sdk: Mistral, clock: Clock) -> None:
    from mistralai.client.models import BatchRequest

    line = BatchRequest(body={})
    assert sdk.batch.jobs.list().data is None
    first = sdk.batch.jobs.create(
        endpoint="/v1/embeddings", model="mistral-embed", metadata={"team": "search"}, requests=[line]
    )
    clock.advance(60)
    second = sdk.batch.jobs.create(endpoint="/v1/embeddings", agent_id="ag:1", requests=[line])
    after = datetime.fromtimestamp(START + 30, UTC)

    def ids(**filters: object) -> list[str]:
        listed = sdk.batch.jobs.list(**filters)  # type: ignore[arg-type]
        return [job.id for job in listed.data or []]

    assert ids() == [second.id, first.id]
    assert ids(order_by="created", page_size=1, page=1) == [second.id]
    assert ids(model="mistral-embed") == [first.id]
    assert ids(agent_id="ag:1") == [second.id]
    assert ids(metadata={"team": "search"}) == [first.id]
    assert ids(created_after=after) == [second.id]
    assert ids(status=["SUCCESS", "RUNNING"]) == [first.id]
    assert ids(created_by_me=True) == [second.id, first.id]


def test_it_cancels_and_deletes_jobs(sdk: Mistral, clock: Clock) -> None:
    from mistralai.client import errors
    from mistralai.client.models import BatchRequest

    job = sdk.batch.jobs.create(
        endpoint="/v1/ocr",
        model="mistral-ocr-latest",
        requests=[BatchRequest(body={"document": {"file_id": "a"}})] * 100,
    )
    clock.advance(2)

    assert sdk.batch.jobs.cancel(job_id=job.id).status == "CANCELLATION_REQUESTED"
    clock.advance(1)
    assert sdk.batch.jobs.get(job_id=job.id).status == "CANCELLED"
    assert sdk.batch.jobs.delete(job_id=job.id).deleted is True
    with pytest.raises(errors.SDKError, match="not found"):
        sdk.batch.jobs.get(job_id=job.id)


def test_it_is_reported_what_is_wrong(sdk: Mistral, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mistralai.client import Mistral, errors
    from mistralai.client.models import BatchRequest

    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    with pytest.raises(errors.SDKError, match="unknown_model"):
        sdk.batch.jobs.create(endpoint="/v1/ocr", model="sandbox-refused", requests=[BatchRequest(body={})])
    with pytest.raises(errors.SDKError, match="value_error"):
        sdk.batch.jobs.create(endpoint="/v1/ocr", model="mistral-ocr-latest")
    with Mistral(server_url=url) as nobody, pytest.raises(errors.SDKError, match="Unauthorized"):
        nobody.batch.jobs.list()


def test_its_batch_helper_runs_a_job_from_upload_to_typed_answers(store: Store) -> None:
    from mistralai.client import Mistral
    from mistralai.client.models import EmbeddingResponse
    from mistralai.extra.batch import BatchClient

    ids = ["a", "b!fail", "c", "d!fail"]
    lines = jsonl(*({"custom_id": custom_id, "body": {"input": "text"}} for custom_id in ids))

    async def run(url: str) -> BatchResult[EmbeddingResponse]:
        async with Mistral(api_key="a-key", server_url=url) as sdk:
            batches: BatchClient[EmbeddingRequest, EmbeddingResponse] = BatchClient(
                sdk, endpoint="/v1/embeddings", response_body_type=EmbeddingResponse
            )
            return await batches.run(
                lines, model="mistral-embed", poll_interval_seconds=0.01, inline_threshold=1
            )

    with running(Server(make_app(store, now=time.time, speed=20), "127.0.0.1", 0)) as url:
        result = asyncio.run(run(url))

    assert set(result.by_id()) == {"a", "c"}
    assert {error.custom_id for error in result.errors()} == {"b!fail", "d!fail"}
    assert result.response_errors() == []


def test_its_batch_helper_reads_every_form_of_a_failure_and_answers_in_json(store: Store) -> None:
    from mistralai.client import Mistral
    from mistralai.client.models import ChatCompletionResponse
    from mistralai.extra.batch import BatchClient

    schema = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    bodies = {f"{form}!fail-{form}": CHAT for form in results.FORMS}
    bodies |= {"mistaken": {**CHAT, "max_tokens": "many"}, "good": {**CHAT, "response_format": wanted}}
    lines = jsonl(*({"custom_id": custom_id, "body": body} for custom_id, body in bodies.items()))

    async def run(url: str) -> BatchResult[ChatCompletionResponse]:
        async with Mistral(api_key="a-key", server_url=url) as sdk:
            batches: BatchClient[ChatCompletionRequest, ChatCompletionResponse] = BatchClient(
                sdk, endpoint="/v1/chat/completions", response_body_type=ChatCompletionResponse
            )
            return await batches.run(
                lines, model="mistral-small-2603", poll_interval_seconds=0.01, inline_threshold=1
            )

    with running(Server(make_app(store, now=time.time, speed=20), "127.0.0.1", 0)) as url:
        result = asyncio.run(run(url))

    (message,) = [choice.message for choice in result.by_id()["good"].choices]
    assert message is not None
    assert message.content == '{"a":1}'
    found = {error.custom_id: error.status_code for error in result.errors()}
    assert found == {
        "400!fail-400": 400,
        "error!fail-error": None,
        "429!fail-429": 429,
        "text!fail-text": None,
        "500!fail-500": 500,
        None: None,
        "mistaken": 422,
    }
    assert result.response_errors() == []
