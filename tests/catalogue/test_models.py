"""The table of models is well-formed, and says what is doubtful about a model."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest

from reconciler.catalogue import models
from reconciler.catalogue.bodies import KNOWN_ENDPOINTS
from reconciler.catalogue.models import (
    Doubt,
    Model,
    by_name,
    doubt,
    doubt_by_api,
    doubt_by_table,
    table,
)

DAY = "2026-11-28"


def test_the_table_has_a_date_and_dated_sources() -> None:
    whole = json.loads(Path(models.__file__).with_name("models.json").read_bytes())
    assert whole.keys() == {"date", "sources", "models", "moves", "prices"}
    assert whole["sources"]
    day = dt.date.fromisoformat(table().date)
    for source in whole["sources"]:
        assert source.keys() == {"mark", "what", "url", "date"}
        assert dt.date.fromisoformat(source["date"]) <= day
        assert source["url"].startswith("https://")


def test_the_table_has_about_the_number_of_models_that_the_api_has() -> None:
    assert len(table().models) > 50
    assert sum(it.retired is None for it in table().models) > 15


@pytest.mark.parametrize("model", table().models, ids=lambda model: model.id)
def test_a_row_is_well_formed(model: Model) -> None:
    for name in (model.id, *model.aliases):
        assert re.fullmatch(r"[a-z][a-z0-9-]+", name)
        assert by_name()[name] is model
    assert model.retired is None or dt.date.fromisoformat(model.retired).isoformat() == model.retired
    if model.replacement is not None:
        after = by_name()[model.replacement]
        assert after.id == model.replacement != model.id
        assert after.retired is None or (model.retired or "") < after.retired
        assert set(after.endpoints) & set(model.endpoints)


def test_no_name_is_in_the_table_twice() -> None:
    names = [name for it in table().models for name in (it.id, *it.aliases)]
    assert len(names) == len(set(names))


def test_rows_are_sorted_by_id() -> None:
    ids = [it.id for it in table().models]
    assert ids == sorted(ids)


def test_every_endpoint_but_those_of_classifications_has_a_live_model() -> None:
    live = {endpoint for it in table().models if it.retired is None for endpoint in it.endpoints}
    assert live == {endpoint for endpoint in KNOWN_ENDPOINTS if "classifications" not in endpoint}


@pytest.mark.parametrize("model", table().models, ids=lambda model: model.id)
def test_the_endpoints_of_a_model_are_known_and_sorted(model: Model) -> None:
    assert list(model.endpoints) == sorted(set(model.endpoints) & set(KNOWN_ENDPOINTS))


@pytest.mark.parametrize(
    ("name", "endpoint", "expected"),
    [
        ("mistral-small-2603", "/v1/chat/completions", None),
        ("mistral-small-latest", "/v1/conversations", None),
        ("mistral-small-2603", "/v1/of/the/future", None),
        ("mistral-small-2603", None, None),
        ("ft:open-mistral-nemo:acme:20240101:x", "/v1/ocr", None),
        ("sandbox-stuck", "/v1/ocr", None),
        ("pixtral-large-latest", None, ("retired", "was retired on 2026-05-31", "use `mistral-medium-3-5`")),
        (
            "codestral-embed-2505",
            "/v1/ocr",
            ("unfit", "is not for /v1/ocr", "name another model: it is for /v1/embeddings"),
        ),
        (
            "mistral-ocr-2512",
            "/v1/fim/completions",
            ("unfit", "is not for /v1/fim/completions", "name another model: it is for /v1/ocr"),
        ),
        (
            "voxtral-mini-tts-3",
            "/v1/audio/transcriptions",
            (
                "unfit",
                "is not for /v1/audio/transcriptions",
                "name another model: it has no endpoint for batches",
            ),
        ),
        (
            "mistral-smal-latest",
            None,
            (
                "unknown",
                "is not a known model",
                "did you mean `mistral-small-latest`?",
            ),
        ),
        (
            "gpt-x",
            None,
            (
                "unknown",
                "is not a known model",
                "it may be newer than the table",
            ),
        ),
    ],
)
def test_a_doubt_names_what_is_wrong_and_what_to_do(
    name: str, endpoint: str | None, expected: tuple[str, str, str] | None
) -> None:
    found = doubt(name, endpoint, DAY)
    assert (found and (found.kind, found.message, found.hint)) == expected


def test_a_model_is_retired_from_its_date_on() -> None:
    (model,) = [it for it in table().models if it.id == "zai-glm-5-2"]
    assert model.retired == "2026-10-31"
    assert doubt(model.id, None, "2026-10-30") is None
    assert doubt(model.id, None, "2026-10-31") == Doubt(
        "retired", "was retired on 2026-10-31", "use `zai-glm-5-3`"
    )


LISTED = {
    name: model
    for model in (
        Model(id="mistral-new-2611", aliases=("mistral-new-latest",), endpoints=("/v1/chat/completions",)),
        Model(id="mistral-small-2603", endpoints=("/v1/chat/completions", "/v1/conversations")),
        Model(id="ministral-8b-2512", endpoints=("/v1/chat/completions", "/v1/conversations")),
        Model(
            id="old-2606", endpoints=("/v1/chat/completions",), retired="2026-11-30", replacement="new-2611"
        ),
    )
    for name in (model.id, *model.aliases)
}


@pytest.mark.parametrize(
    ("name", "endpoint", "kind", "words"),
    [
        ("mistral-new-latest", "/v1/chat/completions", None, ""),
        ("ft:mine", "/v1/ocr", None, ""),
        ("mistral-nwe-2611", "/v1/chat/completions", "unknown", "did you mean `mistral-new-2611`?"),
        ("gpt-x", "/v1/chat/completions", "unknown", "check the name"),
        ("mistral-new-2611", "/v1/ocr", "unfit", "name another model: it is for /v1/chat/completions"),
        ("pixtral-large-2411", "/v1/chat/completions", "retired", "use `mistral-medium-3-5` (table of"),
        (
            "ministral-8b-2512",
            "/v1/conversations",
            "unfit",
            "name another model: it is for /v1/chat/completions (table of",
        ),
        ("old-2606", "/v1/chat/completions", "retired", "use `new-2611`"),
    ],
)
def test_the_list_of_the_api_decides_and_the_table_tells_what_it_leaves_out(
    name: str, endpoint: str, kind: str | None, words: str
) -> None:
    found = doubt_by_api(name, endpoint, DAY, "2026-11-30", LISTED)
    assert (found and found.kind) == kind
    assert found is None or found.hint.startswith(words)


def test_without_a_list_the_table_decides() -> None:
    for name in ("pixtral-large-2411", "gpt-x", "mistral-small-2603"):
        assert doubt_by_api(name, "/v1/ocr", DAY, DAY, {}) == doubt_by_table(name, "/v1/ocr", DAY, DAY)


def test_a_model_that_is_retired_before_the_job_may_end_is_doubted() -> None:
    words = "is retired on 2027-04-30, and the job may run until 2027-05-01"
    assert doubt("mistral-large-2512", None, "2027-04-29", "2027-05-01") == Doubt(
        "retired", words, "use another model"
    )
    assert doubt("mistral-large-2512", None, "2027-04-28", "2027-04-29") is None
