"""What requests will probably cost, and the most that they can cost. Pure.

What is likely rests on what earlier answers used (`interval`). The upper bound does not: tokens in are bounded by bytes
(`catalogue/workload.py` says why), tokens out by `max_tokens`, pages by `pages`, and what these do not bound by the
context of the model, if anything. It uses the price of tokens that are not cached, and is rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

from msgspec.structs import replace

from reconciler.cost.gaps import ANSWERED_IN_TOKENS, SEVERAL_CALLS, basis_of, gaps_of
from reconciler.cost.interval import Seen, likely
from reconciler.cost.prices import MINUTE, PAGES, Price
from reconciler.model.money import Estimate, Usage, Workload
from reconciler.text.money import MICROS

MAX_MICROS: Final = 10**15 - 1
"""The largest bound. Tags and ledger have no larger amounts, and budgets neither."""
BYTES_A_TOKEN: Final = (7, 4, 2)
"""Bytes of a line for a token in it, before there are answers: many, usual, few."""
USUAL_INPUT: Final = 0.25
"""The usual variation of tokens in by the bytes of their lines."""
_TOKEN: Final = Decimal(1)
_PAGE: Final = Decimal(MICROS) / PAGES
_SECOND: Final = Decimal(MICROS) / MINUTE


class _Asked(NamedTuple):
    """The requests and their endpoint."""

    work: Workload
    size: float
    """The bytes that its lines probably have."""
    endpoint: str
    context: int | None


class _Amount(NamedTuple):
    """How much of a unit requests use. None is not known."""

    low: float
    mean: float | None
    high: float | None
    most: int | None


class _Cost(NamedTuple):
    amount: _Amount
    rate: Decimal | None
    """Micros for one; None if the price does not say."""
    usual_rate: Decimal | None
    """The same for what is likely: some tokens in are cached, and cost less."""


def estimate(
    workload: Workload,
    earlier: Usage,
    price: Price,
    *,
    requests: int,
    in_all: int,
    endpoint: str,
    context: int | None,
) -> Estimate:
    """Return what some requests of a workload cost.

    Args:
        workload: what all of its requests may use.
        earlier: what earlier answers to such requests used.
        price: of the model.
        requests: how many are submitted, whichever they are.
        in_all: the most that may follow without another plan, with these.
        endpoint: what they are sent to.
        context: the most tokens of a request and its answer together; None if it is not known.
    """
    part, whole = _part(workload, requests), _part(workload, in_all)
    size = workload.bytes * part.requests / max(1, workload.requests)
    asked = _Asked(part, size, endpoint, context)
    costs = [*_costs(asked, earlier, price)]
    at_most = _most(costs)
    low, mean, high = _likely(costs)
    top = math.inf if at_most is None else at_most
    return Estimate(
        currency=price.currency,
        low=int(min(low, top)),
        expected=None if mean is None else int(min(round(mean), top)),
        high=at_most if high is None else int(min(math.ceil(high), top)),
        at_most=at_most,
        in_all=_most([*_costs(asked._replace(work=whole), earlier, price)]),
        prices=price.date,
        basis=basis_of(whole, earlier, price, endpoint),
        gaps=tuple(gaps_of(whole, price, endpoint, context)),
    )


def in_total(estimates: Sequence[Estimate]) -> Estimate | None:
    """Return the sum of estimates, None if there are none. What is unknown of one is unknown of the sum."""
    if not estimates:
        return None
    return Estimate(
        currency=estimates[0].currency,
        low=_sum([it.low for it in estimates]),
        expected=_sum([it.expected for it in estimates]),
        high=_sum([it.high for it in estimates]),
        at_most=_sum([it.at_most for it in estimates]),
        in_all=_sum([it.in_all for it in estimates]),
        prices=max(it.prices for it in estimates),
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [it for it in amounts if it is not None]
    return sum(known) if len(known) == len(amounts) else None


def _costs(asked: _Asked, earlier: Usage, price: Price) -> Iterator[_Cost]:
    """Yield the parts of the cost: of each unit that the price is for."""
    work, endpoint = asked.work, asked.endpoint
    rates, count = price.batch, earlier.answers
    if rates.input is not None or rates.output is not None:
        rate = _rate(rates.input, _TOKEN)
        cached = rate if rates.cached is None else _rate(rates.cached, _TOKEN)
        yield _Cost(_tokens_in(asked, earlier), rate, _mixed(rate, cached, earlier))
        if endpoint in ANSWERED_IN_TOKENS:
            rate = _rate(rates.output, _TOKEN)
            most = _tokens_out(asked)
            seen = Seen(earlier.completion, earlier.completion_squares, count, count)
            yield _Cost(_by_answers(seen, work.requests, least=0, most=most), rate, rate)
    if rates.pages is not None:
        rate = _rate((work.annotated and rates.annotated) or rates.pages, _PAGE)
        most = None if work.without_maximum else work.output
        seen = Seen(earlier.pages, earlier.pages_squares, count, count)
        yield _Cost(_by_answers(seen, work.requests, least=work.requests, most=most), rate, rate)
    if rates.minutes is not None and (work.linked or endpoint not in ANSWERED_IN_TOKENS):
        rate = _rate(rates.minutes, _SECOND)
        seen = Seen(earlier.audio_seconds, earlier.audio_squares, count, count)
        yield _Cost(_by_answers(seen, work.requests, least=0, most=None), rate, rate)


def _rate(rate: float | None, micros: Decimal) -> Decimal | None:
    return None if rate is None else Decimal(str(rate)) * micros


def _mixed(rate: Decimal | None, cached: Decimal | None, earlier: Usage) -> Decimal | None:
    """Return the rate of tokens in of which as many are cached as earlier."""
    if rate is None or cached is None or not earlier.prompt:
        return rate
    return rate + (cached - rate) * min(earlier.cached, earlier.prompt) / earlier.prompt


def _part(work: Workload, requests: int) -> Workload:
    """Return the most that so many requests of a workload use, whichever they are."""
    if requests >= work.requests:
        return work
    return replace(
        work,
        requests=requests,
        bytes=min(work.bytes, requests * work.longest),
        output=min(work.output, requests * work.largest_output),
        without_maximum=min(work.without_maximum, requests * work.largest_n),
        linked=min(work.linked, requests),
    )


def _tokens_in(asked: _Asked, earlier: Usage) -> _Amount:
    work, size, endpoint, context = asked
    linked = work.linked if endpoint in ANSWERED_IN_TOKENS else 0
    most: int | None = work.bytes
    if endpoint in SEVERAL_CALLS or (linked and context is None):
        most = None
    elif linked and context is not None:
        most = min(work.requests * context, work.bytes + linked * context)
    if earlier.prompt:
        by_bytes = earlier.bytes > 0
        base, ahead = (earlier.bytes, size) if by_bytes else (earlier.answers, work.requests)
        seen = Seen(earlier.prompt, earlier.prompt_squares, earlier.answers, base)
        return _Amount(*likely(seen, ahead, usual=USUAL_INPUT), most)
    if linked:
        return _Amount(0, None, most, most)
    low, mean, high = (size / it for it in BYTES_A_TOKEN)
    return _Amount(low, mean, high, most)


def _tokens_out(asked: _Asked) -> int | None:
    work, _, endpoint, context = asked
    if endpoint in SEVERAL_CALLS or (work.without_maximum and context is None):
        return None
    return work.output + work.without_maximum * (context or 0)


def _by_answers(seen: Seen, requests: int, *, least: int, most: int | None) -> _Amount:
    return _Amount(*likely(seen, requests), most) if seen.total else _Amount(least, None, most, most)


def _most(costs: Sequence[_Cost]) -> int | None:
    """Return the most that all parts cost together, in micros, rounded up; None if nothing bounds it."""
    total = Decimal(0)
    for amount, rate, _ in costs:
        if rate is None or (rate and amount.most is None):
            return None
        total += rate * (amount.most or 0)
    return int(total.to_integral_value(ROUND_CEILING)) if total <= MAX_MICROS else None


def _likely(costs: Sequence[_Cost]) -> tuple[float, float | None, float | None]:
    """Return low, mean and high of all parts together, in micros. Parts vary independently of each other."""
    if any(it.rate is None for it in costs):
        return 0, None, None
    paid = [(it.amount, float(it.usual_rate)) for it in costs if it.usual_rate]
    known = [
        (it.low * rate, it.mean * rate, it.high * rate)
        for it, rate in paid
        if it.mean is not None and it.high is not None
    ]
    if len(known) < len(paid):
        return sum(it.low * rate for it, rate in paid), None, None
    mean = sum(it for _, it, _ in known)
    down = math.hypot(*(middle - low for low, middle, _ in known))
    up = math.hypot(*(high - middle for _, middle, high in known))
    return max(0.0, mean - down), mean, mean + up
