"""The models that the sandbox lists, and the jobs that it refuses because of their model, by its own clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from reconciler.catalogue.models import table
from reconciler.sandbox.app import make_app
from reconciler.sandbox.server import Server
from reconciler.sandbox.store import Store

from .support import CHAT, Api, Clock, running


def test_the_official_sdk_reads_the_models(store: Store, clock: Clock) -> None:
    from mistralai.client import Mistral
    from mistralai.client.models import BaseModelCard

    with (
        running(Server(make_app(store, now=clock), "127.0.0.1", 0)) as url,
        Mistral(api_key="a-key", server_url=url) as sdk,
    ):
        cards = sdk.models.list().data or []
    listed = {card.id: card for card in cards if isinstance(card, BaseModelCard)}
    large = listed["mistral-large-2512"]
    assert "mistral-large-latest" in (large.aliases or ())
    assert (large.capabilities.completion_chat, large.capabilities.ocr) == (True, False)
    assert large.deprecation == datetime(2027, 4, 30, tzinfo=UTC)
    assert listed["mistral-ocr-2512"].capabilities.ocr


def test_the_list_has_no_model_that_is_retired_by_the_sandboxs_clock(api: Api, clock: Clock) -> None:
    def listed() -> dict[str, Any]:
        return {model["id"]: model for model in api.client.get("/v1/models").json()["data"]}

    today = datetime.fromtimestamp(clock(), UTC).date().isoformat()
    assert set(listed()) == {it.id for it in table().models if not it.retired or it.retired > today}
    clock.now = datetime(2026, 5, 30, 23, 59, tzinfo=UTC).timestamp()
    card = listed()["pixtral-large-2411"]
    assert (card["deprecation"], card["deprecation_replacement_model"]) == (
        "2026-05-31T00:00:00Z",
        "mistral-medium-3-5",
    )
    clock.advance(120)
    assert "pixtral-large-2411" not in listed()


def test_models_need_a_key(api: Api) -> None:
    assert api.client.get("/v1/models", headers={"Authorization": ""}).status_code == 401


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"model": "mistral-smal-latest"}, "unknown_model", "did you mean `mistral-small-latest`?"),
        (
            {"model": "pixtral-large-latest"},
            "retired_model",
            "retired on 2026-05-31; use `mistral-medium-3-5`",
        ),
        (
            {"model": "mistral-embed"},
            "unfit_model",
            "not for /v1/chat/completions; name another model: it is for /v1/embeddings",
        ),
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
