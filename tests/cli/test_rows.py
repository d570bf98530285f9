"""A spec declares the rows of a table and a template, and each row becomes a request."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import duckdb
import pytest

from tests.cli.stage import Fault, Stage
from tests.helpers.requests_of import asked, results

ROWS: Final = tuple(
    {"id": f"{number:03}", "subject": f"Subject {number}", "text": f"Text, “{number}”"}
    for number in range(10)
)
SPEC: Final = """
    name: a
    endpoint: /v1/chat/completions
    model: mistral-small-2603
    rows: data/tickets.csv
    custom_id: "{{id}}"
    reuse: true
    body:
      temperature: 0
      messages:
        - {role: system, content: {$file: prompts/sort.md}}
        - {role: user, content: "{{subject}}: {{text}}"}
"""


def query(sql: str) -> str:
    """Return rows that are the result of a query over the table."""
    return f'{{sql: "{sql}", files: [data/tickets.csv]}}'


def write_csv(stage: Stage, rows: tuple[Mapping[str, Any], ...] = ROWS) -> None:
    """Write the table."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    stage.write("specs/data/tickets.csv", text.getvalue())


@pytest.fixture
def tickets(stage: Stage) -> Stage:
    """Return a stage with a table and a spec for it."""
    write_csv(stage)
    stage.write("specs/prompts/sort.md", "Sort it.\r\n")
    stage.write("specs/a.yaml", SPEC)
    return stage


@pytest.fixture
def done(tickets: Stage) -> Stage:
    """Return a stage whose first work is complete and pulled."""
    assert tickets.run("apply", "--yes").code == 0
    tickets.advance(60)
    results(tickets)
    return tickets


def test_each_row_is_a_request_and_its_answer_has_the_id_of_the_row(
    tickets: Stage, golden: Callable[..., None]
) -> None:
    planned = tickets.run("plan")
    golden(tickets.run("validate"), planned, tickets.run("apply", "--yes"))
    tickets.advance(60)
    assert asked(tickets) == [[row["id"] for row in ROWS]]
    [job] = tickets.jobs()
    with tickets.console() as client:
        detail = client.get(f"/v1/batch/jobs/{job['id']}").json()
        lines = client.get(f"/v1/files/{detail['input_files'][0]}/content").text.splitlines()
    for row, line in zip(ROWS, lines, strict=True):
        assert json.loads(line) == {
            "custom_id": row["id"],
            "body": {
                "temperature": 0,
                "messages": [
                    {"role": "system", "content": "Sort it."},
                    {"role": "user", "content": f"{row['subject']}: {row['text']}"},
                ],
            },
        }
    assert [row["custom_id"] for row in results(tickets)] == [row["id"] for row in ROWS]
    assert tickets.run("plan").code == 0


def test_nothing_is_read_as_a_table_if_there_is_nothing_to_do(done: Stage) -> None:
    rendered = [*(done.root / ".reconciler").rglob("rows/*.jsonl")]
    assert rendered, "the first apply rendered"
    for path in rendered:
        path.unlink()
    assert "No changes" in done.run("plan").out
    assert done.run("apply", "--yes").code == 0
    assert not [*(done.root / ".reconciler").rglob("rows/*.jsonl")]


def test_what_a_job_was_asked_is_known_from_its_creation(tickets: Stage) -> None:
    assert tickets.run("apply", "--yes").code == 0
    tickets.advance(60)
    write_csv(tickets, (*ROWS, {**ROWS[0], "id": "new"}))
    assert "submits 1 of 11 requests, reuses 10" in tickets.run("plan").out, "nothing was pulled"


def shuffle(stage: Stage) -> None:
    write_csv(stage, tuple(reversed(ROWS)))


def add_a_column(stage: Stage) -> None:
    write_csv(stage, tuple({**row, "more": "x"} for row in ROWS))


