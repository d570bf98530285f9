"""Prices by day, and what usage costs by them."""

from __future__ import annotations

import pytest

from reconciler.cost.prices import Move, Price, Prices, Rates, cost_of
from reconciler.model.money import Usage

CHAT = Rates(input=0.075, cached=0.0075, output=0.30)
EMBED = Rates(input=0.05, output=0)
OCR = Rates(pages=2, annotated=2.5)
SPEECH = Rates(minutes=0.0015)


def price(batch: Rates, *, since: str = "", live: Rates | None = None, model: str = "m") -> Price:
    return Price(model=model, batch=batch, live=live, since=since, date="2026-11-28", source="docs")


@pytest.mark.parametrize(
    ("rates", "usage", "micros"),
    [
        (CHAT, Usage(), 0),
        (CHAT, Usage(prompt=1_000_000), 75_000),
        (CHAT, Usage(prompt=1_000_000, cached=400_000), 45_000 + 3_000),
        (CHAT, Usage(completion=1_000_000), 300_000),
        (CHAT, Usage(prompt=20), 2),  # 1.5 is rounded to the even neighbour
        (CHAT, Usage(prompt=100, cached=1_000), 1),  # no more was cached than sent
        (EMBED, Usage(prompt=2_000_000), 100_000),
        (OCR, Usage(pages=1), 2_000),
        (OCR, Usage(pages=1_500, prompt=9, completion=9), 3_000_000),
        (OCR, Usage(pages=1_000, annotated=400), 1_200_000 + 1_000_000),
        (Rates(pages=1), Usage(pages=1_000, annotated=400), 1_000_000),
        (SPEECH, Usage(audio_seconds=90.0, prompt=4, completion=635), 2_250),
        (Rates(input=0, output=0), Usage(prompt=10**9, completion=10**9), 0),
        (Rates(input=1, output=1), Usage(prompt=10, cached=10), 10),
        # A part without a price makes the whole unknown: it is never 0.
        (CHAT, Usage(prompt=10, audio_seconds=60.0), None),
        (CHAT, Usage(prompt=10, pages=1), None),
        (OCR, Usage(pages=1, audio_seconds=1.0), None),
        (Rates(input=1), Usage(prompt=10, completion=1), None),
    ],
)
def test_each_unit_has_its_price(rates: Rates, usage: Usage, micros: int | None) -> None:
    assert cost_of(price(rates), usage) == micros


def test_single_requests_have_the_live_price() -> None:
    of_both = price(CHAT, live=Rates(input=1, output=2))
    assert cost_of(of_both, Usage(prompt=3, completion=4), live=True) == 3 + 8
    assert cost_of(price(CHAT), Usage(prompt=3), live=True) is None
    assert cost_of(None, Usage(prompt=3)) is None


SERIES = (price(EMBED), price(CHAT, since="2026-10-20"), price(OCR, since="2026-10-29"))
TABLE = Prices(
    date="2026-11-28",
    rows={
        "m": SERIES,
        "older": (price(SPEECH),),
        "late": (price(CHAT, since="2026-10-29"),),
        "named": (price(OCR, since="2026-07-31"),),
    },
    aliases={"m-latest": "m", "named": "m"},
    moves=(
        Move(alias="m-latest", before="2025-12-18", model="oldest"),
        Move(alias="m-latest", before="2026-06-23", model="older"),
    ),
)


@pytest.mark.parametrize(
    ("model", "day", "rates"),
    [
        ("m", "2024-01-01", EMBED),
        ("m", "2026-10-19", EMBED),
        ("m", "2026-10-20", CHAT),
        ("m", "2026-10-29", OCR),
        ("m", "2030-01-01", OCR),
        ("m-latest", "2026-11-28", OCR),
        ("m-latest", "2026-06-23", EMBED),
        ("m-latest", "2026-06-22", SPEECH),
        ("m-latest", "2025-12-17", None),
        ("late", "2026-10-28", None),
        ("ft:m:acme", "2026-11-28", None),
        ("named", "2026-07-31", OCR),
        ("named", "2026-07-30", EMBED),
    ],
)
def test_a_price_holds_from_its_day_on_and_an_alias_has_that_of_its_model(
    model: str, day: str, rates: Rates | None
) -> None:
    found = TABLE.of(model, day)
    assert (found and found.batch) == rates
