"""What plans and `doctor` say about models, by the API's list: warnings and notes. The list never stops a command."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.schemas import conforming
from tests.cli.stage import HI, UNSTEADY, Fault, Result, Stage

LIST = "/v1/models"
OLD, NEW = "mistral-small-2603", "mistral-small-2703"


def ocr(stage: Stage, name: str, model: str) -> None:
    stage.spec(name, endpoint="/v1/ocr", model=model)
    row = {"custom_id": "a", "body": {"document": {"document_url": "https://x.example/a.pdf"}}}
    stage.write(f"specs/data/{name}.jsonl", json.dumps(row) + "\n")


def asked(result: Result) -> int:
    return sum(sent.path == LIST for sent in result.sent)


def said(result: Result) -> list[str]:
    lines = result.out.splitlines()
    return [
        line + (f" | {after.strip()}" if after.startswith("  hint: ") else "")
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith(("warning: ", "note: "))
    ]


def with_card(**changes: object) -> Callable[[Any], Any]:
    """Return a change of the list: one more model."""
    flags = {"completion_chat": True, "ocr": False}
    card = {"id": "mistral-new-2611", "name": "mistral-new-2611", "aliases": [], "capabilities": flags}
    return lambda answer: {**answer, "data": [*answer["data"], card | changes]}


def moved(answer: Any) -> Any:  # noqa: ANN401 - JSON
    """Let `mistral-small-latest` mean another model, as the API shows an alias: with a card of its own."""
    cards = [card for card in answer["data"] if card["id"] != OLD]
    (old,) = (card for card in answer["data"] if card["id"] == OLD)
    new = old | {"id": NEW, "name": NEW, "aliases": ["mistral-small-latest"]}
    alias = new | {"id": "mistral-small-latest", "aliases": [NEW]}
    return {**answer, "data": [*cards, old | {"aliases": []}, new, alias]}


def test_each_doubt_about_a_model_is_one_warning_with_its_next_step(stage: Stage) -> None:
    stage.spec("typo", model="mistral-smal-2603")
    stage.spec("old", model="mistral-small-2506")
    ocr(stage, "scans", "mistral-embed-2312")
    stage.spec("good", model=OLD)
    plan = stage.run("plan")
    assert (plan.code, asked(plan)) == (0, 1)
    assert said(plan) == [
        "warning: `mistral-embed-2312` is not for /v1/ocr (scans) | hint: name another model: it is for /v1/embeddings",
        (
            "warning: `mistral-smal-2603` is not in the API's list of models (typo)"
            f" | hint: did you mean `{OLD}`?"
        ),
        (
            "warning: `mistral-small-2506` was retired on 2026-07-31 (old)"
            f" | hint: use `{OLD}` (table of 2026-11-28; the API decides)"
        ),
    ]
    assert "warning" not in plan.err
    document = conforming("plan", stage.run("plan", "--format", "json").out)["plan"]
    assert [(it["kind"], it["names"]) for it in document["models"]] == [
        ("unfit", ["scans"]),
        ("unknown", ["typo"]),
        ("retired", ["old"]),
    ]
    page = stage.run("plan", "--format", "markdown").out.replace("\\", "").partition("| | name |")[0]
    assert f"- `mistral-smal-2603` is not in the API's list of models (typo): did you mean `{OLD}`?" in page
    annotations = stage.run("plan", "--format", "github").out
    assert "::warning file=specs/typo.yaml,line=1::`mistral-smal-2603` is not in" in annotations


def test_a_warning_about_a_model_holds_nothing_and_a_refusal_of_the_api_submits_nothing(stage: Stage) -> None:
    stage.spec("a", model="mistral-smal-2603")
    refused = stage.run("apply", "--yes")
    assert (refused.code != 0, stage.jobs()) == (True, [])
    assert f"did you mean `{OLD}`?" in refused.out
    stage.environ["RECONCILER_SANDBOX_LENIENT"] = "1"  # an API with models that its list lacks
    taken = stage.run("apply", "--yes")
    assert (taken.code, len(stage.jobs())) == (0, 1)
    assert "is not in the API's list of models" in taken.out


def test_a_model_that_is_newer_than_the_table_is_no_doubt_in_a_plan(stage: Stage) -> None:
    stage.spec("a", model="mistral-new-2611")
    stage.faults.append(Fault("GET", LIST, 200, alter=with_card()))
    assert "not a known model" in stage.run("validate").out
    assert said(stage.run("plan")) == []


def test_a_capability_that_the_api_denies_is_a_doubt(stage: Stage) -> None:
    ocr(stage, "scans", "mistral-new-2611")
    stage.faults.append(Fault("GET", LIST, 200, alter=with_card()))
    (line,) = said(stage.run("plan"))
    assert line.startswith(
        "warning: `mistral-new-2611` is not for /v1/ocr (scans) | hint: name another model: it is for "
    )


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (24, "note: `mistral-new-2611` is retired on 2026-09-23; then use `mistral-newer` (a)"),
        (
            72,
            (
                "warning: `mistral-new-2611` is retired on 2026-09-23, and the job may run until 2026-09-24 (a)"
                " | hint: use `mistral-newer`"
            ),
        ),
    ],
)
def test_a_retirement_is_a_warning_if_the_job_may_still_run(stage: Stage, hours: int, words: str) -> None:
    stage.spec("a", model="mistral-new-2611", timeout_hours=hours)
    card = with_card(deprecation="2026-09-23T12:00:00Z", deprecation_replacement_model="mistral-newer")
    stage.faults.append(Fault("GET", LIST, 200, alter=card))
    assert said(stage.run("plan")) == [words]


def test_an_alias_is_a_note_and_the_job_records_what_it_means(stage: Stage) -> None:
    for name in "abcde":
        stage.spec(name, model="mistral-small-latest")
    stage.spec("dated", model=OLD)
    applied = stage.run("apply", "--yes")
    note = f"note: `mistral-small-latest` is an alias that moves; today it is `{OLD}` (a, b, c and 2 more)"
    assert (said(applied), asked(applied)) == ([note], 1)
    sent = [json.loads(it.body) for it in applied.writes if it.path == "/v1/batch/jobs"]
    words = {it["metadata"]["reconciler.name"]: it["metadata"]["reconciler.run"].split() for it in sent}
    assert all(f"model={OLD}" in words[name] for name in "abcde")
    assert not any(word.startswith("model=") for word in words["dated"])


def test_an_alias_that_has_moved_since_the_jobs_is_said_and_submits_nothing(stage: Stage) -> None:
    for name in "ab":
        stage.spec(name, model="mistral-small-latest")
    stage.run("apply", "--yes")
    first, second = sorted(job["id"][:8] for job in stage.jobs())
    stage.advance(60)
    stage.spec("new", model=NEW)
    stage.faults += [Fault("GET", LIST, 200, alter=moved) for _ in range(2)]
    plan = stage.run("plan")
    words = f"`mistral-small-latest` is now `{NEW}`; it was `{OLD}` for job {first}, {second} (a, b)"
    assert said(plan) == [f"note: {words}"]
    assert "1 to create" in plan.out
    assert f"note     models                 {words}" in stage.run("doctor").out


def test_a_name_that_still_means_the_same_model_has_not_moved(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-latest")
    stage.run("apply", "--yes")
    stage.spec("new", model=NEW)

    def renamed(answer: Any) -> Any:  # noqa: ANN401 - JSON
        return {
            **answer,
            "data": [card | {"id": NEW, "name": NEW, "aliases": [OLD, *card["aliases"]]} if card["id"] == OLD else card
                     for card in answer["data"]],
        }  # fmt: skip

    stage.faults.append(Fault("GET", LIST, 200, alter=renamed))
    assert said(stage.run("plan")) == []


HUGE = b'{"data":[' + b",".join([b'{"id":"m","description":"' + b"x" * 1000 + b'"}'] * 10_000) + b"]}"
BROKEN: dict[str, Fault] = {
    "404": Fault("GET", LIST, 404, body=b'{"detail":"Not Found"}', times=9),
    "403": Fault("GET", LIST, 403, times=9),
    "429": Fault("GET", LIST, 429, headers={"Retry-After": "600"}, times=9),
    "500": Fault("GET", LIST, 500, times=9),
    "HTML": Fault("GET", LIST, 200, times=9),
    "10 MB": Fault("GET", LIST, 200, body=HUGE, times=9),
    "a list": Fault("GET", LIST, 200, body=b"[]", times=9),
    "other types": Fault("GET", LIST, 200, body=b'{"data":[{"id":7,"aliases":{}}]}', times=9),
    "nested": Fault("GET", LIST, 200, body=b'{"data":' + b"[" * 100_000, times=9),
    "elsewhere": Fault("GET", LIST, 307, headers={"Location": "https://x.example/v1/models"}, times=9),
    "timeout": Fault("GET", LIST, "timeout", times=9),
    "reset": Fault("GET", LIST, "reset", times=9),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_a_list_that_cannot_be_read_is_one_debug_event_and_nothing_more(stage: Stage, fault: Fault) -> None:
    stage.spec("a", model=OLD)
    good = stage.run("plan", "--log-level", "debug")
    stage.faults.append(fault)
    began = stage.clock
    plan = stage.run("plan", "--log-level", "debug")
    assert (plan.code, plan.out, asked(plan), stage.clock) == (0, good.out, 1, began)
    ordinary = {event["event"] for event in good.events}
    (other,) = (event for event in plan.events if event["event"] not in ordinary)
    assert (other["event"], other["level"]) == ("models.not_listed", "debug")
    assert "note     models                 not checked: " in stage.run("doctor").out
    applied = stage.run("apply", "--yes")
    assert (applied.code, len(stage.live()), asked(applied)) == (0, 1, 1)
    assert "warning" not in applied.err


def test_without_a_list_the_table_warns(stage: Stage) -> None:
    stage.spec("old", model="mistral-small-2506")
    stage.faults.append(Fault("GET", LIST, 500))
    assert said(stage.run("plan")) == [
        (
            "warning: `mistral-small-2506` was retired on 2026-07-31 (old)"
            f" | hint: use `{OLD}` (table of 2026-11-28; the API decides)"
        )
    ]


def test_the_list_is_asked_only_for_creates(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-latest")
    assert asked(stage.run("status")) == 0
    assert asked(stage.run("apply", "--yes")) == 1
    for command in (("plan",), ("apply", "--yes"), ("status",), ("wait",), ("validate",)):
        assert asked(stage.run(*command)) == 0, command
    stage.spec("a", model="mistral-large-2512")
    saved = stage.run("plan", "-o", "plan.json")
    assert (asked(saved), asked(stage.run("apply", "plan.json"))) == (1, 1)


def test_a_later_round_of_an_apply_records_what_the_alias_means_then(stage: Stage) -> None:
    stage.spec(
        "a", model="mistral-small-latest", retry={"max_attempts": 2, "on": ["error", "http_4xx", "http_5xx"]}
    )
    stage.write("specs/data/a.jsonl", UNSTEADY)
    stage.faults.append(Fault("GET", LIST, 200, alter=moved, skip=1))
    applied = stage.run("apply", "--yes", "--wait")
    sent = [json.loads(it.body) for it in applied.writes if it.path == "/v1/batch/jobs"]
    words = [it["metadata"]["reconciler.run"].partition(" model=")[2].split()[0] for it in sent]
    assert (asked(applied), words) == (2, [OLD, NEW])


def test_a_plan_without_a_key_asks_nothing_and_fails_nothing(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-latest")
    stage.spec("old", model="mistral-small-2506")
    stage.run("jobs", "snapshot", "seen.json")
    del stage.environ["RECONCILER_SANDBOX"]
    plan = stage.run("plan", "--sandbox", "--observed", "seen.json")
    assert (plan.code, plan.sent) == (0, [])
    assert [line.partition(" (")[0] for line in said(plan)] == [
        "warning: `mistral-small-2506` was retired on 2026-07-31"
    ]
    stage.environ.pop("MISTRAL_API_KEY", None)
    assert stage.run("validate").code == 0
    assert "models" not in stage.run("doctor").out


def chat(stage: Stage, content: object, model: str = OLD) -> Result:
    """Plan one long request between short ones."""
    stage.spec("a", model=model)
    rows = [{"custom_id": name, "body": HI} for name in ("short", "long", "last")]
    rows[1]["body"] = {"messages": [{"role": "user", "content": content}]}
    stage.write("specs/data/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return stage.run("plan")


WORDS = "word " * 40_000
"""More tokens than the 32,768 of `voxtral-small-2507`."""


@pytest.mark.parametrize("content", [WORDS, [{"type": "text", "text": WORDS}]], ids=["a text", "a chunk"])
def test_a_request_beyond_the_context_is_one_warning(stage: Stage, content: object) -> None:
    (line,) = said(chat(stage, content, "voxtral-small-2507"))
    assert line == (
        "warning: `voxtral-small-2507` reads at most 32,768 tokens, and request long has 40,000 words (a)"
        " | hint: shorten or split the request, or use a model with a longer context"
    )
    assert said(chat(stage, content)) == []


def test_the_context_that_the_api_lists_counts(stage: Stage) -> None:
    stage.faults.append(Fault("GET", LIST, 200, alter=with_card(max_context_length=1000)))
    (line,) = said(chat(stage, "word " * 1001, "mistral-new-2611"))
    assert line.startswith(
        "warning: `mistral-new-2611` reads at most 1,000 tokens, and request long has 1,001"
    )


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": "data:image/png;base64," + "iVBO Rw0K " * 40_000}],
        " " * 500_000,
        "-" * 500_000,
        "- " * 100_000,
        "word" * 100_000,
        "ไม่มีช่องว่าง" * 10_000,
        "word " * 32_768,
    ],
    ids=["image", "spaces", "dashes", "spaced dashes", "one word", "Thai", "just as long"],
)
def test_a_request_that_may_fit_is_not_doubted_however_long_it_is(stage: Stage, content: object) -> None:
    assert said(chat(stage, content, "voxtral-small-2507")) == []


def test_texts_to_embed_count_each_for_itself(stage: Stage) -> None:
    stage.spec("a", endpoint="/v1/embeddings", model="mistral-embed-2312")

    def planned(*texts: str) -> list[str]:
        row = json.dumps({"custom_id": "long", "body": {"input": texts}})
        stage.write("specs/data/a.jsonl", row + "\n")
        return said(stage.run("plan"))

    assert planned(*["word " * 5000] * 20) == []
    (line,) = planned("short", "word " * 9000)
    assert "reads at most 8,192 tokens, and request long has 9,000 words" in line


def test_inline_requests_are_looked_at_too(stage: Stage) -> None:
    requests = json.dumps([{"custom_id": "long", "body": {"input": "word " * 9000}}])
    text = f"name: a\nendpoint: /v1/embeddings\nmodel: mistral-embed-2312\nrequests: {requests}\n"
    stage.write("specs/a.yaml", text)
    (line,) = said(stage.run("plan"))
    assert "request long has 9,000 words" in line


def test_names_from_a_hostile_list_change_no_terminal_and_no_tag(stage: Stage) -> None:
    stage.spec("a", model="mistral-small-latest")
    stage.spec("b", model="mistral-large-2512")

    def hostile(answer: Any) -> Any:  # noqa: ANN401 - JSON
        return {
            **answer,
            "data": [
                card | {"name": "\x1b[2J", "aliases": [*card["aliases"], "x op=1 v=2"]}
                for card in answer["data"]
            ],
        }

    stage.faults.append(Fault("GET", LIST, 200, alter=hostile))
    applied = stage.run("apply", "--yes")
    assert (applied.code, "\x1b" in applied.out) == (0, False)
    assert all("v=2" not in str(job) for job in applied.writes)
