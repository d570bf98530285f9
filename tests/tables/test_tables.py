"""Results as tables: the columns of a schema, values of their type, and CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.tables.rows import (
    BASE,
    BODY,
    BOOLEAN,
    INTEGER,
    JSON,
    NUMBER,
    TEXT,
    Column,
    field_columns,
    read_rows,
)
from reconciler.tables.write import write_table

SCHEMA = {
    "$defs": {"queue": {"enum": ["billing", "delivery"]}},
    "type": "object",
    "properties": {
        "queue": {"$ref": "#/$defs/queue"},
        "urgent": {"type": "boolean"},
        "score": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "count": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "text": {"type": "string"},
        "either": {"anyOf": [{"type": "number"}, {"type": "string"}]},
        "anything": {},
    },
}
FIELDS = (
    Column("queue", TEXT, "queue"),
    Column("urgent", BOOLEAN, "urgent"),
    Column("score", NUMBER, "score"),
    Column("count", INTEGER, "count"),
    Column("tags", JSON, "tags"),
    Column("answer_text", TEXT, "text"),
    Column("either", JSON, "either"),
    Column("anything", JSON, "anything"),
)


def test_each_property_is_a_column_of_its_type() -> None:
    assert field_columns([SCHEMA]) == FIELDS
    assert field_columns(
        [{"$ref": "#/$defs/it", "$defs": {"it": {"properties": {"a": {"const": "x"}}}}}]
    ) == (Column("a", TEXT, "a"),)


def test_a_property_that_schemas_disagree_about_is_json() -> None:
    one, two = ({"properties": {"a": {"type": kind}}} for kind in ("string", "integer"))
    assert field_columns([one, one]) == (Column("a", TEXT, "a"),)
    assert field_columns([one, two]) == (Column("a", JSON, "a"),)


@pytest.mark.parametrize(
    "odd", [True, [], 7, {"properties": []}, {"$ref": "https://example.org"}, {"$ref": "#/x/y"}]
)
def test_a_schema_without_properties_has_no_columns(odd: object) -> None:
    assert field_columns([odd]) == ()


def line(custom_id: str, content: object, **more: Any) -> str:  # noqa: ANN401 - JSON
    body = {"model": "m", "choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": 3}}
    row = {"custom_id": custom_id, "ok": True, "body": body, "error": None, "check": "valid", "job": "j"}
    return json.dumps(row | more) + "\n"


GOOD = {
    "queue": "billing",
    "urgent": True,
    "score": 1,
    "count": 2.0,
    "tags": ["é"],
    "text": "=1+1",
    "either": "x",
}
BAD = {"queue": 1, "urgent": 0, "score": "high", "count": 2.5, "tags": None, "text": {}, "anything": 10**30}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.jsonl"
    failed = {"kind": "http_422", "status_code": 422, "detail": {"message": "-1 is no size\nreally"}}
    missing = {"kind": "missing", "status_code": None, "detail": None}
    path.write_text(
        line("=cmd|'/c calc'!A0", json.dumps(GOOD))
        + line("b", json.dumps(BAD), check="invalid")
        + line("c", ' \t@SUM(A1)\nsecond, "line"')
        + line("d", None, ok=False, body=None, error=failed, check=None)
        + line("e", None, ok=False, body=None, error=missing, check=None, job=None),
        encoding="utf-8",
    )
    return path


def values(results: Path) -> list[dict[str, Any]]:
    return [row.values(FIELDS, body=False) for row in read_rows(results)]


def test_values_have_the_type_of_their_column_or_are_missing(results: Path) -> None:
    good, bad, text, failed, missing = values(results)
    assert {
        name: good[name] for name in ("queue", "urgent", "score", "count", "tags", "answer_text", "either")
    } == {
        "queue": "billing",
        "urgent": True,
        "score": 1.0,
        "count": 2,
        "tags": '["é"]',
        "answer_text": "=1+1",
        "either": '"x"',
    }
    assert [bad[field.name] for field in FIELDS] == [None] * 7 + [str(10**30)]
    assert (text["text"], text["queue"], text["prompt_tokens"]) == (' \t@SUM(A1)\nsecond, "line"', None, 3)
    assert (failed["error_kind"], failed["error_reason"]) == ("http_422", "http_422: -1 is no size really")
    assert (missing["error_kind"], missing["error_reason"], missing["job"]) == ("missing", "missing", None)


def test_no_cell_of_csv_is_a_formula_and_all_else_is_kept(results: Path) -> None:
    columns = (*BASE, *FIELDS, Column("=evil", INTEGER))
    path = results.with_name("out.csv")
    rows = [row | {"=evil": -1} for row in values(results)]
    assert write_table(path, "csv", columns, rows) == 5
    with path.open(encoding="utf-8", newline="") as file:
        head, *cells = csv.reader(file)
    assert head == [*(column.name for column in columns[:-1]), "'=evil"]
    found = [dict(zip(head, row, strict=True)) for row in cells]
    assert found[0]["custom_id"] == "'=cmd|'/c calc'!A0"
    assert found[0]["answer_text"] == "'=1+1"
    assert (found[0]["ok"], found[0]["score"], found[0]["'=evil"]) == ("true", "1.0", "-1")
    assert found[2]["text"] == '\' \t@SUM(A1)\nsecond, "line"'
    assert found[3]["error_reason"] == "http_422: -1 is no size really"
    assert not [cell for row in cells for cell in row[:-1] if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_json_lines_have_every_column_as_it_is(results: Path) -> None:
    path = results.with_name("out.jsonl")
    assert write_table(path, "jsonl", (*BASE, *FIELDS), values(results)) == 5
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    assert rows == values(results)
    assert [*rows[0]] == [column.name for column in (*BASE, *FIELDS)]


def test_parquet_has_typed_columns(results: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = results.with_name("out.parquet")
    assert write_table(path, "parquet", (*BASE, BODY, *FIELDS), values(results)) == 5
    found = duckdb.sql(f"select * from '{path}'")  # noqa: S608 - of this test
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert [types[column.name] for column in FIELDS] == [
        "VARCHAR", "BOOLEAN", "DOUBLE", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR",
    ]  # fmt: skip
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    assert rows == [{"body": None, **row} | {"body": None} for row in values(results)]
    assert [path.name for path in results.parent.iterdir() if path.name.startswith(".")] == []


def test_a_table_that_cannot_be_made_leaves_the_earlier_one(results: Path) -> None:
    path = results.with_name("out.csv")
    path.write_text("mine")

    def broken() -> Any:  # noqa: ANN401 - rows
        yield from values(results)
        raise ReconcilerError("no more")

    with pytest.raises(ReconcilerError):
        write_table(path, "csv", BASE, broken())
    assert path.read_text() == "mine"
    assert sorted(each.name for each in results.parent.iterdir()) == ["out.csv", "results.jsonl"]
