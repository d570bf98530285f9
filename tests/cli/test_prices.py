"""`reconciler prices` shows what is used and from where, and writes a file to edit."""

from __future__ import annotations

import json
from collections.abc import Callable

from reconciler.cost.shipped import shipped
from tests.cli.schemas import conforming
from tests.cli.stage import Stage

OWN = """\
date: 2026-11-10
models:
  - model: mistral-small-2603
    batch: {input: 0.06, output: 0.25}
"""
OWN_ALONE = f"""\
currency: EUR
{OWN}
    live: {{input: 0.12, output: 0.5}}
  - {{model: scans, since: 2026-09-01, batch: {{pages: 2, annotated: 2.5}}}}
  - {{model: speech, batch: {{minutes: 0.0015}}}}
  - {{model: gift, batch: {{input: 0, output: 0}}}}
"""
"""Of another currency: no price of the package is shown."""


def test_prices_show_each_model_with_its_units_and_its_source(
    stage: Stage, golden: Callable[..., None]
) -> None:
    shown = stage.run("prices").out
    for price in shipped().rows["mistral-small-2603"]:
        assert f"{price.batch.input} in" in shown
        assert price.source in shown
    stage.write("prices.yaml", OWN)
    assert "prices.yaml:3" in stage.run("prices").out
    stage.write("prices.yaml", OWN_ALONE)
    golden(stage.run("prices"), stage.run("prices", "--write", "new.yaml"))


def test_prices_of_models_are_those_of_an_alias_a_glob_or_a_retired_name(stage: Stage) -> None:
    def models(*names: str) -> set[str]:
        shown = conforming("price-list", stage.run("prices", *names, "--format", "json").out)
        return {it["model"] for it in shown["prices"]}

    assert models("mistral-small-latest", "mistral-embed*") == {
        "mistral-small-2603",
        *models("mistral-embed*"),
    }
    table = stage.run("prices", "mistral-large-2411").out.splitlines()
    assert table[1].startswith("mistral-large-2411 ")
    typo = stage.run("prices", "mistral-small-2603", "mistral-smal-2603")
    assert (typo.code, typo.out) == (1, "")
    assert "no price of mistral-smal-2603 is known\n  hint: did you mean `mistral-small-2603`?" in typo.err


def test_all_prices_are_in_the_json_and_the_current_ones_are_marked(stage: Stage) -> None:
    shown = conforming("price-list", stage.run("prices", "--format", "json").out)
    assert len(shown["prices"]) == sum(map(len, shipped().rows.values()))
    current = [it["model"] for it in shown["prices"] if it["current"]]
    assert len(current) == len(set(current)) < len(shown["prices"])
    assert "mistral-small-2603" in current
    assert "mistral-large-2411" not in current
    assert "mistral-large-2411" in stage.run("prices", "--all").out


def test_the_file_that_it_writes_is_used_and_changes_no_price(stage: Stage) -> None:
    before = json.loads(stage.run("prices", "--format", "json").out)
    current = {it["model"] for it in before["prices"] if it["current"]}
    assert stage.run("prices", "--write", "prices.yaml").code == 0
    after = json.loads(stage.run("prices", "--format", "json").out)
    for old, new in zip(before["prices"], after["prices"], strict=True):
        assert {**old, "source": "", "unsure": ""} == {**new, "source": "", "unsure": ""}
        assert new["source"].startswith("prices.yaml:") == (old["model"] in current)
    again = stage.run("prices", "--write", "prices.yaml")
    assert again.code == 1
    assert "prices.yaml exists" in again.err


def test_a_mistake_in_the_file_is_named(stage: Stage, golden: Callable[..., None]) -> None:
    stage.write("prices.yaml", "date: 2026-11-10\nmodels: [{model: m, batch: {input: 1}}]\n")
    stage.spec("nightly")
    golden(stage.run("prices"), stage.run("validate"))
