"""The list of models is read as the API writes it: cards of aliases, capabilities, dates, and cards that lack most."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.api import wire
from reconciler.api.errors import MalformedAnswerError
from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.catalogue.models import Model

NONE = {
    "completion_chat": False,
    "completion_fim": False,
    "function_calling": False,
    "ocr": False,
    "classification": False,
    "moderation": False,
    "audio": False,
    "audio_transcription": False,
    "audio_transcription_realtime": False,
    "audio_speech": False,
}


def card(of: str, *able: str, **more: object) -> dict[str, Any]:
    return {
        "id": of,
        "object": "model",
        "created": 1766520693,
        "owned_by": "mistralai",
        "capabilities": NONE | dict.fromkeys(able, True),
        "name": of,
        "description": "A model.",
        "max_context_length": 131072,
        "aliases": [],
        "deprecation": None,
        "deprecation_replacement_model": None,
        "default_model_temperature": 0.3,
        "type": "base",
    } | more


def read(*cards: dict[str, Any]) -> dict[str, Model]:
    return wire.read_models(json.dumps({"object": "list", "data": cards}).encode())


def test_a_card_is_read_whole() -> None:
    (model,) = read(
        card(
            "mistral-medium-2505",
            "completion_chat",
            deprecation="2026-08-31T12:00:00Z",
            deprecation_replacement_model="mistral-medium-3-5",
        )
    ).values()
    assert model == Model(
        id="mistral-medium-2505",
        endpoints=("/v1/chat/completions", "/v1/conversations"),
        context=131072,
        retired="2026-08-31",
        replacement="mistral-medium-3-5",
    )


def test_the_card_of_an_alias_names_the_model_that_it_means() -> None:
    dated, alias, other = "mistral-medium-2508", "mistral-medium-latest", "mistral-medium"
    found = read(
        card(dated, aliases=[alias, other]),
        card(alias, name=dated, aliases=[dated, other]),
    )
    assert {name: model.id for name, model in found.items()} == dict.fromkeys((dated, alias, other), dated)
    assert set(found[alias].aliases) == {alias, other}


@pytest.mark.parametrize("name", ["Mistral Large 3", None, "mistral-of-others-2512"])
def test_the_card_of_an_alias_with_another_name_means_its_dated_id(name: str | None) -> None:
    found = read(card("mistral-large-latest", name=name, aliases=["mistral-large-2512"]))
    assert found["mistral-large-latest"].id == "mistral-large-2512"


def test_a_card_decides_about_its_own_id_whatever_others_call_an_alias() -> None:
    found = read(card("a-2601", "ocr"), card("b-2601", "moderation", aliases=["a-2601"]))
    assert (found["a-2601"].id, found["a-2601"].endpoints) == ("a-2601", ("/v1/ocr",))


@pytest.mark.parametrize(
    ("able", "endpoints"),
    [
        ((), {"/v1/embeddings"}),
        (("ocr",), {"/v1/ocr"}),
        (("completion_fim",), {"/v1/fim/completions"}),
        (("moderation",), {"/v1/moderations", "/v1/chat/moderations"}),
        (("classification",), {"/v1/classifications", "/v1/chat/classifications"}),
        (("audio_transcription",), {"/v1/audio/transcriptions"}),
        (("audio_speech",), set()),
        (("audio_transcription_realtime",), set()),
    ],
)
def test_a_model_has_the_endpoints_of_its_capabilities(able: tuple[str, ...], endpoints: set[str]) -> None:
    assert set(read(card("m", *able))["m"].endpoints) == endpoints


@pytest.mark.parametrize("capabilities", [None, {}, {"ocr": None}])
def test_what_no_capability_denies_is_not_doubted(capabilities: object) -> None:
    assert set(read(card("m", capabilities=capabilities))["m"].endpoints) == set(KNOWN_ENDPOINTS)
    assert set(read({"id": "m"})["m"].endpoints) == set(KNOWN_ENDPOINTS)


@pytest.mark.parametrize(
    "odd",
    [
        {"id": ""},
        {"id": "two words"},
        {"id": "\x1b[2J"},
        {"id": "m", "aliases": ["v=2 op=1"]},
        {"id": "m", "deprecation": "soon"},
        {"id": "m", "deprecation_replacement_model": "a\nb"},
        {"id": "m", "max_context_length": 0},
        {"id": "m", "capabilities": ["ocr"]},
        "m",
    ],
)
def test_a_card_that_does_not_match_the_description_is_refused(odd: Any) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(MalformedAnswerError):
        read(odd)


def test_the_sandbox_lists_what_the_description_says() -> None:
    assert wire.read_models(b'{"object":"list"}') == {}
