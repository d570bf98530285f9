"""`prices.yaml` replaces prices of the package row by row, and its mistakes are named with their places."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.cost.prices import Prices, Rates
from reconciler.cost.shipped import shipped
from reconciler.errors import ReconcilerError, SpecError
from reconciler.specs import prices
from reconciler.specs.load import load
from reconciler.specs.project import read_policy
from tests.specs import make

DAY = "2026-11-28"
ROW = "  - model: mistral-small-2603\n    batch: {input: 0.06, output: 0.25}\n"


def read(root: Path, text: str) -> Prices:
    project = make.project(root, {"one.yaml": make.SPEC})
    (root / "prices.yaml").write_text(text)
    return prices.load(project)


def test_without_the_file_the_prices_of_the_package_hold(tmp_path: Path) -> None:
    assert prices.load(make.project(tmp_path, {"one.yaml": make.SPEC})) == shipped()


def test_a_row_replaces_the_price_of_its_model_and_of_its_aliases_and_no_other(tmp_path: Path) -> None:
    found = read(tmp_path, f"date: 2026-11-10\nmodels:\n{ROW}")
    own = found.of("mistral-small-latest", DAY)
    assert own is not None
    assert own.batch == Rates(input=0.06, output=0.25)
    assert (own.live, own.date, own.source, own.unsure) == (None, "2026-11-10", "prices.yaml:3", "")
    assert found.date == "2026-11-10"
    others = shipped().rows.keys() - {"mistral-small-2603"}
    assert all(found.rows[name] == shipped().rows[name] for name in others)


def test_a_price_with_a_date_replaces_that_of_the_package_from_its_date_on(tmp_path: Path) -> None:
    found = read(tmp_path, f"date: 2026-11-10\nmodels:\n{ROW}    since: 2026-11-01\n")
    assert found.of("mistral-small-2603", "2026-10-31") == shipped().of("mistral-small-2603", DAY)
    own = found.of("mistral-small-2603", "2026-11-01")
    assert own is not None
    assert own.source == "prices.yaml:3"


def test_prices_hold_in_the_order_of_their_dates_not_of_their_lines(tmp_path: Path) -> None:
    rows = "".join(
        f"  - model: own\n    since: {since}\n    batch: {{pages: {pages}}}\n"
        for since, pages in (("2026-11-01", 2), ("2026-10-01", 1))
    )
    found = read(tmp_path, f"date: 2026-11-10\nmodels:\n{rows}")
    assert found.of("own", "2026-09-30") is None
    shown = [found.of("own", day) for day in ("2026-10-01", "2026-10-31", "2026-11-01")]
    assert [it and it.batch.pages for it in shown] == [1, 1, 2]


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/cost.md").read_text()
    found = read(tmp_path, page.partition("```yaml\n")[2].partition("```")[0])
    assert {name for name, it in found.rows.items() if it[-1].source.startswith("prices.yaml:")} == {
        "mistral-small-2603",
        "mistral-ocr-4-1",
        "voxtral-mini-2602",
    }


def test_in_another_currency_no_price_of_the_package_is_used(tmp_path: Path) -> None:
    found = read(tmp_path, f"date: 2026-11-10\ncurrency: EUR\nmodels:\n{ROW}")
    assert found.currency == "EUR"
    assert found.of("mistral-large-2512", DAY) is None
    own = found.of("mistral-small-latest", DAY)
    assert own is not None
    assert own.currency == "EUR"


def test_no_digit_of_a_price_is_lost(tmp_path: Path) -> None:
    found = read(tmp_path, "date: 2026-11-10\nmodels:\n  - {model: m, batch: {minutes: 0.0000123}}\n")
    own = found.of("m", DAY)
    assert own is not None
    assert own.batch.minutes == 0.0000123


HEAD = "date: 2026-11-10\nmodels:\n"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("models: []\n", "prices.yaml:1:1", "`date` is missing"),
        (
            "date: 2026-11-31\nmodels: []\n",
            "prices.yaml:1:7",
            "date: 2026-11-31 is not a day of the calendar",
        ),
        ("date: soon\nmodels: []\n", "prices.yaml:1:7", "date: not a date"),
        ("date: 2026-11-10\n", "prices.yaml:1:1", "`models` is missing"),
        (f"{HEAD}  - model: m\n", "prices.yaml:3:5", "models[0]: `batch` is missing"),
        (f"{HEAD}  - {{model: m, batch: {{}}}}\n", "prices.yaml:3:23", "batch: no price"),
        (
            f"{HEAD}  - {{model: m, batch: {{input: 1}}}}\n",
            "prices.yaml:3:23",
            "batch: `input` and `output` belong together",
        ),
        (f"{HEAD}  - {{model: m, batch: {{pages: -1}}}}\n", "prices.yaml:3:31", "models[0].batch.pages: "),
        (f"{HEAD}  - {{model: m, batch: {{pages: ?}}}}\n", "prices.yaml:3:31", ""),
        (
            f"{HEAD}  - {{model: m, batch: {{page: 1}}}}\n",
            "prices.yaml:3:24",
            "models[0].batch.page: unknown",
        ),
        (f"currency: $\n{HEAD}{ROW}", "prices.yaml:1:11", "currency: not a currency"),
        (f"{HEAD}{ROW}{ROW}", "prices.yaml:5:12", "model: a second price of `mistral-small-2603`"),
        (f"{HEAD}{ROW}    since: 2026-02-30\n", "prices.yaml:5:12", "since: 2026-02-30 is not a day"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, where: str, message: str) -> None:
    with pytest.raises(SpecError) as found:
        read(tmp_path, text)
    first = found.value.problems[0]
    assert first.where == where
    assert first.message.startswith(message)
    assert first.hint or "must be" in first.message


def test_mistakes_of_prices_are_reported_with_those_of_specs(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("date: never\nmodels: []\n")
    found = make.problems(tmp_path, {"one.yaml": make.SPEC.replace("endpoint", "endpont")})
    assert {it.path for it in found} == {"prices.yaml", "specs/one.yaml"}


def test_the_file_is_no_spec_if_specs_are_beside_it(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(HEAD + ROW)
    (tmp_path / "one.yaml").write_text(make.SPEC.replace("data.jsonl", "specs/data.jsonl"))
    assert make.problems(tmp_path, {}, "specs: .\n") == ()


def test_a_policy_may_forbid_the_file(tmp_path: Path) -> None:
    project = make.project(tmp_path, {"one.yaml": make.SPEC})
    (tmp_path / "policy.yaml").write_text("message: Ask us.\nmay_set_prices: false\n")
    project = replace(project, policy=read_policy(tmp_path / "policy.yaml", project))
    assert prices.problems(project) == ()
    (tmp_path / "prices.yaml").write_text(f"{HEAD}{ROW}")
    (found,) = prices.problems(project)
    assert found.path == "prices.yaml"
    assert found.message == "the policy does not allow a project to set prices"
    assert found.hint == "remove it (policy.yaml:2). Ask us."
    with pytest.raises(SpecError):
        load(project, now=make.NOW)


def test_a_folder_of_that_name_is_an_error_with_a_hint(tmp_path: Path) -> None:
    project = make.project(tmp_path, {"one.yaml": make.SPEC})
    (tmp_path / "prices.yaml").mkdir()
    with pytest.raises(ReconcilerError) as found:
        prices.load(project)
    assert "prices.yaml" in str(found.value)
    assert found.value.hint
