"""Rows are read as they are written, and each problem has its place."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import InputFile
from reconciler.rows.read import columns_of
from reconciler.rows.row import RowsError
from reconciler.settings import Limits
from reconciler.specs.inputs.reader import check
from tests.rows.make import rendered, rows, table

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(cells=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), mark=st.sampled_from(",;\t|"))
def test_every_cell_of_csv_is_read_as_it_was_written(cells: list[tuple[str, str]], mark: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with (root / "a.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL)
            writer.writerows([("id", "text"), *cells])
        found = rows(root, table(root, "a.csv"), "id", "text")
    assert [(row["id"], row["text"]) for row in found] == cells


def test_cells_of_csv_are_text_unless_their_column_has_a_type(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,n,d,b,t\n007,12,1.50,TRUE,1e5\n008,"","","",""\n')
    source = table(tmp_path, "a.csv", columns={"n": "integer", "d": "decimal", "b": "boolean"})
    one, two = rows(tmp_path, source, "id", "n", "d", "b", "t")
    assert one == {"id": "007", "n": 12, "d": pytest.approx(1.5), "b": True, "t": "1e5"}
    assert str(one["d"]) == "1.50"
    assert two == {"id": "008", "n": None, "d": None, "b": None, "t": ""}


@pytest.mark.parametrize(
    ("name", "content", "line", "words"),
    [
        ("a.csv", b"id,text\n1,a\n2,b,c\n", 3, "3 cells; the header has 2"),
        ("a.csv", b'id,text\n1,"a\nb"\n2,b,c\n', 4, "3 cells"),
        ("a.csv", b'id,text\n1,a\n2,"b"c\n', 3, "not CSV"),
        ("a.csv", b"id,text,id\n", 1, "two columns are named `id`"),
        ("a.csv", b"", 1, "the file is empty"),
        ("a.csv", b"\nid,text\n1,a\n", 1, "the first line is empty"),
        ("a.csv", "id,text\n1,a\n".encode("utf-16"), 1, "not UTF-8"),
        ("a.csv", "id,text,é\n1,a,b\n".encode("latin-1"), 1, "not UTF-8"),
        ("a.csv", b'id,text\n1,a\n2,"b\n3,c\n', 3, "not CSV"),
        ("a.csv", b"id,text\n1," + b"x" * 32_000_000, 2, "a line of 32,000,000 characters or more"),
        ("a.csv", b"id,other\n1,2\n", 1, "no column `text`"),
        ("a.jsonl", b'{"id": 1, "text": "a"}\nnope\n', 2, "not a JSON object"),
        ("a.jsonl", b'{"id": 1, "text": NaN}\n', 1, "not a JSON object: .*invalid character"),
        ("a.jsonl", b'{"id": 1, "text": "\xe9"}\n', 1, "not a JSON object: .*UTF-8"),
        ("a.jsonl", b'[{"id": 1, "text": "a"}]\n', 1, "not a JSON object: .*array"),
        ("a.jsonl", b'{"id": "' + b"x" * 32_000_000, 1, "a line of 32,000,000 bytes or more"),
        ("a.jsonl", b'{"id": 1, "text": "a"}\n{"id": 1, "text": [1]}\n', 2, "a list or an object"),
        ("a.jsonl", b'{"id": 1}\n', 1, "no column `text`"),
        ("a.jsonl", b'\n\n{"id": 1}\n', 3, "no column `text`"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(
    tmp_path: Path, name: str, content: bytes, line: int, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RowsError, match=words) as caught:
        rows(tmp_path, table(tmp_path, name), "id", "text")
    assert (caught.value.file, caught.value.line) == (name, line)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "cell"),
    [("boolean", "yes"), ("integer", "1.0"), ("integer", "1" * 30), ("decimal", "1e5"), ("decimal", "१")],
)
def test_a_cell_without_the_type_of_its_column_is_named(tmp_path: Path, kind: str, cell: str) -> None:
    (tmp_path / "a.csv").write_text(f"id,text\n1,\n2,{cell}\n")
    with pytest.raises(RowsError, match=r"`text`: .* type of its column") as caught:
        rows(tmp_path, table(tmp_path, "a.csv", columns={"text": kind}), "id", "text")
    assert (caught.value.file, caught.value.line) == ("a.csv", 3)
    assert cell not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\xef\xbb\xbfid,text\r\n1,a\r\n\r\n2,b\r\n\r\n"),
        ("a.csv", b"id,text\r1,a\r2,b"),
        ("a.csv", b"id , text\n1,a\n2,b\n"),
        ("a.csv", b"id,text,other,other,,\n1,a,x,y,z,\n2,b,,,,\n"),
        ("a.csv", b'"id";"text";"a,b,c"\n1;a;x\n2;b;y\n'),
        ("a.tsv", b"id\ttext\ta, b, c and d\n1\ta\tx\n2\tb\ty\n"),
        ("a.jsonl", b'\xef\xbb\xbf{"id": "1", "text": "a", "more": [1]}\r\n\r\n{"text": "b", "id": "2"}'),
    ],
)
def test_other_ways_to_write_a_table_are_the_same_table(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    source = table(tmp_path, name)
    assert rows(tmp_path, source, "id", "text") == [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]
    assert {"id", "text"} <= {*columns_of(source, tmp_path)}
    assert not {"", "other", "more"} & {*columns_of(source, tmp_path)}


def test_files_of_a_table_may_be_written_in_different_ways(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a\n")
    (tmp_path / "b.csv").write_text("more;text;id\nx;b;2\n")
    found = rows(tmp_path, table(tmp_path, "a.csv", "b.csv"), "id", "text")
    assert [row["text"] for row in found] == ["a", "b"]


@pytest.mark.parametrize("number", ["1.50", "-0.10", "12345678901234567890.123", "18446744073709551617"])
def test_numbers_of_json_lines_keep_their_digits(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"id": {number}, "text": {number}}}\n')
    body = b'{"whole":"{{text}}","inside":"a {{text}}"}'
    [line] = rendered(tmp_path, table(tmp_path, "a.jsonl", body=body))[1]
    assert line.decode() == (f'{{"custom_id":"{number}","body":{{"whole":{number},"inside":"a {number}"}}}}')


@pytest.mark.parametrize("number", ["1e400", "1e999999999", "1e-999999999"])
def test_a_number_with_too_many_digits_is_named(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"id": 1, "text": {number}}}\n')
    found, _ = rendered(tmp_path, table(tmp_path, "a.jsonl", body=b'{"a":"{{text}}"}'))
    assert [(it.path, it.line, it.message[:19]) for it in found.problems] == [
        ("a.jsonl", 1, "`text`: not a numbe")
    ]


def test_a_table_of_which_only_a_pointer_is_here_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("version https://git-lfs.github.com/spec/v1\n")
    source = table(tmp_path, "a.csv", files=(InputFile(path="a.csv", sha256="0" * 64, size=9, pointer=True),))
    for read in (lambda: rows(tmp_path, source, "id"), lambda: columns_of(source, tmp_path)):
        with pytest.raises(RowsError, match="Git LFS pointer") as caught:
            read()
        assert (caught.value.file, caught.value.hint) == ("a.csv", "git lfs pull")


def test_values_of_json_lines_keep_their_types(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 7, "x": 1.5}\n\n{"id": "8", "x": null}\n{"id": true}\n')
    assert rows(tmp_path, table(tmp_path, "a.jsonl"), "id", "x") == [
        {"id": 7, "x": 1.5},
        {"id": "8", "x": None},
        {"id": True, "x": None},
    ]


def test_a_file_is_a_row_with_its_content_as_a_data_url(tmp_path: Path) -> None:
    (tmp_path / "scan.PDF").write_bytes(b"%PDF-1.7\x00")
    (tmp_path / "b.bin").write_bytes(b"x")
    source = table(tmp_path, "b.bin", "scan.PDF", kind="files")
    one, two = rows(tmp_path, source, "path", "stem", "sha256", "data_url")
    assert two == {
        "path": "scan.PDF",
        "stem": "scan",
        "sha256": hashlib.sha256(b"%PDF-1.7\x00").hexdigest(),
        "data_url": f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1.7' + bytes(1)).decode()}",
    }
    assert one["data_url"].startswith("data:application/octet-stream;")


def requests(root: Path, text: str, **fields: Any) -> tuple[list[Any], list[tuple[int, str]]]:  # noqa: ANN401 - fields of rows
    """Render a CSV, and return the requests, and the line and message of each problem."""
    (root / "a.csv").write_text(text)
    body = json.dumps({"messages": [{"role": "user", "content": "{{text}}"}]}).encode()
    found, lines = rendered(root, table(root, "a.csv", **{"body": body, **fields}))
    problems = [(problem.line, problem.message) for problem in found.problems]
    if not problems:
        assert found.file.sha256 == hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
        assert found.file.requests == len(lines)
    return [json.loads(line) for line in lines], problems


def test_each_row_becomes_a_request_in_the_order_of_the_table(tmp_path: Path) -> None:
    found, problems = requests(tmp_path, "id,text,more\n2,b,x\n1,a,y\n")
    assert not problems
    assert [(it["custom_id"], it["body"]["messages"][0]["content"]) for it in found] == [
        ("2", "b"),
        ("1", "a"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "{{text}}"}]},
        {"messages": [{"role": "user", "content": "{{text}}"}], "max_tokens": 20, "n": 2},
        {"messages": [{"role": "user", "content": "{{text}}"}], "max_tokens": "{{most}}"},
        {"messages": [{"role": "user", "content": [{"type": "{{kind}}", "text": "{{text}}"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "{{text}}"}]}]},
        {"document": {"type": "document_url", "document_url": "{{text}}"}, "pages": "0-{{most}}"},
    ],
)
def test_rendered_requests_have_the_workload_of_their_lines(tmp_path: Path, body: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_text("id,text,most,kind\n1,a,5,text\n2,bcd,7,image_url\n3,ab,,text\n")
    source = table(tmp_path, "a.csv", body=json.dumps(body).encode(), columns={"most": "integer"})
    found, _ = rendered(tmp_path, source)
    read = check(tmp_path / found.file.path, "a.jsonl", Limits())
    assert found.file.workload == read.file.workload
    assert found.file.workload


def test_ids_that_are_empty_or_doubled_are_named_with_their_lines(tmp_path: Path) -> None:
    assert requests(tmp_path, "id,text\n1,a\n,b\n")[1] == [(3, "`custom_id` is empty")]
    problems = requests(tmp_path, "id,text\n1,a\n2,b\n1,c\n1,d\n")[1]
    assert problems == [(line, "`custom_id` was used before, in a.csv:2") for line in (4, 5)]


def test_twenty_problems_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    problems = requests(tmp_path, "id,text\n" + ",x\n" * 33)[1]
    assert len(problems) == 21
    assert problems[-1] == (0, "13 more rows with a problem")


def test_a_cell_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,text,other\n1,a,\xff\n2,\xff,b\n")
    found, _ = rendered(tmp_path, table(tmp_path, "a.csv", body=b'{"a":"{{text}}"}'))
    assert [(it.line, it.message[:16]) for it in found.problems] == [(3, "`text`: not UTF-")]
    assert found.problems[0].hint == "save the file as UTF-8"


def test_a_table_without_rows_and_a_line_that_is_too_long_are_refused(tmp_path: Path) -> None:
    assert requests(tmp_path, "id,text\n")[1] == [(0, "the table has no rows")]
    [(line, message)] = requests(tmp_path, f"id,text\n1,{'x' * 100_000}\n")[1]
    assert line == 2
    assert "at most 100,000" in message


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a\n")
    source = table(tmp_path, "a.csv")
    (tmp_path / "a.csv").write_text("id,text\n1,b\n")
    found, _ = rendered(tmp_path, source)
    assert [problem.message for problem in found.problems] == ["the file changed while it was read"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"body": b'{"a":1}'}, False),
        ({"custom_id": "x-{{id}}"}, False),
        ({"columns": {"text": "integer"}}, False),
        ({"includes": ("other.md",)}, True),
        ({"body": b'{"b":2,"a":1}'}, False),
        ({}, True),
    ],
)
def test_the_identity_is_what_is_read_and_what_is_made_of_it(
    tmp_path: Path, change: dict[str, Any], same: bool
) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a\n")
    (tmp_path / "b.csv").write_text("id,text\n1,a\n")
    whole = table(tmp_path, "a.csv").identity
    assert (table(tmp_path, "b.csv", **change).identity == whole) is same, "the name does not matter"
    (tmp_path / "b.csv").write_text("id,text\n1,b\n")
    assert table(tmp_path, "b.csv", **change).identity != whole
