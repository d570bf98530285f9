"""`outputs show`, `path` and `export`: results as people use them, without a key."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reconciler
from reconciler.errors import ReconcilerError
from tests.cli.stage import HI, Stage
from tests.cli.test_outputs import rewriting

TICKETS = Path(__file__).parent / "tickets"


@pytest.fixture
def shop(stage: Stage) -> Stage:
    """Tickets with structured answers, one that failed, and embeddings; all pulled."""
    for path in ("ticket-classes.yaml", "data/tickets.jsonl"):
        stage.write(f"specs/{path}", (TICKETS / path).read_text(encoding="utf-8"))
    lines = (stage.root / "specs/data/tickets.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    rows = [json.loads(line) for line in lines]
    rows[1]["custom_id"] += "!fail"
    stage.write("specs/data/tickets.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    stage.passages("specs/texts.jsonl", 2)
    stage.write(
        "specs/texts.yaml",
        "name: texts\nendpoint: /v1/embeddings\nmodel: mistral-embed\ninput_files: [texts.jsonl]\n",
    )
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    stage.environ.pop("MISTRAL_API_KEY", None)
    stage.environ.pop("RECONCILER_SANDBOX", None)
    return stage


def test_requests_are_shown_by_custom_id_and_by_outcome(shop: Stage, golden: Callable[..., None]) -> None:
    ids = [
        json.loads(line)["custom_id"]
        for line in (shop.root / "specs/data/tickets.jsonl").read_text().splitlines()
    ]
    golden(
        shop.run("outputs", "show"),
        shop.run("outputs", "show", "ticket-classes", "--failed"),
        shop.run("outputs", "show", "ticket-classes", "--invalid"),
        shop.run("outputs", "show", "ticket-classes", ids[0], ids[1]),
        shop.run("outputs", "show", "ticket-classes", "nobody"),
        shop.run("outputs", "show", "ticket-clases", "--failed"),
    )
    row = json.loads(shop.run("outputs", "show", "ticket-classes", ids[2], "--format", "jsonl").out)
    assert (row["custom_id"], row["check"]) == (ids[2], "valid")


def test_a_table_has_the_fields_of_structured_answers(shop: Stage) -> None:
    done = shop.run("outputs", "export", "ticket-classes", "--format", "csv", "-o", "out.csv")
    assert (done.code, done.out, done.sent) == (0, "out.csv: 3 rows, 13 columns\n", [])
    with (shop.root / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ok"] for row in rows] == ["true", "false", "true"]
    assert rows[0]["queue"] == "delivery"
    assert rows[1]["error_kind"] == "error"
    assert json.loads(rows[0]["text"])["queue"] == rows[0]["queue"]


@pytest.mark.parametrize("name", ["out.csv", "out.JSONL", "out.parquet"])
def test_the_format_of_a_table_is_that_of_its_name(shop: Stage, name: str) -> None:
    form = name.partition(".")[2].lower()
    assert shop.run("outputs", "export", "ticket-classes", "--format", form, "-o", "named").code == 0
    assert shop.run("outputs", "export", "ticket-classes", "-o", name).code == 0
    assert (shop.root / name).read_bytes() == (shop.root / "named").read_bytes()


@pytest.mark.parametrize("name", ["out", "out.xlsx", ".csv"])
def test_a_name_that_says_no_format_needs_the_option(shop: Stage, name: str) -> None:
    done = shop.run("outputs", "export", "ticket-classes", "-o", name)
    assert done.code == 64
    assert "hint: pass --format: csv, jsonl, parquet" in done.err
    assert not (shop.root / name).exists()


def test_a_table_of_several_names_names_them_and_has_bodies(shop: Stage) -> None:
    done = shop.run("outputs", "export", "t*", "--format", "jsonl", "-o", "out.jsonl")
    assert (done.code, done.out) == (0, "out.jsonl: 5 rows, 15 columns\n")
    rows = [json.loads(line) for line in (shop.root / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["name"] for row in rows] == ["texts"] * 2 + ["ticket-classes"] * 3
    bodies = [json.loads(row["body"]) for row in rows if row["name"] == "texts"]
    assert all(body["data"] for body in bodies)


@pytest.mark.parametrize("loss", ["summary.json", "asked.idx"])
def test_a_table_without_the_files_of_its_job_has_every_request_and_no_fields(shop: Stage, loss: str) -> None:
    (path,) = shop.root.glob(f"outputs/ticket-classes/jobs/*/{loss}")
    if loss == "summary.json":
        path.unlink()
    else:
        path.write_bytes(b"no index")
    done = shop.run("outputs", "export", "ticket-classes", "--format", "jsonl", "-o", "out.jsonl")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (shop.root / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["ok"] for row in rows] == [True, False, True]
    assert all("queue" not in row for row in rows)


def test_an_unknown_name_and_a_missing_folder_are_mistakes_with_a_hint(shop: Stage) -> None:
    for argv in (("export", "ticket-clases", "--format", "csv", "-o", "x.csv"), ("path", "ticket-clases")):
        wrong = shop.run("outputs", *argv)
        assert wrong.code == 64
        assert "outputs has no results of ticket-clases" in wrong.err
        assert "hint: did you mean `ticket-classes`?" in wrong.err
    nowhere = shop.run("outputs", "export", "texts", "--format", "csv", "-o", "no/such/x.csv")
    assert (nowhere.code, "Traceback" in nowhere.err) == (1, False)


def test_the_path_is_that_of_the_current_folder_and_earlier_results_are_named(shop: Stage) -> None:
    (shop.root / "reports").mkdir()
    assert shop.run("outputs", "path", "texts").out == "outputs/texts/results.jsonl\n"
    summary = shop.root / "outputs/texts/summary.json"
    summary.write_text(summary.read_text().replace('"current": true', '"current": false'))
    earlier = shop.run("outputs", "path", "texts")
    assert earlier.code == 0
    assert "note: texts: the newest work has no answers yet; these are of an earlier one" in earlier.err


def test_results_of_a_changed_spec_replace_the_earlier_ones_once_they_are_there(stage: Stage) -> None:
    """A person improves a prompt and runs again: no reader finds yesterday's answers."""

    def current() -> tuple[bool, int]:
        found = json.loads((stage.root / "outputs/a/summary.json").read_text())
        return found["current"], found["tokens"]["prompt"]

    path = stage.root / "outputs/a/results.jsonl"
    stage.spec("a", requests=3)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    first, before = path.read_bytes(), current()
    stage.lines("specs/data/a.jsonl", 5, text="a much longer and better prompt than the first one")
    assert stage.run("apply", "--yes").code == 0
    assert stage.run("outputs", "pull").code == 0
    assert (current(), path.read_bytes()) == ((False, before[1]), first)
    assert "! earlier a" in stage.run("outputs", "show").out
    stage.advance(60)
    assert stage.run("outputs", "pull").code == 0
    assert current()[0]
    assert current()[1] > before[1]
    assert len(path.read_bytes().splitlines()) == 5
    assert len({json.loads(line)["job"] for line in path.read_bytes().splitlines()}) == 1


