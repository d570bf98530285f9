"""Models that the sandbox knows: its list, and the jobs that it refuses by its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reconciler.catalogue.models import table
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import serve
from reconciler.sandbox.store import Store

from .support import CHAT, NOBODY, Api, Clock, running

if TYPE_CHECKING:
    from mistralai.client import Mistral


@pytest.fixture
def sdk(store: Store, clock: Clock) -> Iterator[Mistral]:
    from mistralai.client import Mistral

    with (
        running(serve(make_app(store, now=clock), "127.0.0.1", 0)) as url,
        Mistral(api_key="a-key", server_url=url) as sdk,
    ):
        yield sdk


def test_the_official_sdk_reads_the_list(sdk: Mistral) -> None:
    from mistralai.client.models import BaseModelCard

    listed = {card.id: card for card in sdk.models.list().data or [] if isinstance(card, BaseModelCard)}
    large = listed["mistral-large-2512"]
    assert large.aliases
    assert "mistral-large-latest" in large.aliases
    assert large.capabilities.completion_chat
    assert not large.capabilities.ocr
    assert large.deprecation == datetime(2027, 4, 30, tzinfo=UTC)
    assert listed["mistral-ocr-4-1"].capabilities.ocr


def test_the_official_sdk_reads_one_by_its_alias(sdk: Mistral) -> None:
    from mistralai.client import errors
    from mistralai.client.models import BaseModelCard

    card = sdk.models.retrieve(model_id="mistral-small-latest")
    assert isinstance(card, BaseModelCard)
    assert card.id == "mistral-small-2603"
    with pytest.raises(errors.SDKError, match="not found"):
        sdk.models.retrieve(model_id="mistral-small-2506")


def test_the_list_has_no_model_that_is_retired_by_the_sandboxs_clock(api: Api, clock: Clock) -> None:
    def ids() -> set[str]:
        return {model["id"] for model in api.client.get("/v1/models").json()["data"]}

    today = datetime.fromtimestamp(clock(), UTC).date().isoformat()
    assert ids() == {it.id for it in table().models if not it.retired or it.retired > today}
    clock.now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert "pixtral-large-2411" in ids()
    card = api.client.get("/v1/models/pixtral-large-latest").json()
    assert (card["deprecation"], card["deprecation_replacement_model"]) == (
        "2026-05-31T00:00:00Z",
        "mistral-medium-3-5",
    )


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"model": "mistral-smal-latest"}, "unknown_model", "did you mean `mistral-small-latest`?"),
        (
            {"model": "pixtral-large-latest"},
            "retired_model",
            "retired on 2026-05-31; use `mistral-medium-3-5`",
        ),
        ({"model": "mistral-embed"}, "unfit_model", "not for /v1/chat/completions; it is for /v1/embeddings"),
        (
            {
                "model": None,
                "requests": [{"custom_id": "a", "body": {**CHAT, "model": "pixtral-large-2411"}}],
            },
            "retired_model",
            "retired on 2026-05-31",
        ),
    ],
)
def test_a_create_with_a_doubtful_model_is_refused(
    api: Api, fields: dict[str, Any], code: str, words: str
) -> None:
    response = api.create(**fields)
    assert response.status_code == 400
    body = response.json()
    assert (body["type"], body["param"], body["code"]) == ("invalid_request_error", "model", code)
    assert words in body["message"]
    assert api.listed() == []


def test_a_model_is_served_until_the_day_it_is_retired(api: Api, clock: Clock) -> None:
    clock.now = datetime(2026, 5, 30, 23, 59, tzinfo=UTC).timestamp()
    assert api.create(model="pixtral-large-2411").status_code == 200
    clock.advance(120)
    assert api.create(model="pixtral-large-2411").status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "ft:open-mistral-nemo:acme:20240101:x"},
        {"model": None, "agent_id": "ag:1"},
        {"model": None},
        {"model": "mistral-large-latest", "endpoint": "/v1/conversations"},
    ],
)
def test_fine_tuned_models_and_agents_are_not_judged(api: Api, fields: dict[str, Any]) -> None:
    assert api.create(**fields).status_code == 200


def test_a_lenient_sandbox_takes_any_model_and_any_body(
    client_for: Callable[..., httpx.Client], clock: Clock
) -> None:
    api = Api(client_for(lenient=True))
    job = api.created(
        model="of-the-future", endpoint="/v1/ocr", requests=[{"custom_id": "a", "body": {"document": 5}}]
    )
    clock.advance(60)
    assert api.job(job)["succeeded_requests"] == 1


def test_models_need_a_key(client_for: Callable[..., httpx.Client]) -> None:
    client = client_for()
    assert client.get("/v1/models", headers={"Authorization": ""}).status_code == 401
    assert client.get(f"/v1/models/{NOBODY}").status_code == 404
