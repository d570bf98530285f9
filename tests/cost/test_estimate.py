"""Estimates hold what they say: in seeded workloads, and at every bound."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.cost.estimate import estimate, in_total
from reconciler.cost.prices import Price, Rates, cost_of
from reconciler.model.money import Estimate, Usage, Workload
from tests.cost.workloads import MODELS, case, holds, played, width

CHAT, FIM, TALK, EMBED, OCR, AUDIO = (
    "/v1/chat/completions",
    "/v1/fim/completions",
    "/v1/conversations",
    "/v1/embeddings",
    "/v1/ocr",
    "/v1/audio/transcriptions",
)
TOKENS = Rates(input=0.1, cached=0.01, output=0.4)
WORK = Workload(requests=100, bytes=40_000, longest=500, output=100 * 200, largest_output=200)


def priced(rates: Rates, **fields: Any) -> Price:  # noqa: ANN401 - fields of a price
    return Price(model="m", batch=rates, date="2026-11-28", source="a test", **fields)


def estimated(work: Workload = WORK, used: Usage = Usage(), rates: Rates = TOKENS, **fields: Any) -> Estimate:  # noqa: ANN401, B008
    given = {"requests": work.requests, "in_all": work.requests, "endpoint": CHAT, "context": 1_000}
    return estimate(work, used, priced(rates), **{**given, **fields})


def check_workloads(seeds: range, folder: Path, *, following: int = 0) -> None:
    results = [played(case(seed, following=following), folder) for seed in seeds]
    over = [it for it in results if it.found.at_most is None or it.actual > it.found.at_most]
    assert not over, "an upper bound was passed"
    by_endpoint = defaultdict(list)
    for it in results:
        by_endpoint[it.case.endpoint].append(holds(it))
    assert by_endpoint.keys() == MODELS.keys()
    shares = {name: sum(held) / len(held) for name, held in by_endpoint.items()}
    assert sum(map(holds, results)) / len(results) >= 0.9, shares
    assert min(shares.values()) >= 0.85, shares


def test_nine_of_ten_workloads_cost_what_the_plan_says_after_a_canary(tmp_path: Path) -> None:
    check_workloads(range(60), tmp_path, following=150)


@pytest.mark.thorough
def test_nine_of_ten_of_a_thousand_workloads_cost_what_the_plan_says(tmp_path: Path) -> None:
    check_workloads(range(1_000, 2_000), tmp_path)


def test_the_interval_is_at_most_fifty_percent_wide_where_the_variation_is_one(tmp_path: Path) -> None:
    found = [played(case(seed, variation=1.0, endpoint=CHAT, following=180), tmp_path) for seed in range(15)]
    assert median(map(width, found)) <= 0.5


usages = st.builds(
    lambda prompt, completion, cached, answers: Usage(
        answers=answers, prompt=prompt, completion=completion, cached=min(cached, prompt), bytes=answers * 400
    ),
    st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 1_000),
)  # fmt: skip


@given(data=st.data(), used=usages)
def test_no_answers_within_their_limits_cost_more_than_the_bound(data: st.DataObject, used: Usage) -> None:
    """Whatever earlier answers used, and whichever requests are chosen."""
    context = 1_000
    rows = data.draw(
        st.lists(
            st.tuples(
                st.integers(30, 500), st.none() | st.integers(1, 300), st.integers(1, 3), st.booleans()
            ),
            min_size=1,
            max_size=12,
        )
    )
    maxima = [most * n for _, most, n, _ in rows if most]
    work = Workload(
        requests=len(rows),
        bytes=sum(size for size, *_ in rows),
        longest=max(size for size, *_ in rows),
        output=sum(maxima),
        largest_output=max(maxima, default=0),
        without_maximum=sum(n for _, most, n, _ in rows if not most),
        largest_n=max(n for _, _, n, _ in rows),
        linked=sum(linked for *_, linked in rows),
    )
    chosen = data.draw(st.lists(st.sampled_from(range(len(rows))), min_size=1, unique=True))
    actual = Usage(
        answers=len(chosen),
        prompt=sum(context if rows[at][3] else rows[at][0] for at in chosen),
        completion=sum(rows[at][2] * (rows[at][1] or context) for at in chosen),
    )
    found = estimated(work, used, requests=len(chosen), context=context)
    cost = cost_of(priced(TOKENS), actual)
    assert cost is not None
    assert found.at_most is not None
    assert cost <= found.at_most <= (found.in_all or 0)
    amounts = [it for it in (found.low, found.expected, found.high, found.at_most) if it is not None]
    assert amounts == sorted(amounts)


@pytest.mark.parametrize(
    ("fields", "work", "bounded", "gap"),
    [
        ({}, {}, True, ""),
        (
            {},
            {"without_maximum": 3},
            True,
            "no `max_tokens` for 3 answers: set it in the body; the bound is",
        ),
        ({"context": None}, {"without_maximum": 3}, False, "the context of the model is not known"),
        (
            {},
            {"linked": 2},
            True,
            "2 requests with images, documents, tools or other fields: the bound is",
        ),
        ({"context": None}, {"linked": 2}, False, "the context of the model is not known"),
        ({"endpoint": TALK}, {}, False, "/v1/conversations may call tools and the model several times"),
        ({"endpoint": EMBED, "context": None}, {"linked": 2, "without_maximum": 9}, True, ""),
        (
            {"endpoint": OCR, "rates": Rates(pages=1.0)},
            {"without_maximum": 4},
            False,
            "no `pages` for 4 documents",
        ),
        ({"endpoint": OCR, "rates": Rates(pages=1.0)}, {"linked": 100}, True, ""),
        (
            {"endpoint": AUDIO, "rates": Rates(minutes=0.001)},
            {},
            False,
            "the length of recordings is not known",
        ),
        ({"rates": Rates(input=0.1)}, {}, False, "the price of m lacks tokens in or out"),
        ({"endpoint": TALK, "rates": Rates(input=0.0, output=0.0)}, {}, True, "may call tools"),
    ],
)
def test_what_is_not_bounded_is_named_with_the_next_step(
    fields: dict[str, Any], work: dict[str, Any], bounded: bool, gap: str
) -> None:
    found = estimated(replace(WORK, **work), **fields)
    assert (found.at_most is not None) is bounded
    assert gap in " ".join(found.gaps)
    assert bool(gap) is bool(found.gaps)


def test_before_there_are_answers_the_bound_is_all_that_is_known() -> None:
    found = estimated()
    assert (found.expected, found.at_most) == (None, 4_000 + 8_000)
    assert found.high == found.at_most
    assert found.basis == ("output by `max_tokens`",)
    found = estimated(endpoint=EMBED)
    assert (found.low, found.expected, found.high, found.at_most) == (571, 1_000, 2_000, 4_000)
    assert found.basis == ("tokens by bytes",)


def test_a_part_is_expected_by_its_share_and_bounded_by_the_largest_requests() -> None:
    used = Usage(answers=50, prompt=5_000, bytes=20_000, completion=2_500, completion_squares=150_000.0)
    found = estimated(used=used, requests=20)
    assert found.expected == 200 + 400
    assert found.at_most == 20 * 50 + 20 * 80
    assert found.in_all == 4_000 + 8_000


def test_cached_tokens_are_expected_and_never_bound() -> None:
    used = Usage(answers=50, prompt=5_000, cached=2_500, bytes=20_000, completion=1, completion_squares=1.0)
    plain = replace(used, cached=0)
    assert (estimated(used=used).expected or 0) < (estimated(used=plain).expected or 0)
    assert estimated(used=used).at_most == estimated(used=plain).at_most


def test_annotated_pages_are_bounded_by_their_price() -> None:
    rates = Rates(pages=1.0, annotated=1.5)
    work = Workload(requests=10, output=30, largest_output=3)
    assert estimated(work, rates=rates, endpoint=OCR).at_most == 30_000
    assert estimated(replace(work, annotated=1), rates=rates, endpoint=OCR).at_most == 45_000


def test_minutes_are_expected_by_earlier_answers() -> None:
    used = Usage(answers=10, audio_seconds=600.0, audio_squares=36_000.0)
    found = estimated(used=used, rates=Rates(minutes=0.0015), endpoint=AUDIO)
    assert (found.expected, found.at_most) == (150_000, None)
    assert found.basis == ("minutes from 10 answers",)


def test_the_bound_is_rounded_up() -> None:
    found = estimated(replace(WORK, requests=1, bytes=1, output=1, largest_output=1))
    assert found.at_most == 1


def test_a_free_model_costs_nothing_and_says_so() -> None:
    found = estimated(rates=Rates(input=0.0), endpoint="/v1/moderations")
    assert (found.low, found.expected, found.high, found.at_most, found.in_all) == (0, 0, 0, 0, 0)


def test_a_sum_of_estimates_knows_what_all_of_them_know() -> None:
    one = Estimate(low=1, expected=2, high=3, at_most=4, in_all=5, prices="2026-11-28")
    assert in_total([one, one]) == replace(one, low=2, expected=4, high=6, at_most=8, in_all=10)
    found = in_total([one, replace(one, expected=None)])
    assert found
    assert (found.expected, found.at_most) == (None, 8)
    assert in_total([]) is None