def to_parquet(stage: Stage) -> None:
    data = stage.root / "specs/data"
    duckdb.read_csv(data / "tickets.csv", all_varchar=True).write_parquet(str(data / "tickets.parquet"))
    stage.write("specs/a.yaml", SPEC.replace("tickets.csv", "tickets.parquet"))


def to_json_lines(stage: Stage) -> None:
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    stage.write("specs/data/tickets.jsonl", text)
    stage.write("specs/a.yaml", SPEC.replace("tickets.csv", "tickets.jsonl"))


def to_a_query(stage: Stage) -> None:
    stage.write("specs/a.yaml", SPEC.replace("data/tickets.csv", query("select * from files where true")))


def write_it_as_a_spreadsheet_does(stage: Stage) -> None:
    text = (stage.root / "specs/data/tickets.csv").read_text().replace("id,subject,text", "id;subject;text")
    body = re.sub(r'^(\d+),(.*),"', r'\1;\2;"', text, flags=re.MULTILINE)
    (stage.root / "specs/data/tickets.csv").write_bytes(f"\ufeff{body}\n\n".replace("\n", "\r\n").encode())


def rename_a_column(stage: Stage) -> None:
    file = stage.root / "specs/data/tickets.csv"
    file.write_text(file.read_text().replace("id,subject,text", "id,Subject of it,text"))
    stage.write("specs/a.yaml", SPEC.replace("{{subject}}", "{{ Subject of it }}"))


def to_plain_lines(stage: Stage) -> None:
    stage.write("specs/data/plain.jsonl", stage.run("render", "--requests", "-n", "10").out)
    stage.write(
        "specs/a.yaml",
        "name: a\nendpoint: /v1/chat/completions\nmodel: mistral-small-2603\ninput_files: [data/plain.jsonl]\n",
    )


@pytest.mark.parametrize(
    "change",
    [
        shuffle,
        add_a_column,
        rename_a_column,
        write_it_as_a_spreadsheet_does,
        to_parquet,
        to_json_lines,
        to_a_query,
        to_plain_lines,
    ],
)
def test_another_form_of_the_same_requests_submits_nothing(
    done: Stage, change: Callable[[Stage], None]
) -> None:
    change(done)
    applied = done.run("apply", "--yes")
    assert applied.code == 0
    assert "the requests are the same" in applied.out
    assert len(done.jobs()) == 1


def test_one_edited_row_submits_one_request(done: Stage) -> None:
    write_csv(done, (*ROWS[:4], {**ROWS[4], "text": "Edited"}, *ROWS[5:]))
    planned = done.run("plan").out
    assert "1 changed" in planned
    assert "Edited" not in planned, "the template is the same"
    done.run("apply", "--yes")
    done.advance(60)
    assert asked(done)[1:] == [["004"]]
    assert [row["custom_id"] for row in results(done)] == [row["id"] for row in ROWS]


def test_an_edited_prompt_submits_every_request_and_shows_three(
    done: Stage, golden: Callable[..., None]
) -> None:
    done.write("specs/prompts/sort.md", "Sort it well.\n")
    planned = done.run("plan")
    golden(planned, done.run("plan", "--format", "markdown"))
    assert "10 changed" in planned.out
    assert planned.out.count("Sort it well.") == 3
    done.write("specs/a.yaml", SPEC + "    show_requests: false\n")
    assert "Sort it" not in done.run("plan").out
    done.run("apply", "--yes")
    done.advance(60)
    assert len(asked(done)[1]) == 10