def test_a_spec_that_goes_back_has_its_earlier_results_back_without_a_new_job(stage: Stage) -> None:
    """A person tries another prompt, and then reverts the commit."""
    found = []
    for text in ("first", "second", "first"):
        stage.spec("a")
        stage.lines("specs/data/a.jsonl", 3, text=text)
        assert stage.run("apply", "--yes").code == 0
        stage.advance(60)
        assert stage.run("outputs", "pull").code == 0
        summary = json.loads((stage.root / "outputs/a/summary.json").read_text())
        found.append(((stage.root / "outputs/a/results.jsonl").read_bytes(), summary["current"]))
    assert found[0] == found[2] != found[1]
    assert all(current for _, current in found)
    again = stage.run("outputs", "pull")
    assert again.out.startswith("Nothing to pull.")


def test_answers_that_break_their_schema_are_counted_everywhere(
    stage: Stage, golden: Callable[..., None]
) -> None:
    stage.spec("a", requests=3)
    wanted = {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "text"}]}
    rows = [{"custom_id": f"r{number}", "body": wanted if number else HI} for number in range(3)]
    stage.write("specs/data/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)

    def rewritten(data: bytes) -> bytes:
        """Cut the JSON of two answers, and let the other one reach the maximum of tokens."""
        *answers, last = [line for line in data.splitlines() if b'"r0"' not in line] + [
            line for line in data.splitlines() if b'"r0"' in line
        ]
        cut = [line.replace(b'"content":"', b'"content":"Sure: ') for line in answers]
        return b"\n".join([*cut, last.replace(b'"stop"', b'"length"')]) + b"\n"

    pulled = stage.run("outputs", "pull", env=rewriting(rewritten))
    golden(
        pulled,
        stage.run("outputs", "show"),
        stage.run("outputs", "show", "a", "--invalid"),
        stage.run("status"),
        stage.run("history", "a"),
    )


KEYWORDS: dict[str, tuple[Any, str, str]] = {
    "type": ({"type": "string"}, "1", "not string"),
    "enum": ({"enum": ["a", "b"]}, '"c"', "not one of the allowed values"),
    "required": ({"type": "object", "required": ["a"]}, '{"b":1}', "a is missing"),
    "items": ({"items": {"type": "string"}}, '["a",1]', "[1]: not string"),
    "additional": ({"properties": {"a": True}, "additionalProperties": False}, '{"b":1}', "b: not allowed"),
    "any-of": ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "1", "fits none of anyOf"),
    "ref": ({"$ref": "#/$defs/it", "$defs": {"it": {"type": "null"}}}, "1", "not null"),
    "endless": ({"pattern": "^(a+)+$"}, f'"{"a" * 40}b"', "the pattern ^(a+)+$ takes too long"),
    "elsewhere": ({"$ref": "https://example.org/it.json"}, "1", "refers to https://example.org/it.json"),
}
"""A schema, an answer that does not conform, and what the pull says of it."""


