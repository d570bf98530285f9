"""Money, and what it is paid for. Amounts are whole millionths of a currency's unit ("micros"): $0.42 is 420,000."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Final

from msgspec import Struct

from reconciler.model.jobs import Count

DOLLAR: Final = "USD"
"""The currency of the prices that ship with the package."""


def micros(amount: float) -> int:
    """Return an amount in millionths of its unit, rounded down."""
    return int(Decimal(str(amount)).scaleb(6))


def decimals(micros: int) -> str:
    """Return an amount as a plain number with two decimals, rounded up: `12.40`."""
    return str(Decimal(micros).scaleb(-6).quantize(Decimal("0.01"), ROUND_CEILING))


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the answers of a job used, summed over those that report it."""

    answers: Count = 0
    """Answers that report their usage."""
    prompt: Count = 0
    """Tokens in, with those that the provider had cached."""
    cached: Count = 0
    completion: Count = 0
    """Tokens out."""
    prompt_squares: float = 0.0
    """Sum of the squares of each answer's tokens in, by the bytes of its line: with the sums, how much they vary."""
    completion_squares: float = 0.0
    pages: Count = 0
    """Pages of documents."""
    annotated: Count = 0
    """Of the pages, those of answers with annotations, which cost more."""
    pages_squares: float = 0.0
    audio_seconds: float = 0.0
    audio_squares: float = 0.0
    bytes: Count = 0
    """Bytes of the request lines of these answers."""
    incomplete: Count = 0
    """Answers whose usage is missing or invalid, or which could not be read: the sums are a lower bound."""


class Workload(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the requests of an input may use, as far as their lines tell it, whatever their endpoint."""

    requests: Count = 0
    bytes: Count = 0
    """Of all lines, without their line feeds."""
    longest: Count = 0
    """Bytes of the longest line."""
    output: Count = 0
    """Sum of `max_tokens`, times `n`, of the requests that have it; of those with a `document`, the pages they name."""
    largest_output: Count = 0
    """The largest of these."""
    without_maximum: Count = 0
    """Answers that these do not bound: `n` for each request without `max_tokens`, or without `pages`."""
    largest_n: Count = 1
    """The most answers of one request."""
    linked: Count = 0
    """Requests whose bytes do not bound their tokens: those with images, documents, recordings, tools or others."""
    annotated: Count = 0
    """Requests for annotations of documents, whose pages cost more."""


class Estimate(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a create will probably cost, and the most that it can cost. Amounts are micros; None is not known."""

    currency: str = DOLLAR
    low: int | None = None
    expected: int | None = None
    high: int | None = None
    """Nine of ten actual costs are between `low` and `high`."""
    at_most: int | None = None
    """The actual cost is never larger."""
    in_all: int | None = None
    """The most that it and all parts that may follow can cost, each request once."""
    prices: str = ""
    """The date of the price, `YYYY-MM-DD`; "" if there is none."""
    basis: tuple[str, ...] = ()
    """What it rests on, for readers: `output from 980 answers`."""
    gaps: tuple[str, ...] = ()
    """What is not known, and how to make it known, for readers: `no max_tokens: set it to bound the output`."""
