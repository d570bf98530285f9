"""The page of a report shows the numbers of `history`, and text from outside stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.history.record import Record
from reconciler.history.stats import rows_by, summed
from reconciler.report.charts import Chart, Series
from reconciler.report.contents import Attention, Contents, Scope, contents
from reconciler.report.page import page
from reconciler.report.timeline import MAX_DRAWN, WIDTH, timeline

NOW = 1_795_900_000
SCOPE = Scope(project="shop", base_url="https://api.mistral.ai", now=NOW, keys=("team",))
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*7}}{% for x in y %}",
    "</style></title></svg>",
    "<!-- ",
    "]]>",
    "javascript:alert(1)",
    "\u202egnp.exe\u2028",
)


def job(number: int, name: str = "tickets", **fields: Any) -> Record:  # noqa: ANN401 - any field
    """A job that was created `number` hours before now."""
    created = NOW - 3600 * number
    usual: dict[str, Any] = {
        "status": "SUCCESS",
        "job_id": f"{number:032x}",
        "created_at": created,
        "started_at": created + 60,
        "completed_at": created + 1800,
        "total_requests": 10,
        "succeeded_requests": 9,
        "failed_requests": 1,
        "total_tokens": 100,
        "model": "mistral-small-2603",
        "user_metadata": {"team": "a"},
    }
    return Record(name=name, **(usual | fields))


class Elements(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)


def shape(report: Contents) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page with the names of their attributes, without text."""
    return [(tag, tuple(sorted(attributes))) for tag, attributes in Elements(page(report)).elements]


