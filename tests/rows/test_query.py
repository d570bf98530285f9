"""A query reads the listed files and nothing else, and gives the same result in every run."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model import TableRows
from reconciler.rows import database, query
from reconciler.rows.row import RowsError
from tests.rows.make import rendered, rows, table

HOSTILE = [
    "copy files to 'stolen.csv'",
    "attach 'x.db' as x",
    "install httpfs",
    "load httpfs",
    "export database 'x'",
    "pragma version",
    "set memory_limit = '10GB'",
    "create table x as select 1",
    "describe files",
    "summarize files",
    "explain select 1",
    "call pragma_version()",
    "select 1; select 2",
    "select id, text from files) as r; copy files to 'stolen.csv'; --",
    "select id, text from files /*",
    "",
    "select * from 'secret.csv'",
    "select * from read_csv('secret.csv')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from glob('/etc/*')",
    "select * from parquet_scan('a.parquet')",
    "select * from duckdb_settings()",
    "select * from pragma_table_info('files')",
    "select * from query('select 1')",
    "select * from query_table('files')",
    "select * from json_execute_serialized_sql('x')",
    "select * from information_schema.tables",
    "select * from main.files",
    "select id, (select content from read_text('/etc/passwd')) as text from files",
    "with x as (select * from read_text('/etc/passwd')) select * from x",
    "select id, getenv('HOME') as text from files",
    "select id, current_setting('home_directory') as text from files",
    "select id, getvariable('x') as text from files",
    "select id, random()::varchar as text from files",
    "select id, list_transform([1], lambda x: x + random())::varchar as text from files",
    "select id, uuid()::varchar as text from files",
    "select id, now()::varchar as text from files",
    "select id, current_timestamp::varchar as text from files",
    "select id, current_date::varchar as text from files",
    "select id, today()::varchar as text from files",
    "select id, age(timestamp '2020-01-01')::varchar as text from files",
    "select id, current_user as text from files",
    "select id, nextval('x')::varchar as text from files",
    "select id, sleep_ms(1)::varchar as text from files",
    "select id, write_log('x') as text from files",
    "select id, text from files using sample 1",
    "select id, text from files tablesample 10%",
    "select id, text from files order by random()",
    "select id, text from files limit (select random())",
    *(
        "select (select max(x) from NAME as t(x))::varchar as id, "
        "(with NAME as (select 1 as x) select max(x) from NAME)::varchar as text".replace("NAME", name)
        for name in ("pg_settings", "pg_class", "duckdb_databases", '"secret.csv"', "source")
    ),
]
TOO_MUCH = "select id, list_sum(range(3000000000))::varchar as text from files"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table as CSV and as Parquet, and a file that no spec lists."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "a.csv").write_text("id,text,user\n007,a,x\n1.50,b,y\n")
    (folder / "secret.csv").write_text("id,text\n1,secret\n")
    duckdb.read_csv(folder / "a.csv", all_varchar=True).write_parquet(str(folder / "a.parquet"))
    return folder


@pytest.mark.parametrize("sql", HOSTILE)
def test_a_query_that_is_no_plain_select_of_the_listed_files_is_refused(root: Path, sql: str) -> None:
    before = sorted(root.iterdir())
    with pytest.raises(RowsError) as caught:
        here(root, table(root, "a.parquet", kind="sql", sql=sql))
    assert caught.value.hint
    assert sorted(root.iterdir()) == before
    assert not Path("stolen.csv").exists()


def here(root: Path, source: TableRows, *columns: str) -> list[Any]:
    """Return the rows of a query, in this process: starting another takes a second."""
    with tempfile.TemporaryDirectory() as folder:
        first, *batches = database.read(source, root, columns or ("id", "text"), folder)
    assert True not in first["decimals"]
    return [row for batch in batches for row in batch["rows"]]


@pytest.mark.parametrize("sql", ["select * from read_text('/etc/passwd')", TOO_MUCH, "select 1 as id"])
def test_what_the_other_process_refuses_is_an_error_here(root: Path, sql: str) -> None:
    with pytest.raises(RowsError) as caught:
        rows(root, table(root, "a.parquet", kind="sql", sql=sql), "id", "text")
    assert caught.value.hint


@pytest.mark.parametrize(
    "sql",
    [
        "select id, text from files;",
        "from files -- all of it",
        "with part as (select * from files) select id, text from part",
        "select id, text from files union all select id, text from files where false",
        "select id, strftime(timestamp '2020-01-01', '%Y') as year, text from files",
        "select id, user, text from files",
        "select files.id, text from files, range(1) as one",
        "select id, text from (select *, row_number() over (order by id) as n from files) where n < 9",
    ],
)
def test_other_queries_are_answered_in_the_order_of_their_ids(root: Path, sql: str) -> None:
    for name in ("a.parquet", "a.csv"):
        found = here(root, table(root, name, kind="sql", sql=sql))
        assert found == [("007", "a"), ("1.50", "b")]


def test_a_query_joins_tables_by_the_names_that_the_spec_gives_them(root: Path) -> None:
    sql = "select a.id, b.text from one as a join two as b using (id)"
    views = {"one": ("a.csv",), "two": ("a.parquet",)}
    source = table(root, "a.csv", "a.parquet", kind="sql", sql=sql, views=views)
    assert [row["text"] for row in rows(root, source, "id", "text")] == ["a", "b"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("kind", ["sql", "plain"])
def test_a_cell_may_have_ten_megabytes(tmp_path: Path, name: str, kind: str) -> None:
    cell = "word, " * 1_700_000
    if name == "a.csv":
        (tmp_path / name).write_text(f'id,text\n1,"{cell}"\n2,x\n')
    elif name == "a.jsonl":
        (tmp_path / name).write_text(json.dumps({"id": "1", "text": cell}) + '\n{"id": "2", "text": "x"}\n')
    else:
        with duckdb.connect() as made:
            made.execute("create table t as select ?::varchar as id, ?::varchar as text", ["1", cell])
            made.execute("insert into t values ('2', 'x')")
            made.execute(f"copy t to '{tmp_path / name}'")
    more = {"kind": "sql", "sql": "select id, text from files"} if kind == "sql" else {}
    found = rows(tmp_path, table(tmp_path, name, **more), "id", "text")
    assert [row["text"] == (cell, "x")[at] for at, row in enumerate(found)] == [True, True]


def test_the_answering_process_has_no_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "a-real-key-of-a-person")
    monkeypatch.setenv("DUCKDB_SECRET", "a-real-key-of-a-person")
    code = "import json, os\nprint(json.dumps({'error': [' '.join(os.environ), 'x']}))"
    monkeypatch.setattr(query, "_CHILD", code)
    with pytest.raises(RowsError) as caught:
        rows(root, table(root, "a.parquet"), "id")
    assert "PATH" in str(caught.value)
    assert "MISTRAL" not in str(caught.value)
    assert "DUCKDB" not in str(caught.value)


def test_a_machine_without_duckdb_is_told_what_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(RowsError, match="need the package duckdb") as caught:
        here(root, table(root, "a.parquet"))
    assert "[tables]" in caught.value.hint


@pytest.mark.parametrize(
    "cast",
    [
        "text::integer",
        "text::decimal(3, 2)",
        "text::date",
        "text::uuid",
        "('[' || text)::json",
        "strptime(text, '%Y')",
        "regexp_extract(id, '(' || text)",
        "date_trunc(text, date '2020-01-01')",
        "(8675309::bigint + length(text))::tinyint",
    ],
)
def test_an_error_of_duckdb_shows_no_cell_and_no_folder(tmp_path: Path, cast: str) -> None:
    cell = "8675309 'my' \"secret\" (cell"
    with duckdb.connect() as made:
        made.execute("create table t as select '1' as id, ?::varchar as text", [cell])
        for end in ("csv", "parquet"):
            made.execute(f"copy t to '{tmp_path}/a.{end}'")
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "1", "text": cell}) + "\n")
    sql = "select id, (CAST)::varchar as text from files".replace("CAST", cast)
    for name in ("a.csv", "a.jsonl", "a.parquet") if cast == "text::integer" else ("a.parquet",):
        with pytest.raises(RowsError, match="DuckDB: ") as caught:
            here(tmp_path, table(tmp_path, name, kind="sql", sql=sql))
        for shown in (str(caught.value), caught.value.hint, caught.value.file):
            assert not any(part in shown for part in ("8675309", "my", "secret", "cell", str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "content", "place", "words"),
    [
        ("b.csv", "id,text\n2,b\n3\n", ("b.csv", 3), "Expected Number of Columns: 2 Found: 1"),
        ("b.csv", 'id,text\n2,"b"b\n', ("b.csv", 2), "unterminated quote"),
        ("b.csv", "id,text\n2,b\r\n3,c\n4,d\r\n", ("b.csv", 0), "not regular"),
        ("b.csv", "id,text,ID\n", ("b.csv", 1), "two columns are named"),
        ("b.csv", "", ("b.csv", 1), "the file is empty"),
        (
            "b.jsonl",
            '{"id": "2", "text": "b"}\n{"id": "3", "id": "4"}\n',
            ("b.jsonl", 2),
            "JSON transform error",
        ),
        ("b.jsonl", "nope\n", ("b.jsonl", 1), "Malformed JSON"),
        ("b.parquet", "PAR1 nothing PAR1", ("b.parquet", 0), "DuckDB: "),
    ],
)
def test_a_table_that_a_query_cannot_read_has_its_place(
    tmp_path: Path, name: str, content: str, place: tuple[str, int], words: str
) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a\n")
    (tmp_path / name).write_bytes(content.encode())
    if name == "b.parquet":
        source = table(tmp_path, name)
    else:
        sql = "select * from one union all by name select id, text from two"
        views = {"one": ("a.csv",), "two": (name,)}
        source = table(tmp_path, "a.csv", name, kind="sql", sql=sql, views=views)
    with pytest.raises(RowsError, match=words) as caught:
        here(tmp_path, source)
    assert (caught.value.file, caught.value.line) == place


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet", "a?.parquet", "a[1].csv"])
def test_a_file_whose_name_is_a_pattern_for_others_is_refused(root: Path, tmp_path: Path, name: str) -> None:
    for each in (name, "a1" + Path(name).suffix):
        (tmp_path / each).write_bytes((root / f"a{Path(name).suffix}").read_bytes())
    with pytest.raises(RowsError, match="DuckDB would read other files too") as caught:
        here(tmp_path, table(tmp_path, name, "a1" + Path(name).suffix, kind="sql", sql="from files"))
    assert caught.value.file == name


def test_a_name_of_a_folder_is_no_column(root: Path, tmp_path: Path) -> None:
    (tmp_path / "id=9").mkdir()
    for end in ("csv", "parquet"):
        (tmp_path / f"id=9/a.{end}").write_bytes((root / f"a.{end}").read_bytes())
        source = table(tmp_path, f"id=9/a.{end}", kind="sql", sql="from files")
        assert [row[0] for row in here(tmp_path, source)] == ["007", "1.50"]
    assert here(tmp_path, table(tmp_path, "id=9/a.parquet")) == [("007", "a"), ("1.50", "b")]


def test_texts_of_json_lines_stay_texts_in_a_query(tmp_path: Path) -> None:
    texts = [
        "2026-01-02",
        "2026-01-02T03:04:05+02:00",
        "03:04",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "007",
        "true",
        "null",
        "\u00e9\x00",
    ]
    row = {f"{kind}{at}": text for at, text in enumerate(texts) for kind in ("plain", "in", "list")}
    nested = {
        name: {"time": text} if name[0] == "i" else [text] if name[0] == "l" else text
        for name, text in row.items()
    }
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "1", **nested}) + "\n")
    chosen = (f"in{at}.time as in{at}, list{at}[1] as list{at}, plain{at}" for at in range(len(texts)))
    sql = "select id, COLUMNS from files".replace("COLUMNS", ", ".join(chosen))
    assert here(tmp_path, table(tmp_path, "a.jsonl", kind="sql", sql=sql), *row) == [(*row.values(),)]
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": 7}\n{"id": "2", "text": "7 days"}\n')
    found = here(tmp_path, table(tmp_path, "a.jsonl", kind="sql", sql="from files"))
    assert found == [("1", "7"), ("2", "7 days")]


def test_a_query_makes_text_of_lists_and_structs(root: Path) -> None:
    sql = "select id, to_json({'a': [text]}) as text from files"
    assert here(root, table(root, "a.csv", kind="sql", sql=sql)) == [
        ("007", '{"a":["a"]}'),
        ("1.50", '{"a":["b"]}'),
    ]


CSV: Final = st.lists(
    st.sampled_from([*"ab1#\\ '\";|\t\0é", ",", '"', "\n", "\\0", "NULL", '"a"', '"b,\n"', "\u2028"]),
    max_size=12,
)


@given(
    header=st.sampled_from(["id,text", "id,text,more", "id;text", "\ufeffid,text", "#id,text"]),
    parts=CSV,
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=10, deadline=None)
def test_csv_that_a_query_reads_is_the_same_table_as_without_it(
    header: str, parts: list[str], end: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        content = f"{header}\n{''.join(parts)}\n".replace("\n", end)
        (root / "a.csv").write_bytes(content.encode())
        source = table(root, "a.csv", kind="sql", sql="from files")
        try:
            queried = here(root, source, "text")
        except RowsError:
            return
        plain = rows(root, table(root, "a.csv"), "text")
        assert queried == [(row["text"],) for row in plain]


def test_rows_of_several_files_of_parquet_are_numbered_in_their_file(tmp_path: Path) -> None:
    for name, ids in {"a": "'1', '2'", "b": "'3', null, '5'"}.items():
        duckdb.execute(f"copy (select unnest([{ids}]) as id) to '{tmp_path}/{name}.parquet'")
    found, _ = rendered(tmp_path, table(tmp_path, "a.parquet", "b.parquet"))
    assert [(it.path, it.line) for it in found.problems] == [("b.parquet", 2)]
    duckdb.execute(f"copy (select '4' as other) to '{tmp_path}/b.parquet'")
    found, _ = rendered(tmp_path, table(tmp_path, "a.parquet", "b.parquet"))
    assert [(it.path, it.message) for it in found.problems] == [("b.parquet", "the table has no column `id`")]


def test_a_process_that_ends_early_is_no_end_of_the_table(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = 'print(\'{"rows": [["1"]]}\')'
    monkeypatch.setattr(query, "_CHILD", code)
    with pytest.raises(RowsError, match="was ended"):
        rows(root, table(root, "a.parquet"), "id")


def test_columns_of_parquet_have_one_text_form_or_are_refused(tmp_path: Path) -> None:
    duckdb.execute(
        "copy (select '7' as id, 1.50::decimal(9, 2) as d, date '2026-01-02' as day, "
        "timestamp '2026-01-02 03:04:05' as at, true as b, 1.5::double as x, null as n, 12::bigint as i, "
        "0.1::float as f, '{}'::json as j, "
        "[1] as list) to $file",
        {"file": str(tmp_path / "a.parquet")},
    )
    source = table(tmp_path, "a.parquet")
    row: dict[str, Any] = dict(*rows(tmp_path, source, "id", "d", "day", "at", "b", "x", "n", "i", "f", "j"))
    assert str(row.pop("d")) == "1.50"
    assert row == {
        "id": "7",
        "day": "2026-01-02",
        "at": "2026-01-02 03:04:05",
        "b": True,
        "x": 1.5,
        "n": None,
        "i": 12,
        "f": 0.1,
        "j": "{}",
    }
    with pytest.raises(RowsError, match="list") as caught:
        [*database.read(source, tmp_path, ("id", "list"), str(tmp_path))]
    assert "to_json(list)" in caught.value.hint
    with pytest.raises(RowsError, match="no column `nope`"):
        [*database.read(source, tmp_path, ("nope",), str(tmp_path))]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)


@given(cells=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
@settings(max_examples=5, deadline=None)
def test_a_table_of_texts_is_the_same_as_csv_and_as_parquet(cells: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with duckdb.connect() as made:
            made.execute("create table t (id varchar, text varchar)")
            made.executemany("insert into t values (?, ?)", [list(it) for it in cells])
            made.execute(f"copy t to '{root}/a.parquet'")
            made.execute(f"copy t to '{root}/a.csv' (header, force_quote *)")
        one = rows(root, table(root, "a.csv"), "id", "text")
        assert one == rows(root, table(root, "a.parquet"), "id", "text")
        assert [(row["id"], row["text"]) for row in one] == cells
