from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml.error import Mark
from yaml.scanner import ScannerError

from reconciler.errors import Problem
from reconciler.settings import Limits
from reconciler.specs.yaml.messages import INVISIBLE, PureParser
from reconciler.specs.yaml.reader import FASTEST, read
from reconciler.specs.yaml.source import QUOTE_ALL, SourceFile, decode
from tests.specs.make import documents

Parser = Callable[[str], Any]
BOTH = pytest.mark.parametrize("parser", [FASTEST, PureParser], ids=["libyaml", "pure"])


def values(text: str, parser: Parser = FASTEST) -> list[Any]:
    found, stopped = read(SourceFile("x.yaml", text), Limits(), parser=parser)
    assert not stopped
    assert not [problem for document in found for problem in document.problems]
    return [document.value for document in found]


def refusals(text: str, parser: Parser = FASTEST, limits: Limits | None = None) -> list[Problem]:
    found, stopped = read(SourceFile("x.yaml", text), limits or Limits(), parser=parser)
    return sorted([*(problem for document in found for problem in document.problems), *stopped])


def test_libyaml_is_what_reads_here() -> None:
    assert FASTEST is not PureParser


@BOTH
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: on", {"a": "on"}),
        ("a: Yes", {"a": "Yes"}),
        ("on: [FAILED]", {"on": ["FAILED"]}),
        ("a: 012", {"a": 12}),
        ("a: 0o14", {"a": 12}),
        ("a: 0x1F", {"a": 31}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 2024-01-02", {"a": "2024-01-02"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 1_000", {"a": "1_000"}),
        ('a: "012"', {"a": "012"}),
        ("a: 'true'", {"a": "true"}),
        ("a: ~\nb:\nc: null", {"a": None, "b": None, "c": None}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: >-\n  x\n  y\n", {"a": "x y"}),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x 1.10\nb: [*x, *x]", {"a": 1.1, "b": [1.1, 1.1]}),
        ("a: &x {b: c}\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}),
        ("{a: 1, 'b': [x, {c: d}]}", {"a": 1, "b": ["x", {"c": "d"}]}),
        ('"a": 1\n? b\n: 2', {"a": 1, "b": 2}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ('"<<": 1', {"<<": 1}),
        ("%YAML 1.2\n---\na: 1", {"a": 1}),
        ('a: "\\u00e9\\x41\\n"', {"a": "éA\n"}),
        ("a: 漢字 😀", {"a": "漢字 😀"}),
    ],
)
def test_what_is_read(text: str, value: object, parser: Parser) -> None:
    (found,) = values(text, parser)
    assert found == value
    assert repr(found) == repr(value)


