"""The prices of the package agree with those of `genai-prices`, but for rows that differ on purpose."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import pytest
from genai_prices.data import providers
from msgspec.structs import asdict

from reconciler.catalogue.models import by_name, document, table
from reconciler.cost.prices import Rates
from reconciler.cost.shipped import shipped

MISTRAL: Final = next(it for it in providers if it.id == "mistral")
UNITS: Final = {
    "input": ("input_mtok", 1),
    "cached": ("cache_read_mtok", 1),
    "output": ("output_mtok", 1),
    "pages": ("input_document_kpages", 1),
    "annotated": ("input_annotated_document_kpages", 1),
    "minutes": ("input_audio_hours", 60),
}
"""For each of our units, theirs, and how many of ours that is."""
ON_PURPOSE: Final = {
    "mistral-large-latest": "their price is that of mistral-large-2411; Mistral's documentation says 2512",
    "mistral-embed": "their price for tokens out: a request for embeddings has none",
    "mistral-embed-2312": "likewise",
    "codestral-latest": "they have no price for cached tokens under this name; under codestral-2508 they do",
    "magistral-medium-latest": "litellm, which is newer, has the price of Medium 3.5 since Magistral was retired",
    "magistral-small-latest": "litellm, which is newer, has the price of Small 4 since Magistral was retired",
    "voxtral-small-2507": "their price of batches leaves out audio, so that it costs as much as in single requests",
    "voxtral-small-latest": "likewise",
}
"""Names with another price in their table, and why ours differs."""


@cache
def theirs(name: str, day: str, *, batch: bool) -> dict[str, Decimal] | None:
    """Return their price by our units; None if they have none."""
    model = MISTRAL.find_model(name)
    if model is None:
        return None
    when = dt.datetime.fromisoformat(f"{day}T12:00:00+00:00")
    plain, found = model.get_prices(when), model.get_prices(when, {"processing": "batch"} if batch else None)
    if batch and found == plain:
        return None
    amounts = {unit: getattr(found, field, None) for unit, (field, _) in UNITS.items()}
    return {unit: it / UNITS[unit][1] for unit, it in amounts.items() if it is not None}


def ours(rates: Rates) -> dict[str, Decimal]:
    return {unit: Decimal(str(it)) for unit, it in asdict(rates).items() if it is not None}


def days() -> list[str]:
    """Return each day on which a price of either table may change, and the day before."""
    starts = {it.since for found in shipped().rows.values() for it in found if it.since}
    starts |= {it.before for it in shipped().moves} | {table().date}
    for model in MISTRAL.models:
        conditional: list[Any] = [*(model.price_variants or ())]
        conditional += model.prices if isinstance(model.prices, list) else []
        starts |= {str(it.constraint.start_date) for it in conditional if it.constraint is not None}
    before = {str(dt.date.fromisoformat(it) - dt.timedelta(days=1)) for it in starts}
    return sorted(starts | before)


def differences() -> Iterator[tuple[str, str]]:
    """Yield each name, and day, with another price in their table; zero and no price are the same."""
    for name, day, batch in itertools.product(by_name(), days(), (False, True)):
        price, there = shipped().of(name, day), theirs(name, day, batch=batch)
        rates = None if price is None else price.batch if batch else price.live
        if rates is None or there is None:
            continue
        if {**dict.fromkeys(UNITS, 0), **there} != {**dict.fromkeys(UNITS, 0), **ours(rates)}:
            yield name, f"{day} {'batch' if batch else 'live'}: {there} there, {ours(rates)} here"


def test_prices_differ_only_on_purpose_and_each_purpose_is_still_needed() -> None:
    found = defaultdict[str, list[str]](list)
    for name, how in differences():
        found[name].append(how)
    assert found.keys() - ON_PURPOSE.keys() == set(), found
    assert ON_PURPOSE.keys() - found.keys() == set()


@pytest.mark.parametrize("batch", [True, False])
def test_most_of_todays_models_are_compared(*, batch: bool) -> None:
    names = [it.id for it in table().models if it.retired is None and it.endpoints]
    compared = [name for name in names if theirs(name, table().date, batch=batch)]
    assert len(compared) > len(names) / 2


def test_a_row_that_names_this_source_has_a_price_in_it() -> None:
    for model, rows in shipped().rows.items():
        names = [name for name in by_name() if model in (name, shipped().resolve(name, table().date))]
        for it in rows:
            there = [theirs(name, it.since or "2024-01-01", batch=False) for name in names]
            assert ("genai-prices" in it.source) <= any(there), model


def test_the_release_that_is_compared_is_that_of_the_table() -> None:
    assert f"genai-prices {version('genai-prices')}".encode() in document()