def test_a_column_whose_type_changed_is_named(stage: Stage) -> None:
    spec = SPEC.replace("data/tickets.csv", "data/tickets.jsonl").replace("{{subject}}: {{text}}", "{{text}}")
    stage.write("specs/prompts/sort.md", "Sort it.")
    stage.write("specs/a.yaml", spec.replace("temperature: 0", 'temperature: "{{heat}}"'))
    stage.write("specs/data/tickets.jsonl", '{"id": "1", "text": "x", "heat": 0.5}\n')
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    stage.write("specs/data/tickets.jsonl", '{"id": "1", "text": "x", "heat": "0.5"}\n')
    assert "the type of the column `heat` changed: a number -> text" in stage.run("plan").out


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("7", "7.0", "the type of the column `cost` changed: a whole number -> a number with a point"),
        ("1.50", "1.5", "the numbers of the column `cost` are written in another way: 1.50 -> 1.5"),
        ("true", "1", "the type of the column `cost` changed: true or false -> a whole number"),
        ("2026-01-02", "2026-01-02 00:00:00", "the type of the column `cost` changed: a date -> a time"),
        ("2026-01-02", "unknown", "the type of the column `cost` changed: a date -> text"),
        ("7", "8", ""),
        ("one", "two", ""),
    ],
)
def test_a_column_inside_a_text_is_named_if_its_type_changed(
    tickets: Stage, before: str, after: str, words: str
) -> None:
    tickets.write("specs/a.yaml", SPEC.replace("{{subject}}: {{text}}", "It costs {{cost}}, {{text}}!"))
    write_csv(tickets, tuple({**row, "cost": before} for row in ROWS))
    assert tickets.run("apply", "--yes").code == 0
    tickets.advance(60)
    tickets.write("specs/prompts/sort.md", "Sort it again.")
    write_csv(tickets, tuple({**row, "cost": after} for row in ROWS))
    planned = tickets.run("plan").out
    assert "Sort it again." in planned
    assert words in planned
    assert ("of the column" in planned) == bool(words)