@BOTH
@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "duplicate key `a`, first on line 1"),
        ("x: {a: 1, a: 2}", 1, 11, "duplicate key `a`"),
        ("1: x", 1, 1, "a field's name must be text"),
        ("true: x", 1, 1, "a field's name must be text"),
        ("~: x", 1, 1, "a field's name must be text"),
        ("? [a]\n: x", 1, 3, "a field's name must be text"),
        ("? {a: b}\n: x", 1, 3, "a field's name must be text"),
        ("a: &k x\n*k : y", 2, 1, "a field's name must be text"),
        ("a: !!str 5", 1, 4, "tags (`!…`) are not supported"),
        ("a: ! 5", 1, 4, "tags (`!…`) are not supported"),
        ("a: !Foo {b: c}", 1, 4, "tags (`!…`) are not supported"),
        ("a: !<x> [b]", 1, 4, "tags (`!…`) are not supported"),
        ("a: !!python/object/apply:os.system [ls]", 1, 4, "tags (`!…`) are not supported"),
        ("a: !undefined!x y", 1, 4, "tags (`!…`)"),
        ("b: &b {c: 1}\na:\n  <<: *b", 3, 3, "the merge key `<<` is not supported"),
        ("a: .inf", 1, 4, ".inf is not a number in JSON"),
        ("a: [1, -.INF]", 1, 8, "-.INF is not a number"),
        ("a: .nan", 1, 4, ".nan is not a number"),
        ("a: 1e999", 1, 4, "1e999 is too large"),
        ("a: " + "7" * 65, 1, 4, "a number of 65 characters"),
        ("a: *b", 1, 4, "unknown anchor `b`"),
        ("a: &a [*a]", 1, 8, "unknown anchor `a`"),
        ("a: 1\n---\nb: *x\n---\nc: &x 1", 3, 4, "unknown anchor `x`"),
        ("%YAML 1.1\n---\na: 1", 1, 1, "directives"),
        ("%TAG ! tag:x,2000:\n---\na: 1", 1, 1, "directives"),
        ("%YAML 2.0\n---\na: 1", 1, 1, "unsupported version of YAML"),
        ("a: \x01", 1, 4, "the invisible character U+0001"),
        ("a: b\nc: x\x7fy", 2, 5, "the invisible character U+007F"),
        ("a: é\x1b[31m", 1, 5, "the invisible character U+001B"),
        ("a: x\x85y", 1, 5, "the invisible character U+0085"),
        ("a: x\u2028y", 1, 5, "the invisible character U+2028"),
        ("a: x\u202ey", 1, 5, "the invisible character U+202E"),
        ('a: "\\ud800"', 1, None, "an escape that is not a valid character"),
        ('a: "x\\ud83d\\ude00"', 1, None, "an escape that is not a valid character"),
        ('a: "\\U00110000"', 1, 7, "an escape that is not a valid character"),
        ('a: "\\UFFFFFFFF"', 1, 7, "an escape that is not a valid character"),
        ('a: "C:\\users"', 1, 9, "an escape with too few digits"),
        ('a: "\\xg0"', 1, 7, "an escape with too few digits"),
        ('a: "\\q"', 1, None, "unknown escape"),
        ('a: "b\n---\nc"', 1, 4, "missing closing quote before `---`"),
        ("a: ? b", 1, 4, "unexpected `?`"),
        ("a: 'b", 1, 4, "missing closing quote"),
        ("a: b: c", 1, 5, "unexpected `:`"),
        ("a: 1\n b: 2", 2, 3, "unexpected `:`"),
        ("a\nb: 1", 2, 2, "unexpected `:`"),
        ("a: @x", 1, 4, "a value cannot begin with `@`"),
        ("a: `x`", 1, 4, "a value cannot begin with ```"),
        ("a: %x", 1, 4, "a value cannot begin with `%`"),
        ("a:\n\t- b", 2, 1, "a tab in the indentation"),
        ("a: b\n\tc", 2, 1, "a tab in the indentation"),
        ("a: |\n\tb", 2, 1, "a tab in the indentation"),
        ("a: [1, 2", 1, 4, "missing `]` or `,`"),
        ("a: {b: c", 1, 4, "missing `}` or `,`"),
        ("a: {b:\n\n", 1, 6, "missing `]` or `}`"),
        ("a: }", 1, 4, "expected a value"),
        ("- a\nb: 1", 2, 1, "unexpected text"),
        ("a:\n  - b\n - c", 3, 2, "unexpected text"),
        ("a: 'x' y", 1, 8, "unexpected text"),
        ("a: - b", 1, 4, "unexpected list item"),
        ("a: |x\n  b", 1, 5, "unexpected text after `|` or `>`"),
        ("a: *.jsonl", 1, None, "`*` begins an alias, but no name follows"),
        ("a: & b", 1, None, "`&` begins an anchor, but no name follows"),
        ("a: 1\nb\n", 2, 1, "missing `:` after a field"),
        ('"a"\n"b"', 2, 1, "unexpected text after the end of the document"),
        ("a: 1\n... b", 2, 5, "unexpected text after the end of the document"),
        ("a: 1\n...\nb: 2\nc: 3", 3, 1, "unexpected text after the end of the document"),
    ],
)
def test_what_is_refused_and_where(
    text: str, line: int | None, column: int | None, message: str, parser: Parser
) -> None:
    (problem,) = refusals(text, parser)
    assert message in problem.message
    assert problem.hint
    if line is not None:
        assert problem.line == line
        assert problem.excerpt == text.replace("\x85", "\n").split("\n")[line - 1] or "\x85" in text
    if column is not None:
        assert problem.column == column


