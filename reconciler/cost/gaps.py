"""What an estimate rests on, and what it does not know, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.cost.prices import Price
from reconciler.model.money import Usage, Workload
from reconciler.text.plural import pluralize

ANSWERED_IN_TOKENS: Final = frozenset({"/v1/chat/completions", "/v1/fim/completions", "/v1/conversations"})
"""The endpoints whose answers are paid by their tokens. The others are paid by what they are asked."""
SEVERAL_CALLS: Final = frozenset({"/v1/conversations"})
"""The endpoints that may call tools, and the model again with their results: nothing bounds what they use."""


def basis_of(work: Workload, earlier: Usage, price: Price, endpoint: str) -> tuple[str, ...]:
    """Return what an estimate rests on: `output from 980 answers`."""
    answers, rates = f"from {pluralize(earlier.answers, 'answer')}", price.batch
    bounded = not work.without_maximum
    found = []
    if rates.pages is not None and (earlier.pages or bounded):
        found.append(f"pages {answers}" if earlier.pages else "pages by `pages`")
    if rates.minutes is not None and earlier.audio_seconds:
        found.append(f"minutes {answers}")
    if (rates.input, rates.output) != (None, None) and endpoint in ANSWERED_IN_TOKENS:
        found += [f"output {answers}"] if earlier.completion else ["output by `max_tokens`"] * bounded
    elif rates.input is not None:
        found.append(f"tokens {answers}" if earlier.prompt else "tokens by bytes")
    return tuple(found)


def gaps_of(work: Workload, price: Price, endpoint: str, context: int | None) -> Iterator[str]:
    """Yield what is not known or not bounded, and what to do."""
    rates = price.batch
    answered = endpoint in ANSWERED_IN_TOKENS
    limit = "the context of the model is not known, so nothing bounds it"
    if context:
        limit = f"the bound is the context of the model, {context:,} tokens"
    if answered and (rates.input, rates.output) != (None, None) and None in (rates.input, rates.output):
        yield f"the price of {price.model} lacks tokens in or out: add it to prices.yaml"
    elif endpoint in SEVERAL_CALLS:
        yield f"{endpoint} may call tools and the model several times, so nothing bounds the cost"
    elif answered and rates.output:
        if work.without_maximum:
            yield f"no `max_tokens` for {pluralize(work.without_maximum, 'answer')}: set it in the body; {limit}"
        if work.linked:
            yield f"{pluralize(work.linked, 'request')} with images, documents, tools or other fields: {limit}"
    if rates.pages and work.without_maximum:
        yield f"no `pages` for {pluralize(work.without_maximum, 'document')}: set it in the body to bound the cost"
    if rates.minutes and (work.linked or not answered):
        yield "the length of recordings is not known before, so nothing bounds the cost"
    if price.unsure:
        yield f"the price may be wrong: {price.unsure}"