def rows_of(text: str) -> list[list[Any]]:
    """The rows that the page's script gets."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    data = json.loads(found[1])
    return [
        [data["strings"][cell] if at in data["textual"] else cell for at, cell in enumerate(row)]
        for row in data["rows"]
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_makes_no_element_and_no_attribute(text: str) -> None:
    def report(word: str) -> Contents:
        hostile = job(
            1, word, actor=word, model=word, status=word, commit=word, reasons=word, repository=word
        )
        other = job(2, word, user_metadata={"team": word}, approver=word, job_id=word, project=word)
        scope = Scope(project=word, base_url=word, now=NOW, keys=(word,))
        return contents([other, hostile], [Attention(word, word, word)], scope)

    assert shape(report(text)) == shape(report("harmless"))
    links = [it for tag, it in Elements(page(report(text))).elements if tag == "a"]
    assert [link["href"] for link in links] == ["#main"]
    assert any(text.strip("\u2028\u202e")[:4] in str(cell) for cell in rows_of(page(report(text)))[0])


def test_only_our_own_script_and_style_may_run() -> None:
    text = page(contents([job(1)], [], SCOPE))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for tag in ("script", "style"):
        (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert (
            f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1] or f"{tag}-src 'sha256-{digest}'" in policy[1]
        )
    assert "default-src" in policy[1]
    addresses = [
        value
        for _, attributes in Elements(text).elements
        for key, value in attributes.items()
        if key in ("src", "href")
    ]
    assert addresses == ["data:,", "#main"]
    assert not [
        it
        for _, attributes in Elements(text).elements
        for it in attributes
        if it == "style" or it[:2] == "on"
    ]


def test_the_numbers_are_those_of_the_history() -> None:
    records = [
        job(9, "b", total_tokens=None),
        job(5, user_metadata={"team": "z"}, cost=0.5, currency="USD"),
        job(1, "b", model="m", cost=0.25, currency="USD"),
    ]
    report = contents(records, None, SCOPE)
    total = summed(records)
    assert dict(report.figures) == {
        "Jobs": "3",
        "Requests": f"{total.requests}",
        "Answered": f"{total.answered}",
        "Failed": f"{total.failed}",
        "Tokens": f"≥ {total.tokens}",
        "Cost": "≥ $0.75",
    }
    by_name = {row.key: row.cost for row in rows_by(records, lambda it: it.name)}
    chart = next(it for it in report.charts if it.title.endswith("and name"))
    assert {series.name: sum(value or 0 for value in series.values) for series in chart.series} == by_name
    rows = rows_of(page(report))
    assert [row[0] for row in rows] == [record.created_at for record in reversed(records)]
    assert sum(row[4] for row in rows) == total.answered
    assert rows[2][6:8] == [None, None], "unknown tokens and costs are not 0"
    assert [row[7] for row in rows[:2]] == [0.25, 0.5]


def test_without_costs_a_report_shows_tokens() -> None:
    report = contents([job(1), job(2)], [], SCOPE)
    assert dict(report.figures)["Cost"] == "?"
    assert [chart.title for chart in report.charts[1:]] == [
        f"Tokens by day and {what}" for what in ("name", "model", "team")
    ]


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 50)), min_size=1, max_size=40))
def test_a_chart_draws_values_in_proportion_below_its_highest_tick(pairs: list[tuple[int, int]]) -> None:
    chart = Chart(
        title="t",
        labels=[f"{at}" for at in range(len(pairs))],
        series=[Series("a", [a for a, _ in pairs]), Series("b", [b for _, b in pairs])],
        show=str,
        short=lambda value: f"{value:g}",
    )
    ticks = {float(tick.text): tick.at for tick in chart.ticks}
    (low, floor), (high, top) = min(ticks.items()), max(ticks.items())
    assert low == 0
    assert high >= max(a + b for a, b in pairs)
    assert len(ticks) <= 7
    boxes = list(chart.boxes)
    assert len(boxes) == sum(value > 0 for pair in pairs for value in pair)
    for box in boxes:
        value = float(box.title.rpartition(" ")[2])
        assert abs(box.height - (floor - top) * value / high) <= 0.2
        assert top - 0.2 <= box.y <= floor
        assert 0 <= box.x <= box.x + box.width <= 720
    assert {len(row) for row in chart.rows} == {len(chart.head)}


def test_equal_jobs_give_equal_pages() -> None:
    records = [job(number) for number in range(20, 0, -1)]
    assert page(contents(records, [], SCOPE)) == page(contents(records, [], SCOPE))


def test_commits_on_github_are_links() -> None:
    sure = job(1, commit="a" * 40, repository="github.com/acme/shop")
    doubtful = [job(2, commit="b" * 40, repository="evil.example/acme/shop"), job(3, commit="c d")]
    links = [it for spec in contents([*doubtful, sure], [], SCOPE).specs for it in spec.commits]
    assert {link.label: link.url for link in links} == {
        "aaaaaaa": f"https://github.com/acme/shop/commit/{'a' * 40}",
        "bbbbbbb": "",
        "c d": "",
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 5000),
            st.none() | st.integers(-5, 5000),
            st.none() | st.integers(-5, 9000),
            st.sampled_from(["SUCCESS", "RUNNING", "FAILED", "CANCELLED", None]),
        ),
        max_size=40,
    )
)
def test_no_bar_of_the_timeline_hides_another(
    made: list[tuple[str, int, int | None, int | None, str | None]],
) -> None:
    records = [
        Record(
            name=name,
            status=status,
            created_at=NOW - 9000 + created,
            started_at=None if queued is None else NOW - 9000 + created + queued,
            completed_at=None if run is None else NOW - 9000 + created + run,
        )
        for name, created, queued, run, status in sorted(made, key=lambda it: it[1])
    ]
    drawn = timeline(records, now=NOW)
    assert drawn.drawn == len(records)
    for lane in drawn.lanes:
        rows: dict[int, float] = {}
        for bar in lane.bars:
            assert 0 <= bar.x <= bar.started <= bar.end <= WIDTH
            assert bar.x >= rows.get(bar.row, 0)
            assert bar.row < lane.rows
            rows[bar.row] = bar.end


def test_a_timeline_draws_the_newest_jobs_and_counts_the_others() -> None:
    records = [job(MAX_DRAWN + 20 - number) for number in range(MAX_DRAWN + 10)]
    drawn = timeline(records, now=NOW)
    assert (drawn.drawn, drawn.left_out) == (MAX_DRAWN, 10)
    assert drawn.begin == records[10].created_at


def test_a_report_without_jobs_says_so() -> None:
    text = page(contents([], [], SCOPE))
    assert "There are no jobs." in text
    assert rows_of(text) == []


@pytest.mark.thorough
def test_ten_thousand_jobs_are_less_than_two_megabytes() -> None:
    rng = random.Random(3)
    records = [
        job(20_000 - number, f"spec-{number % 12}", commit=f"{rng.getrandbits(160):040x}", actor="grace")
        for number in range(10_000)
    ]
    assert len(page(contents(records, [], SCOPE)).encode()) < 2_000_000