def test_an_unknown_directive_is_refused_by_libyaml() -> None:
    (problem,) = refusals("%FOO x\n---\na: 1")
    assert problem.message == "unknown directive"


DEEP = {
    "[": ["["] * 15_000,
    "{": ["{"] * 15_000,
    "{a: ": ["{a: "] * 15_000,
    "- ": ["- "] * 15_000,
    "? ": ["? "] * 15_000,
    "- ? ": ["- ", "? "] * 7_500,
    "[{a: ": ["[", "{a: "] * 7_500,
    "{[": ["{", "["] * 7_500,
    "- then [": ["- "] * 30 + ["["] * 15_000,
    "a: then [": ["é: "] + ["["] * 15_000,
    "a line each": ["[\n"] * 15_000,
    "indented": [f"{' ' * depth}a:\n" for depth in range(1300)],
}
"""Texts that nest too deep: each part opens one level, at its first character that is not a space."""


@BOTH
@pytest.mark.parametrize("parts", DEEP.values(), ids=DEEP)
def test_a_file_that_nests_too_deep_ends_in_a_message(parts: list[str], parser: Parser) -> None:
    """Our limit is what the message names, also if libyaml's own (since 0.2.6) stops the reading first."""
    (problem,) = refusals("".join(parts), parser)
    assert problem.message == "more than 64 levels of nesting"
    assert problem.hint == "raise `limits.spec_depth` in reconciler.yaml if this is intended"
    before = "".join(parts[:64]) + " " * (len(parts[64]) - len(parts[64].lstrip(" ")))
    assert problem.line == 1 + before.count("\n")
    assert problem.column == len(before) - before.rfind("\n")


@BOTH
def test_the_text_before_a_nest_too_deep_is_kept(parser: Parser) -> None:
    found, stopped = read(
        SourceFile("x.yaml", "a: 1\n---\nb: 1\nb: 2\nc: " + "[" * 5000), Limits(), parser=parser
    )
    assert [document.value for document in found] == [{"a": 1}]
    assert [(problem.line, problem.column) for problem in stopped] == [(4, 1), (5, 67)]


def test_a_parser_that_reads_fewer_levels_than_ours_ends_in_a_message_too() -> None:
    class Shallow:
        def __init__(self, text: str) -> None:
            self._text = text
            self._whole = FASTEST(text)

        def get_event(self) -> object:
            if "[" in self._text:
                mark = Mark("", self._text.index("["), 1, 3, None, 0)
                raise ScannerError(
                    "while increasing flow level", mark, "exceeded maximum nesting depth", mark
                )
            return self._whole.get_event()

    found, (problem,) = read(SourceFile("x.yaml", "a: 1\nb: [[1]]"), Limits(), parser=Shallow)
    assert found == []
    assert (problem.where, problem.message) == ("x.yaml:2:4", "nested too deeply for the YAML parser")


def test_the_depth_limit_is_exact() -> None:
    limits = Limits(spec_depth=5)
    assert not refusals("[" * 5 + "]" * 5, limits=limits)
    assert refusals("[" * 6 + "]" * 6, limits=limits)
    assert not refusals("a: &x [[]]\nb: [[*x]]", limits=limits)
    assert refusals("a: &x [[]]\nb: [[[*x]]]", limits=limits)


def test_aliases_cannot_build_what_is_too_deep() -> None:
    rows = ["a0: &a0 [1]", *(f"a{n}: &a{n} [[[[*a{n - 1}]]]]" for n in range(1, 30))]
    assert [problem.message for problem in refusals("\n".join(rows))] == ["more than 64 levels of nesting"]


@BOTH
def test_an_alias_bomb_is_stopped_by_counting(parser: Parser) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7)]
    (problem,) = refusals("\n".join(rows), parser)
    assert problem.message == "more than 100,000 values in one file, aliases expanded"


def test_many_values_are_stopped_without_aliases_too() -> None:
    assert refusals("[" + "a, " * 50 + "a]", limits=Limits(spec_nodes=50))
    assert not refusals("[" + "a, " * 40 + "a]", limits=Limits(spec_nodes=50))