@pytest.mark.thorough
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_an_answer_that_breaks_a_keyword_is_found_by_the_pull_and_what_cannot_be_checked_is_named(
    stage: Stage, keyword: str
) -> None:
    schema, answer, why = KEYWORDS[keyword]
    stage.spec("a")
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    row = {"custom_id": "r0", "body": HI | {"response_format": form}}
    stage.write("specs/data/a.jsonl", json.dumps(row) + "\n")
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)

    def rewritten(data: bytes) -> bytes:
        line = json.loads(data)
        line["response"]["body"]["choices"][0]["message"]["content"] = answer
        return json.dumps(line).encode() + b"\n"

    began = time.monotonic()
    assert stage.run("outputs", "pull", env=rewriting(rewritten)).code == 0
    assert time.monotonic() - began < 30
    summary = json.loads((stage.root / "outputs/a/summary.json").read_text())
    unchecked = keyword in ("endless", "elsewhere")
    assert (summary["checks"]["invalid"], summary["checks"]["unchecked"]) == (not unchecked, unchecked)
    (reason,) = summary["requests"]["reasons"]
    assert why in reason["text"]
    assert stage.run("status", "--fail-on-attention").code == (0 if unchecked else 6)


@pytest.mark.parametrize(
    ("checks", "why"),
    [
        ({}, "checks.invalid: at most 0"),
        ({"invalid": 0.5}, ""),
        ({"invalid": 1, "truncated": 0.2}, "checks.truncated: at most 0.2"),
    ],
)
def test_invalid_and_truncated_answers_need_attention_once_they_are_pulled_and_above_the_checks(
    stage: Stage, checks: dict[str, float], why: str
) -> None:
    stage.spec("a", requests=4, checks=checks)
    wanted = {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "text"}]}
    rows = [{"custom_id": f"r{number}", "body": wanted if number else HI} for number in range(4)]
    stage.write("specs/data/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    asked = (("status", "--fail-on-attention"), ("plan", "--fail-on-attention"), ("wait",))
    assert [stage.run(*argv).code for argv in asked] == [0, 0, 0], "the answers are not known"

    def rewritten(data: bytes) -> bytes:
        """Break the JSON of two of three, and let the one of four without a format reach the limit of tokens."""
        lines = sorted(data.splitlines(), key=lambda line: b'"r0"' in line)
        lines[:2] = [line.replace(b'"content":"', b'"content":"Sure: ') for line in lines[:2]]
        return b"\n".join([*lines[:3], lines[3].replace(b'"stop"', b'"length"')]) + b"\n"

    assert stage.run("outputs", "pull", env=rewriting(rewritten)).code == 0
    for argv in asked:
        done = stage.run(*argv)
        assert done.code == (6 if why else 0)
        assert why in done.out
    stage.spec("a", requests=4, checks={"invalid": 1})
    stage.write("specs/data/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert stage.run("plan", "--fail-on-attention", "--detailed-exitcode").code == 0, "the same work"


def test_programs_read_results_as_rows_and_frames(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECONCILER_RESULTS", raising=False)
    found = reconciler.results("ticket-classes", project=shop.root / "specs")
    assert (found.name, found.current, len(found)) == ("ticket-classes", True, 3)
    assert found.columns[-2:] == ("queue", "urgent")
    assert [row["ok"] for row in found] == [True, False, True]
    assert (found[0]["queue"], found[0]["urgent"], found[1]["queue"]) == ("delivery", False, None)
    assert all(tuple(row) == found.columns for row in found)
    with pytest.raises(ReconcilerError, match="no results of ticket-clases") as refused:
        reconciler.results("ticket-clases", project=shop.root)
    assert refused.value.hint == "did you mean `ticket-classes`?"
    assert reconciler.__all__ == ["__version__", "results"]


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_forty_thousand_tickets_become_a_table_that_joins_with_the_original_one(
    stage: Stage, form: str
) -> None:
    """A pull and one export. Ids have what tables find difficult: commas, quotes, zeros in front, other letters."""
    if form == "parquet":
        pytest.importorskip("duckdb")
    for path in ("ticket-classes.yaml", "data/tickets.jsonl"):
        stage.write(f"specs/{path}", (TICKETS / path).read_text(encoding="utf-8"))
    request = json.loads((stage.root / "specs/data/tickets.jsonl").read_text(encoding="utf-8").split("\n")[0])
    kinds = ("{:06}", "№ {}", 'a,"{}"', "{}!fail")
    tickets = {kinds[number % 4].format(number): f"customer {number}" for number in range(40_000)}
    with (stage.root / "tickets.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "customer"), *tickets.items()])
    with (stage.root / "specs/data/tickets.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(request | {"custom_id": ticket}) + "\n" for ticket in tickets)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(3600)

    assert stage.run("outputs", "pull").code == 0
    done = stage.run("outputs", "export", "ticket-classes", "--format", form, "-o", f"answers.{form}")
    assert (done.code, done.out) == (0, f"answers.{form}: 40,000 rows, 13 columns\n")
    joined = JOINS[form](stage.root)
    assert [(ticket, customer) for ticket, customer, _ in joined] == sorted(tickets.items())
    assert {queue for ticket, _, queue in joined if not ticket.endswith("!fail")} == {"delivery"}
    assert {queue or None for ticket, _, queue in joined if ticket.endswith("!fail")} == {None}


def joined_csv(folder: Path) -> list[tuple[str, str, str | None]]:
    """Return id, customer and queue of both tables, joined, in the order of the ids."""
    tables = []
    for name in ("tickets.csv", "answers.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            tables.append(list(csv.DictReader(file)))
    queues = {row["custom_id"]: row["queue"] for row in tables[1]}
    return sorted((row["id"], row["customer"], queues[row["id"]]) for row in tables[0])


def joined_parquet(folder: Path) -> list[tuple[str, str, str | None]]:
    """Return the same of a Parquet file, by DuckDB."""
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.execute(
        "select id, customer, queue from read_csv($1, all_varchar = true) join read_parquet($2) on id = custom_id",
        [str(folder / "tickets.csv"), str(folder / "answers.parquet")],
    )
    return sorted(found.fetchall())


JOINS = {"csv": joined_csv, "parquet": joined_parquet}


@pytest.mark.thorough
def test_frames_have_the_types_of_the_schema(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECONCILER_RESULTS", raising=False)
    found = reconciler.results("ticket-classes", project=shop.root)
    pytest.importorskip("pandas")
    frame = found.df()
    assert [str(frame.dtypes[name]) for name in ("custom_id", "ok", "total_tokens", "urgent")] == [
        "string",
        "boolean",
        "Int64",
        "boolean",
    ]
    assert frame.queue.dropna().tolist() == ["delivery", "delivery"]
    pytest.importorskip("pyarrow")
    table = found.arrow()
    assert [str(table.schema.field(name).type) for name in ("queue", "urgent", "prompt_tokens")] == [
        "string",
        "bool",
        "int64",
    ]
    assert table.column("custom_id").to_pylist() == [row["custom_id"] for row in found]