def test_files_are_rows_with_their_contents(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.write(f"specs/scans/{name}.pdf", f"%PDF {name}")
    stage.write(
        "specs/a.yaml",
        """
        name: a
        endpoint: /v1/ocr
        model: mistral-ocr-4-1
        rows: {files: ["scans/*.pdf"]}
        custom_id: "{{stem}}"
        body:
          document: {type: document_url, document_url: "{{data_url}}"}
        """,
    )
    assert stage.run("apply", "--yes").code == 0
    stage.advance(60)
    assert asked(stage) == [["one", "two"]]
    stage.run("outputs", "pull")
    assert (
        stage.run("outputs", "export", "a", "--columns", "--format", "jsonl", "-o", "texts.jsonl").code == 0
    )
    rows = [json.loads(line) for line in (stage.root / "texts.jsonl").read_text().splitlines()]
    assert [(row["stem"], row["text"]) for row in rows] == [
        (name, "Sandbox answer: no model was called.") for name in ("one", "two")
    ]
    assert "data_url" not in rows[0]


def test_a_family_makes_a_job_for_each_table(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.write(f"specs/data/{name}.csv", f"id,text\n{name}-1,x\n{name}-2,y\n")
    stage.write(
        "specs/a.yaml",
        """
        name: night-{stem}
        endpoint: /v1/chat/completions
        model: mistral-small-2603
        for_each: {files: ["data/*.csv"]}
        custom_id: "{{id}}"
        body: {messages: [{role: user, content: "{{text}}"}]}
        """,
    )
    assert stage.run("apply", "--yes").code == 0
    assert sorted(asked(stage)) == [["one-1", "one-2"], ["two-1", "two-2"]]


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("{{subject}}", "{{subjct}}", "specs/a.yaml:12:", "did you mean `subject`?"),
        ("{{subject}}", "{{subject", "specs/a.yaml:12:", "`{{` begins a placeholder"),
        ('"{{id}}"', "x", "specs/a.yaml:6:", "all requests would have the same id"),
        ("sort.md", "sotr.md", "specs/a.yaml:11:", "did you mean `sort.md`?"),
        ("data/tickets.csv", "data/nope.csv", "specs/a.yaml:5:", "no such file"),
        ("prompts/sort.md", "../.env", "specs/a.yaml:11:", "a hidden file, which may hold secrets"),
        ("prompts/sort.md", "link.md", "specs/a.yaml:11:", "a hidden file, which may hold secrets"),
        ("data/tickets.csv", "../.env", "specs/a.yaml:5:", "a hidden file, which may hold secrets"),
        ("data/tickets.csv", "prompts/sort.md", "specs/a.yaml:5:", "not one table"),
        ("sort.md", "column.md", "specs/a.yaml:11:", "in specs/prompts/column.md: the table has no column"),
        ("sort.md", "braces.md", "specs/a.yaml:11:", "in specs/prompts/braces.md: `{{text`: `{{` begins"),
        ("sort.md", "bytes.md", "specs/a.yaml:11:", "`prompts/bytes.md`: not UTF-8"),
        (
            "data/tickets.csv",
            query("select id, nope from files"),
            "specs/a.yaml:2",
            "rows: DuckDB: Binder Error",
        ),
        (
            "data/tickets.csv",
            query("select '1' as id, subject, text from files"),
            "specs/a.yaml:2",
            "rows: row 2: `custom_id` was used before, in row 1 of the query",
        ),
        ("reuse: true", "columns: {text: boolean}", "specs/data/tickets.csv:2", "`text`: the cell does not"),
        ("messages:", "massages:", "specs/a.yaml:9:", "lacks a field: `messages`"),
        ("reuse: true", "columns: {text: integer}", "specs/data/tickets.csv:2", "does not have the type"),
        ("reuse: true", "columns: {nope: integer}", "specs/data/tickets.csv:1", "no column `nope`"),
        (
            "rows: data/tickets.csv",
            "input_files: [data/tickets.csv]",
            "specs/a.yaml:8:",
            "only a spec with `rows`",
        ),
    ],
)
def test_a_mistake_has_its_place_and_the_next_step(
    tickets: Stage, old: str, new: str, where: str, words: str
) -> None:
    tickets.write(".env", "TOKEN=secret")
    tickets.write("specs/prompts/column.md", "Sort {{nope}}.")
    tickets.write("specs/prompts/braces.md", "Sort\nit: {{text")
    (tickets.root / "specs/prompts/bytes.md").write_bytes(b"\xff\x00")
    (tickets.root / "specs/link.md").symlink_to("../.env")
    tickets.write("specs/a.yaml", SPEC.replace(old, new))
    for command in (("validate",), ("plan",), ("apply", "--yes")):
        said = tickets.run(*command)
        assert said.code == 1
        assert where in said.err
        assert words in said.err
        assert "Text, " not in said.err, "a problem shows no cell"
        assert not said.writes


def test_twenty_rows_with_a_mistake_are_listed(tickets: Stage) -> None:
    write_csv(tickets, tuple({**ROWS[0], "id": ""} for _ in range(25)))
    said = tickets.run("validate")
    assert said.code == 1
    assert said.err.count("`custom_id` is empty") == 20
    assert "5 more rows with a problem" in said.err


def test_a_saved_plan_is_refused_if_its_table_changed(tickets: Stage) -> None:
    assert tickets.run("plan", "-o", "plan.json").code == 0
    write_csv(tickets, (*ROWS, {**ROWS[0], "id": "new"}))
    assert tickets.run("apply", "plan.json").code != 0
    assert not tickets.jobs()


def test_only_parquet_and_queries_need_a_process_of_duckdb(
    tickets: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tickets.root / "no-python"))
    assert tickets.run("plan").code == 0
    to_parquet(tickets)
    said = tickets.run("plan")
    assert said.code == 1
    assert "no-python" in said.err