def test_several_documents_are_read_and_empty_ones_skipped() -> None:
    text = "---\n# nothing\n---\na: 1\n---\n---\n\nb: 2\n...\n---\n~\n"
    found, stopped = documents(text)
    assert not stopped
    assert [(document.value, document.place(()).line + 1) for document in found] == [
        ({"a": 1}, 4),
        ({"b": 2}, 8),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n---\n"])
def test_a_file_without_content_has_no_documents(text: str) -> None:
    assert documents(text) == ([], [])


def test_documents_before_a_mistake_are_kept() -> None:
    found, stopped = documents("a: 1\n---\nb: [\n")
    assert [document.value for document in found] == [{"a": 1}]
    assert len(stopped) == 1


def test_mistakes_before_the_one_that_ends_the_reading_are_kept() -> None:
    _, stopped = documents("a: 1\na: 2\nb: [\n")
    assert [problem.line for problem in stopped] == [2, 3]


def test_a_refused_key_leaves_the_other_fields() -> None:
    (found,), _ = documents("a: 1\nb: 2\na: 3\n4: 5\n<<: {}\nc: 6")
    assert found.value == {"a": 1, "b": 2, "c": 6}
    assert found.incomplete
    assert [problem.line for problem in found.problems] == [3, 4, 5]


def test_a_twice_written_key_leaves_nothing_out() -> None:
    (found,), _ = documents("a: 1\na: 3")
    assert not found.incomplete


def test_every_value_has_its_place_and_its_text() -> None:
    (found,), _ = documents("a:\n  - x\n  - {b: 1.10,\n     c: &k 'é'}\nd: *k")
    assert found.place(("a", 1, "b")) == (2, 8)
    assert found.key_place(("a", 1, "c")) == (3, 5)
    assert found.key_place(("a", 0)) == (1, 4)
    assert found.text(("a", 1, "b")) == "1.10"
    assert found.text(("d",)) == "é"
    assert found.place(("d",)) == (3, 8), "the place of an alias is that of its value"
    assert found.text(("a",)) == ""
    assert found.place(("a", 1, "missing", "deeper")) == (2, 4)
    assert found.find(("a", "b")) is None


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    source = decode("x.yaml", b"\xef\xbb\xbfa: 1\n", QUOTE_ALL)
    assert isinstance(source, SourceFile)
    found, _ = read(source, Limits())
    assert found[0].value == {"a": 1}
    assert found[0].place(("a",)) == (0, 3)


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b"a: \xff", "x.yaml:1:4", "the byte 0xff at offset 3 is not UTF-8"),
        ("é: x\nb: ".encode() + b"\xc3\x28", "x.yaml:2:4", "the byte 0xc3 at offset 9 is not UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "x.yaml:1:4", "the byte 0xff at offset 6 is not UTF-8"),
        ("a: 1".encode("utf-16"), "x.yaml", "the file is UTF-16, not UTF-8"),
        (b"a: \xed\xa0\x80", "x.yaml:1:4", "the byte 0xed at offset 3 is not UTF-8"),
    ],
)
def test_bytes_that_are_not_utf_8_are_refused(data: bytes, where: str, message: str) -> None:
    problem = decode("x.yaml", data, QUOTE_ALL)
    assert isinstance(problem, Problem)
    assert (problem.where, problem.message, problem.hint[:4]) == (where, message, "save")


seen_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
    lambda text: not INVISIBLE.search(text)
)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | seen_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(seen_text, inner, max_size=4),
    max_leaves=12,
)


@given(json_values.filter(lambda value: value is not None))
def test_json_reads_as_itself(value: object) -> None:
    found, stopped = documents(json.dumps(value, ensure_ascii=False))
    assert not stopped
    assert repr(found[0].value) == repr(value)


@given(
    st.binary(max_size=60)
    | st.text(st.sampled_from("ab01:-?[]{}&*!|>'\"%@`#,. \n\té\x85\ud83d"), max_size=40)
)
def test_no_text_ends_in_anything_but_problems(text: bytes | str) -> None:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    source = decode("x.yaml", data, QUOTE_ALL)
    if isinstance(source, SourceFile):
        for parser in (FASTEST, PureParser):
            found, stopped = read(source, Limits(), parser=parser)
            for problem in [*stopped, *(problem for document in found for problem in document.problems)]:
                assert problem.message
                assert problem.line >= 1
