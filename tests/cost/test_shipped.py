"""The prices that ship with the package are well-formed, and those of today's models are complete."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from itertools import pairwise
from typing import Final

import pytest

from reconciler.catalogue.models import document, table
from reconciler.cost.prices import Price
from reconciler.cost.shipped import shipped

TODAY: Final = table().date
WITHOUT: Final = {
    "labs-leanstral-1-5-1": "no source has its price",
    "voxtral-mini-2507": "one id of two products with different prices",
}
"""Models that answer batches, or did in the last year, and that have no price on purpose."""
PRICES: Final = [it for found in shipped().rows.values() for it in found]


def test_every_model_that_answered_batches_in_the_last_year_has_a_price() -> None:
    lately = f"{int(TODAY[:4]) - 1}{TODAY[4:]}"
    asked = [it for it in table().models if it.endpoints and (it.retired or TODAY) >= lately]
    assert {it.id for it in asked if shipped().of(it.id, TODAY) is None} == WITHOUT.keys()


@pytest.mark.parametrize("price", PRICES, ids=lambda it: f"{it.model} {it.since}")
def test_a_batch_costs_half(price: Price) -> None:
    assert price.live is not None
    for name in price.batch.__struct_fields__:
        live, batch = getattr(price.live, name), getattr(price.batch, name)
        assert batch == (None if live is None else float(Decimal(str(live)) / 2))
        assert batch is None or batch >= 0


@pytest.mark.parametrize("price", PRICES, ids=lambda it: f"{it.model} {it.since}")
def test_tokens_in_and_out_both_have_a_price_or_neither(price: Price) -> None:
    assert (price.batch.input is None) == (price.batch.output is None)
    assert price.batch.cached is None or price.batch.cached <= (price.batch.input or 0)
    assert not price.since or dt.date.fromisoformat(price.since).isoformat() == price.since


def test_rows_and_moves_are_sorted_and_name_models_and_sources_of_the_table() -> None:
    whole = json.loads(document())
    marks = {it["mark"] for it in whole["sources"]}
    names = {name for it in whole["models"] for name in (it["id"], *it.get("aliases", ()))}
    rows = [(it["model"], it.get("since", "")) for it in whole["prices"]]
    assert rows == sorted(set(rows))
    for it in whole["prices"]:
        assert it["model"] in names
        assert it["sources"]
        assert set(it["sources"]) <= marks
    moves = [(it["alias"], it["before"], it["model"]) for it in whole["moves"]]
    assert moves == sorted(moves)
    for alias, before, model in moves:
        assert model in names
        assert alias in shipped().aliases
        assert before < TODAY


def test_an_alias_that_moved_has_another_model_before_and_after() -> None:
    for (alias, before, model), (again, after, newer) in pairwise(
        (it.alias, it.before, it.model) for it in shipped().moves
    ):
        assert (alias, before) < (again, after)
        if alias == again:
            assert shipped().resolve(alias, before) == newer != model


@pytest.mark.parametrize(
    ("model", "day", "live"),
    [
        ("mistral-medium-latest", "2026-06-15", (0.4, 2)),
        ("mistral-medium-latest", "2026-06-16", (1.5, 7.5)),
        ("mistral-small-latest", "2026-03-15", (0.1, 0.3)),
        ("mistral-small-latest", "2026-03-16", (0.15, 0.6)),
        ("mistral-large-4-0", "2026-10-25", (1.36, 4.18)),
        ("magistral-medium-latest", "2026-07-30", (2, 5)),
        ("magistral-medium-latest", "2026-08-01", (1.5, 7.5)),
    ],
)
def test_an_alias_costs_what_its_model_of_that_day_costs(
    model: str, day: str, live: tuple[float, float]
) -> None:
    price = shipped().of(model, day)
    assert price is not None
    assert price.live is not None
    assert (price.live.input, price.live.output) == live