def test_a_work_in_parts_has_one_result_in_the_order_of_the_table(tickets: Stage) -> None:
    tickets.write("specs/a.yaml", SPEC.replace("reuse: true", "canary: {requests: 3}"))
    write_csv(tickets, tuple(reversed(ROWS)))
    for _ in range(2):
        assert tickets.run("apply", "--yes").code == 0
        tickets.advance(60)
    assert [len(part) for part in asked(tickets)] == [3, 7]
    assert [row["custom_id"] for row in results(tickets)] == [row["id"] for row in reversed(ROWS)]
    assert "No changes" in tickets.run("plan").out


def test_commands_that_only_show_go_on_without_a_table_with_a_mistake(done: Stage) -> None:
    done.spec("b", requests=1)
    assert done.run("apply", "--yes").code == 0
    done.write("specs/data/tickets.csv", "id,subject,text\n1,a,b\n1,a,b\n")
    assert done.run("plan").code == 1
    for command in (
        ("status",),
        ("wait",),
        ("history",),
        ("outputs", "pull"),
        ("jobs", "list"),
        ("outputs", "show", "a"),
    ):
        assert done.run(*command).code == 0, command
    assert "`custom_id` was used before" in done.run("status").err


def test_a_table_of_which_only_a_pointer_is_here_is_not_read_until_it_is_needed(done: Stage) -> None:
    file = done.root / "specs/data/tickets.csv"
    oid, size = hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"
    done.write("specs/data/tickets.csv", pointer)
    assert "No changes" in done.run("plan").out
    validated = done.run("validate")
    assert validated.code == 0
    assert "Git LFS pointers" in validated.out
    done.write("specs/prompts/sort.md", "Sort it well.")
    for command in (("plan",), ("apply", "--yes"), ("try", "a")):
        said = done.run(*command)
        assert said.code == 1
        assert "specs/data/tickets.csv: only a Git LFS pointer is in this clone" in said.err
        assert "git lfs pull" in said.err
        assert not said.writes


def test_a_schema_keeps_the_order_of_its_properties(tickets: Stage) -> None:
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"why": {}, "queue": {}, "a": {}}}}
    tickets.write("specs/schema.json", json.dumps(schema))
    tickets.write(
        "specs/a.yaml",
        SPEC + "      response_format: {type: json_schema, json_schema: {$file: schema.json}}\n",
    )
    assert tickets.run("apply", "--yes").code == 0
    [job] = tickets.jobs()
    with tickets.console() as client:
        [file] = client.get(f"/v1/batch/jobs/{job['id']}").json()["input_files"]
        line = client.get(f"/v1/files/{file}/content").text.splitlines()[0]
    body = json.loads(line)["body"]
    assert [*body] == ["temperature", "messages", "response_format"]
    assert [*body["response_format"]["json_schema"]["schema"]["properties"]] == ["why", "queue", "a"]
    tickets.write("specs/schema.json", json.dumps(schema, sort_keys=True))
    assert "No changes" in tickets.run("plan").out


def test_a_matrix_makes_a_job_for_each_prompt(tickets: Stage) -> None:
    tickets.write("specs/prompts/two.md", "Sort it twice.")
    varied = SPEC.replace("name: a", "name: a-{prompt}").replace("prompts/sort.md", '"{prompt}"')
    tickets.write("specs/a.yaml", varied + "    matrix: {prompt: [prompts/sort.md, prompts/two.md]}\n")
    assert tickets.run("apply", "--yes").code == 0
    assert sorted(job["name"] for job in tickets.jobs()) == ["a-sort", "a-two"]
    shown = tickets.run("render", "--requests", "-n", "1").out.splitlines()
    said = [json.loads(line)["body"]["messages"][0]["content"] for line in shown]
    assert said == ["Sort it.", "Sort it twice."]


def test_the_first_requests_are_printed_and_tried(tickets: Stage, golden: Callable[..., None]) -> None:
    printed = tickets.run("render", "--requests", "-n", "2")
    assert [json.loads(line)["custom_id"] for line in printed.out.splitlines()] == ["000", "001"]
    before = sorted(path for path in tickets.root.rglob("*") if "sandbox.db" not in path.name)
    tried = tickets.run("try", "a", "-n", "2")
    golden(tried)
    assert [sent.path for sent in tried.writes] == ["/v1/chat/completions"] * 2
    for sent, line in zip(tried.writes, printed.out.splitlines(), strict=True):
        assert json.loads(sent.body) == {**json.loads(line)["body"], "model": "mistral-small-2603"}
    assert not tickets.jobs()
    after = sorted(path for path in tickets.root.rglob("*") if "sandbox.db" not in path.name)
    assert [path for path in after if path not in before and path.name != ".reconciler"] == [
        path for path in after if path.parent.name in (".reconciler", "sandbox") and path not in before
    ]


def test_try_also_takes_requests_that_are_written_out(stage: Stage) -> None:
    stage.spec("a")
    assert "r0  specs/data/a.jsonl:1" in stage.run("try", "a", "-n", "1").out


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        ({"CI": "true"}, "not for CI", 64),
        ({}, "no spec is named b", 64),
    ],
)
def test_try_is_refused_on_ci_and_for_unknown_names(
    tickets: Stage, change: dict[str, str], words: str, code: int
) -> None:
    tickets.environ |= change
    said = tickets.run("try", "a" if change else "b")
    assert said.code == code
    assert words in said.err
    assert not said.writes


@pytest.mark.parametrize("guard", ["max_new_requests", "max_requests_per_day"])
def test_guards_count_what_is_tried(tickets: Stage, guard: str) -> None:
    tickets.write("reconciler.yaml", f"project: shop\nguards: {{{guard}: 2}}\n")
    said = tickets.run("try", "a")
    assert said.code == 1
    assert f"guards.{guard} permits 2" in said.err
    assert not said.writes
    assert tickets.run("try", "a", "-n", "2").code == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("POST", "/v1/chat/completions", 429, body=b'{"message": "slow"}'), "429: slow"),
        (Fault("POST", "/v1/chat/completions", 401, body=b'{"message": "no"}'), "check the key"),
        (Fault("POST", "/v1/chat/completions", 200, headers={"content-type": "text/html"}), "an HTML page"),
    ],
)
def test_an_answer_that_is_none_is_one_clear_error(tickets: Stage, fault: Fault, words: str) -> None:
    tickets.faults.append(fault)
    said = tickets.run("try", "a")
    assert said.code == 1
    assert words in said.err
    assert said.err.count("error: ") == 1
    assert len(said.writes) == 1


def test_the_columns_of_the_table_come_back_with_the_answers(done: Stage) -> None:
    write_csv(done, (*reversed(ROWS), {**ROWS[0], "id": "later"}))
    assert done.run("outputs", "export", "a", "--columns", "--format", "csv", "-o", "out.csv").code == 0
    found = [*csv.DictReader(io.StringIO((done.root / "out.csv").read_text()))]
    assert [(row["id"], row["subject"], row["row_text"]) for row in found] == [
        tuple(row.values()) for row in ROWS
    ]
    assert {row["text"] for row in found} == {"Sandbox answer: no model was called."}, "the answer"


def test_every_plain_column_comes_back_under_a_name_of_its_own(tickets: Stage) -> None:
    tickets.write("specs/a.yaml", SPEC.replace("tickets.csv", "tickets.jsonl"))
    more = {"row_text": "r", "custom_id": "c", "list": [1], "cost": 1.5, "none": None}
    rows = [{**row, **more, "subject": "=1+1"} for row in ROWS]
    tickets.write("specs/data/tickets.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert tickets.run("apply", "--yes").code == 0
    tickets.advance(60)
    tickets.run("outputs", "pull")
    assert tickets.run("outputs", "export", "a", "--columns", "--format", "csv", "-o", "out.csv").code == 0
    found = [*csv.DictReader(io.StringIO((tickets.root / "out.csv").read_text()))]
    names = ("id", "subject", "row_text", "row_row_text", "row_custom_id", "cost", "none")
    assert [tuple(row[name] for name in names) for row in found] == [
        (row["id"], "'=1+1", row["text"], "r", "c", "1.5", "") for row in ROWS
    ]
    assert "list" not in found[0]
    tickets.write("specs/data/tickets.jsonl", '{"id": "1", "subject": "", "text": ""}\nnope\n')
    said = tickets.run("outputs", "export", "a", "--columns", "--format", "csv", "-o", "out.csv")
    assert said.code == 1
    assert "specs/data/tickets.jsonl:2: not a JSON object" in said.err


def test_columns_need_one_name_with_a_table(done: Stage) -> None:
    done.spec("b")
    done.run("apply", "--yes")
    done.advance(60)
    done.run("outputs", "pull")
    for names in (("b",), ("a", "b")):
        said = done.run("outputs", "export", *names, "--columns", "--format", "csv", "-o", "out.csv")
        assert said.code == 64


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_init_writes_a_spec_for_a_table_that_can_be_submitted(stage: Stage, form: str) -> None:
    (stage.root / "reconciler.yaml").unlink()
    stage.write("data/tickets.csv", 'Ticket ID,subject,"odd {name}",odd,odd,\n7,x,y,,,\n8,z,,,,\n')
    if form == "jsonl":
        row = {"Ticket ID": 7, "subject": "x", "odd {name}": "y", "odd ": "", "odd": [1]}
        stage.write("data/tickets.jsonl", json.dumps(row) + "\n")
    if form == "parquet":
        columns = "7 as 'Ticket ID', 'x' as subject, 1 as 'odd {name}', 2 as ' odd'"
        duckdb.execute(f"copy (select {columns}) to '{stage.root}/data/tickets.parquet'")
    table = stage.root / f"data/tickets.{form}"
    table.with_name(f"a[1].{form}").write_bytes(table.read_bytes())
    if form != "parquet":  # DuckDB has no way to read one such file alone
        assert stage.run("init", "--from", f"data/a[1].{form}", "--no-workflows").code == 0
    made = stage.run("init", "--from", f"data/tickets.{form}", "--no-workflows")
    assert made.code == 0
    assert made.out.index("reconciler plan --sandbox") < made.out.index("reconciler try tickets ")
    spec = (stage.root / "specs/tickets.yaml").read_text()
    assert "{{Ticket ID}}" in spec
    assert "{{subject}}" in spec
    assert "odd" not in spec
    assert stage.run("validate").code == 0
    assert stage.run("apply", "--yes").code == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("data/a.txt", "a.txt is no table"),
        ("../a.csv", "no table"),
        ("data/no.csv", "data/no.csv cannot be read: No such file or directory\n"),
        ("data/empty.csv", "data/empty.csv cannot be read: the file is empty\n"),
        ("data/list.jsonl", "data/list.jsonl cannot be read: not a JSON object: "),
    ],
)
def test_init_says_why_a_file_is_no_table(stage: Stage, name: str, words: str) -> None:
    stage.write("data/a.txt", "x")
    stage.write("data/empty.csv", "")
    stage.write("data/list.jsonl", "[]\n")
    said = stage.run("init", "--from", name, "--no-workflows")
    assert said.code == 1
    assert words in said.err


def test_a_query_over_named_tables_is_rendered_as_what_declares_the_same(tickets: Stage) -> None:
    pytest.importorskip("duckdb")
    sql = "select * from t"
    tickets.write(
        "specs/a.yaml",
        SPEC.replace("rows: data/tickets.csv", f'rows: {{sql: "{sql}", files: {{t: data/*.csv}}}}'),
    )
    assert tickets.run("apply", "--yes").code == 0
    tickets.write("specs/a.yaml", tickets.run("render").out)
    assert "1 running" in tickets.run("plan", "--detailed-exitcode").out
