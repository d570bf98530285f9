"""Inputs at URIs: the identity is the content, a plan reaches no store, and `apply` checks what it fetches."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import httpx
import pytest

from reconciler.environment import Environment
from reconciler.sandbox import BUILT_IN_KEY
from tests.cli.stage import Result, Stage
from tests.cli.test_completeness import api, counts, first

URI = "s3://lake/night.jsonl"
SETTINGS = "project: shop\ninput_uris: [s3://lake/, https://files.example.org/]\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lines(*ids: str, text: str = "Hi") -> bytes:
    """Requests with these ids."""
    body = {"messages": [{"role": "user", "content": text}]}
    return b"".join(json.dumps({"custom_id": it, "body": body}).encode() + b"\n" for it in ids)


ABC = lines("a", "b", "c")


class Lake:
    """A stage whose inputs are in a store."""

    def __init__(self, stage: Stage, bucket: Any) -> None:  # noqa: ANN401 - fsspec has no types
        self.stage = stage
        self.bucket = bucket
        stage.write("reconciler.yaml", SETTINGS)

    @property
    def opened(self) -> list[str]:
        """The objects that the last command opened."""
        found: list[str] = self.bucket.opened
        return found

    def put(self, data: bytes, uri: str = URI) -> dict[str, Any]:
        """Store a content, and return the entry that names it."""
        self.bucket.pipe_file(uri, data)
        return {"uri": uri, "sha256": sha256(data)}

    def opens(self, do: Callable[[], Any], uri: str = URI) -> None:
        """Say what happens when the object is opened."""
        self.bucket.reading[self.bucket._strip_protocol(uri)] = do

    def declare(self, *entries: object, name: str = "night", **fields: Any) -> None:  # noqa: ANN401 - as `spec` of a stage
        """Write a spec with these entries."""
        self.stage.spec(name, input_files=list(entries), **fields)
        (self.stage.root / f"specs/data/{name}.jsonl").unlink()

    def run(self, *argv: str) -> Result:
        """Run a command."""
        self.opened.clear()
        return self.stage.run(*argv, *(["--yes"] if argv[0] == "apply" and "--yes" not in argv else []))


@pytest.fixture
def lake(stage: Stage, bucket: Any) -> Lake:  # noqa: ANN401 - fsspec has no types
    return Lake(stage, bucket)


def creates(result: Result) -> int:
    return sum(sent.path == "/v1/batch/jobs" for sent in result.writes)


def test_a_content_in_a_store_is_submitted_and_its_results_are_pulled(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    planned = lake.run("plan")
    assert (planned.code, lake.opened) == (0, [])
    assert "s3://lake/night.jsonl" in planned.out
    applied = lake.run("apply")
    assert (applied.code, creates(applied)) == (0, 1), applied.err
    uploaded = next(sent for sent in applied.writes if sent.path == "/v1/files")
    assert ABC in uploaded.body
    lake.stage.advance(100_000)
    assert lake.run("outputs", "pull").code == 0
    rows = (lake.stage.root / "outputs/night/results.jsonl").read_text().splitlines()
    assert [json.loads(row)["custom_id"] for row in rows] == ["a", "b", "c"]


def test_a_plan_of_what_is_done_reaches_no_store_and_neither_does_apply(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    lake.run("apply")
    for _ in range(2):
        for command in (("plan", "--detailed-exitcode"), ("apply",), ("status",), ("validate",)):
            done = lake.run(*command)
            assert (done.code, done.writes, lake.opened) == (0, [], []), command
        lake.stage.advance(100_000)


def test_a_file_that_moves_into_a_store_and_back_submits_nothing(lake: Lake) -> None:
    lake.stage.spec("night", requests=3)
    data = (lake.stage.root / "specs/data/night.jsonl").read_bytes()
    assert creates(lake.run("apply")) == 1
    lake.declare(lake.put(data))
    for command in ("plan", "apply"):
        assert creates(lake.run(command)) == 0
        assert lake.opened == []


@pytest.mark.parametrize(
    ("stored", "more"),
    [
        (lines("a", "b", "d"), {}),
        (lines("a", "b", "d"), {"bytes": len(ABC)}),
        (ABC[:-20], {"bytes": len(ABC)}),
        (ABC + lines("d"), {"bytes": len(ABC)}),
        (b"", {}),
    ],
)
def test_another_content_is_refused_with_both_digests(
    lake: Lake, stored: bytes, more: dict[str, int]
) -> None:
    entry = lake.put(ABC)
    lake.put(stored)
    lake.declare(entry | more)
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    said = refused.out + refused.err
    assert f"{URI}: it has another content than is declared" in said
    assert sha256(ABC) in said
    assert sha256(stored) in said


def test_the_other_jobs_go_on(lake: Lake) -> None:
    lake.declare(lake.put(ABC) | {"sha256": "0" * 64})
    lake.stage.spec("other")
    done = lake.run("apply")
    assert (done.code, creates(done), lake.stage.live()) == (5, 1, ["other"])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"uri": URI}, "the `sha256` of s3://lake/night.jsonl is missing"),
        ({"uri": "s3://other/night.jsonl", "sha256": "0" * 64}, "is not below `input_uris`"),
        ({"uri": "s3://lakes/night.jsonl", "sha256": "0" * 64}, "is not below `input_uris`"),
        ({"uri": "https://files.example.org.evil.org/a", "sha256": "0" * 64}, "is not below `input_uris`"),
    ],
)
def test_an_entry_says_where_it_is_and_what_to_do(lake: Lake, entry: dict[str, str], words: str) -> None:
    lake.declare(entry)
    for command in ("validate", "plan", "apply"):
        refused = lake.run(command)
        assert refused.code == 1
        assert "specs/night.yaml:4:15: input_files[0]: " in refused.err
        assert words in refused.err
        assert lake.opened == []


HOSTILE = [
    "file:///etc/passwd",
    "s3://lake/../other/a.jsonl",
    "s3://lake/./a.jsonl",
    "s3://lake//a.jsonl",
    "s3://lake/a.jsonl/",
    "s3://lake/..",
    "s3://lake",
    "s3://user:password@lake/a.jsonl",
    "s3://lake:9000/a.jsonl",
    "s3://lake/a.jsonl::file:///etc/passwd",
    "simplecache::s3://lake/a.jsonl",
    "s3://lake/a.jsonl?versionId=1",
    "s3://lake/a.jsonl#1",
    "s3://lake/%2e%2e/a.jsonl",
    "s3://lake/$HOME/a.jsonl",
    "s3://lake/${AWS_SECRET_ACCESS_KEY}",
    "s3://lake/{stem}.jsonl",
    "s3://lake/*.jsonl",
    "s3://lake/a b.jsonl",
    "s3://lake/a\\b.jsonl",
    "s3://lake/a\n.jsonl",
    "s3://lake/\u202ea.jsonl",
    "S3://lake/a.jsonl",
    "az://lake.blob.core.windows.net/a.jsonl",
    "az://lake@evil.dfs.core.windows.net/a.jsonl",
    "http://files.example.org/a.jsonl",
    "https://user@files.example.org/a.jsonl",
    "https://files.example.org:8443/a.jsonl",
    "https://files.example.org/a?token=b",
    "https://[::1]/a.jsonl",
    "https:///a.jsonl",
    "//lake/a.jsonl",
    "hdfs://lake/a.jsonl",
    "github://lake/a.jsonl",
    "ftp://lake/a.jsonl",
    "memory://lake/a.jsonl",
    "",
]


def test_a_uri_has_one_plain_form(lake: Lake) -> None:
    lake.declare(*({"uri": uri, "sha256": "0" * 64} for uri in HOSTILE))
    refused = lake.run("validate")
    assert refused.code == 1
    wrong = re.findall(r"input_files\[(\d+)\]\.uri: not the URI of an input", refused.err)
    assert [*map(int, wrong)] == [*range(len(HOSTILE))]
    assert lake.opened == []


def refusing(error: BaseException) -> Callable[[], Any]:
    """Raise an error, as a store does that refuses."""

    def refuse() -> NoReturn:
        raise error

    return refuse


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError("lake/night.jsonl"), "it does not exist"),
        (PermissionError("Forbidden"), "it may not be read: Forbidden"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (TimeoutError(), "TimeoutError"),
        (RuntimeError("Unable to locate credentials"), "Unable to locate credentials"),
        (RuntimeError("\x1b[31m::error::no \u202e" + BUILT_IN_KEY), "[31m::error::no "),
    ],
)
def test_a_store_that_refuses_submits_nothing_and_is_named(lake: Lake, error: Exception, words: str) -> None:
    lake.declare(lake.put(ABC))
    lake.opens(refusing(error))
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert f"{URI}: {words}" in refused.out
    assert not any(it in refused.out + refused.err for it in ("\x1b", "\u202e", BUILT_IN_KEY))
    lake.bucket.reading.clear()
    assert creates(lake.run("apply")) == 1


class Drip(io.BytesIO):
    """A store that sends a byte every ten seconds, without end."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def read(self, _: int | None = -1) -> bytes:
        self.stage.advance(10)
        return b"x"


def test_a_store_that_drips_ends_after_the_timeout(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    lake.opens(lambda: Drip(lake.stage))
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert f"{URI}: the answer was incomplete after 60 s" in refused.err + refused.out


def test_a_content_without_end_ends_after_the_declared_bytes(lake: Lake) -> None:
    class Endless(io.BytesIO):
        pieces = 0

        def read(self, _: int | None = -1) -> bytes:
            Endless.pieces += 1
            return b"x" * (1 << 20)

    lake.declare(lake.put(ABC) | {"bytes": len(ABC)})
    lake.opens(Endless)
    refused = lake.run("apply")
    assert (refused.code, refused.writes, Endless.pieces) == (1, [], 1)
    assert not list(lake.stage.root.glob(".reconciler/**/fetched/*"))


def test_a_store_that_changes_between_two_reads_submits_what_was_checked(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    contents = iter([ABC, lines("x"), lines("y")])
    lake.opens(lambda: io.BytesIO(next(contents)))
    applied = lake.run("apply")
    assert (applied.code, creates(applied), len(lake.opened)) == (0, 1, 1)
    assert ABC in next(sent for sent in applied.writes if sent.path == "/v1/files").body


def test_a_copy_that_changed_on_this_machine_is_fetched_again(lake: Lake) -> None:
    lake.declare(lake.put(ABC), canary={"requests": 1})
    lake.run("apply")
    lake.stage.advance(100_000)
    for copy in lake.stage.root.glob(".reconciler/**/fetched/*"):
        copy.write_bytes(lines("x", "y", "z"))
    applied = lake.run("apply")
    assert (applied.code, creates(applied), len(lake.opened)) == (0, 1, 1), applied.err
    sent = next(sent for sent in applied.writes if sent.path == "/v1/files")
    assert b'"b"' in sent.body
    assert b'"y"' not in sent.body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"custom_id": "a"}\n', f"{URI}:1"),
        (lines("a", "a"), f"{URI}:2"),
        (lines("a").replace(b"\n", b"\r\n"), f"{URI}"),
        (b"\xff\n", f"{URI}"),
        (b"", f"{URI}"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize 5\n" % (b"0" * 64),
            f"{URI}: it is a Git LFS pointer",
        ),
    ],
)
def test_lines_are_checked_before_anything_is_sent(lake: Lake, data: bytes, words: str) -> None:
    lake.declare(lake.put(data))
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert words in refused.err + refused.out


def test_an_id_that_two_inputs_share_is_refused(lake: Lake) -> None:
    lake.stage.write("specs/here.jsonl", lines("b").decode())
    lake.declare("here.jsonl", lake.put(ABC))
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert "s3://lake/night.jsonl:2" in refused.err + refused.out


def test_one_content_is_named_once(lake: Lake) -> None:
    lake.stage.write("specs/here.jsonl", ABC.decode())
    for other in ("here.jsonl", lake.put(ABC, "s3://lake/copy.jsonl")):
        lake.declare(other, lake.put(ABC))
        refused = lake.run("validate")
        assert refused.code == 1
        assert "another entry has the same content" in refused.err


def asked(stage: Stage) -> list[list[str]]:
    """The ids that each job was asked, the oldest job first."""
    with stage.console() as client:
        found = []
        for job in sorted(
            client.get("/v1/batch/jobs").json()["data"], key=lambda it: (it["created_at"], it["id"])
        ):
            texts = [client.get(f"/v1/files/{it}/content").text for it in job["input_files"]]
            found.append([json.loads(row)["custom_id"] for text in texts for row in text.splitlines()])
        return found


@pytest.mark.parametrize("counted", [True, False])
def test_a_canary_goes_first_and_the_plan_says_at_most(lake: Lake, *, counted: bool) -> None:
    entry = lake.put(ABC)
    lake.declare(entry | {"requests": 3, "bytes": len(ABC)} if counted else entry, canary={"requests": 1})
    planned = lake.run("plan")
    says = "submits 1 of 3 requests now, at most 3 in all" if counted else "unknown number of requests"
    assert says in planned.out
    assert lake.opened == []
    assert creates(lake.run("apply")) == 1
    lake.stage.advance(100_000)
    lake.stage.run("plan", "--detailed-exitcode")
    assert creates(lake.run("apply")) == 1
    lake.stage.advance(100_000)
    assert creates(lake.run("apply")) == 0
    assert asked(lake.stage) == [["a"], ["b", "c"]]
    assert lake.run("outputs", "pull").code == 0
    rows = (lake.stage.root / "outputs/night/results.jsonl").read_text().splitlines()
    assert [json.loads(row)["custom_id"] for row in rows] == ["a", "b", "c"]


def test_only_what_is_new_in_another_content_is_submitted(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    lake.run("apply")
    lake.stage.advance(100_000)
    lake.declare(lake.put(lines("a", "c", "d", "b")) | {"requests": 4})
    planned = lake.run("plan")
    assert "at most" in planned.out, planned.out
    assert lake.opened == []
    assert creates(lake.run("apply")) == 1
    assert asked(lake.stage) == [["a", "b", "c"], ["d"]]


def test_a_large_content_is_submitted_in_parts(lake: Lake) -> None:
    lake.stage.write("reconciler.yaml", SETTINGS + "limits: {requests_per_job: 2}\n")
    lake.declare(lake.put(ABC))
    for _ in range(3):
        assert lake.run("apply").code == 0
        lake.stage.advance(100_000)
    assert asked(lake.stage) == [["a", "b"], ["c"]]


def test_another_host_puts_a_work_in_parts_together(lake: Lake) -> None:
    lake.declare(lake.put(ABC), canary={"requests": 1})
    for _ in range(2):
        lake.run("apply")
        lake.stage.advance(100_000)
    for folder in lake.stage.root.glob(".reconciler/**/fetched"):
        shutil.rmtree(folder)
    shutil.rmtree(lake.stage.root / "outputs")
    assert lake.run("outputs", "pull").code == 0
    rows = (lake.stage.root / "outputs/night/results.jsonl").read_text().splitlines()
    assert [json.loads(row)["custom_id"] for row in rows] == ["a", "b", "c"]


def test_a_number_of_requests_that_is_wrong_is_refused(lake: Lake) -> None:
    lake.declare(lake.put(ABC) | {"requests": 1})
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert f"{URI}: it has 3 requests, and 1 are declared" in refused.err + refused.out


def test_a_saved_plan_whose_content_is_gone_says_why(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    assert lake.run("plan", "-o", "plan.json").code == 0
    lake.put(lines("x"))
    refused = lake.run("apply", "plan.json")
    assert (refused.code, refused.writes) == (1, [])
    assert f"{URI}: it has another content than is declared" in refused.err


def test_what_is_complete_leaves_no_copy(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    lake.run("apply")
    assert list(lake.stage.root.glob(".reconciler/**/fetched/*"))
    lake.stage.advance(100_000)
    lake.run("apply")
    assert not list(lake.stage.root.glob(".reconciler/**/fetched/*"))


def test_render_writes_what_declares_the_same(lake: Lake) -> None:
    lake.stage.spec("local")
    lake.declare("data/local.jsonl", lake.put(ABC) | {"requests": 3, "bytes": len(ABC)})
    rendered = lake.run("render", "specs/night.yaml").out
    before = json.loads(lake.run("plan", "--format", "json").out)
    lake.stage.write("specs/night.yaml", rendered)
    after = json.loads(lake.run("plan", "--format", "json").out)
    works = [
        [action["work"] for it in plan["plan"]["decisions"] for action in it["actions"]]
        for plan in (before, after)
    ]
    assert works[0] == works[1]


def test_validate_counts_what_is_declared(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    assert "not counted" in lake.run("validate").out
    lake.declare(lake.put(ABC) | {"requests": 3})
    assert "1 spec valid, 3 requests\n" in lake.run("validate").out


class Files(httpx.BaseTransport):
    """A server of files beside the API."""

    def __init__(
        self, inner: httpx.BaseTransport, answer: httpx.Response, asked: list[httpx.Request]
    ) -> None:
        self.inner, self.answer, self.asked = inner, answer, asked

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "files.example.org":
            return self.inner.handle_request(request)
        self.asked.append(request)
        return self.answer


def fetched_by_https(lake: Lake, answer: httpx.Response) -> tuple[Result, list[httpx.Request]]:
    """Apply a spec whose content is behind HTTPS, and return the requests that the server got."""
    lake.declare({"uri": "https://files.example.org/a.jsonl", "sha256": sha256(ABC)})
    asked: list[httpx.Request] = []

    def behind(env: Environment) -> Environment:
        inner = env.wrap_transport
        return replace(env, wrap_transport=lambda it: Files(inner(it), answer, asked))

    return lake.stage.run("apply", "--yes", env=behind), asked


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(404), "the server answered 404"),
        (httpx.Response(403), "the server answered 403"),
        (
            httpx.Response(302, headers={"Location": "https://files.example.org/b"}),
            "the server answered 302, and no redirect is followed",
        ),
        (
            httpx.Response(
                200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(ABC))
            ),
            "it has another content than is declared",
        ),
    ],
)
def test_https_takes_no_other_answer_and_follows_no_redirect(
    lake: Lake, answer: httpx.Response, words: str
) -> None:
    refused, sent = fetched_by_https(lake, answer)
    assert (refused.code, refused.writes) == (1, [])
    assert words in refused.err + refused.out
    assert [it.url.path for it in sent] == ["/a.jsonl"]


def test_https_gets_no_credentials(lake: Lake) -> None:
    applied, sent = fetched_by_https(lake, httpx.Response(200, stream=httpx.ByteStream(ABC)))
    assert (applied.code, creates(applied)) == (0, 1), applied.err
    assert sorted(sent[0].headers) == ["accept", "accept-encoding", "connection", "host", "user-agent"]


TABLE = b"id,text\n1,one\n2,two\n3,three\n"


def declare_rows(lake: Lake, rows: object) -> None:
    """Write a spec whose rows are a table."""
    spec = {"name": "night", "endpoint": "/v1/embeddings", "model": "mistral-embed", "rows": rows}
    spec |= {"custom_id": "{{id}}", "body": {"input": "{{text}}"}}
    lake.stage.write(
        "specs/night.yaml", "".join(f"{name}: {json.dumps(value)}\n" for name, value in spec.items())
    )


def test_a_table_in_a_store_is_rendered_by_apply_and_exported(lake: Lake) -> None:
    declare_rows(lake, lake.put(TABLE, "s3://lake/t.csv"))
    for command in ("validate", "plan"):
        done = lake.run(command)
        assert (done.code, lake.opened) == (0, []), done.err
    applied = lake.run("apply")
    assert (applied.code, creates(applied), len(lake.opened)) == (0, 1, 1), applied.err
    assert asked(lake.stage) == [["1", "2", "3"]]
    lake.stage.advance(100_000)
    for command in ("plan", "apply"):
        done = lake.run(command)
        assert (done.code, done.writes, lake.opened) == (0, [], [])
    lake.run("outputs", "pull")
    exported = lake.run("outputs", "export", "night", "--columns", "--format", "csv", "-o", "out.csv")
    assert exported.code == 0, exported.err
    assert (lake.stage.root / "out.csv").read_text().splitlines()[1].startswith("1,one,1,")


def test_a_table_that_moves_into_a_store_submits_nothing(lake: Lake) -> None:
    lake.stage.write("specs/t.csv", TABLE.decode())
    declare_rows(lake, "t.csv")
    assert creates(lake.run("apply")) == 1
    (lake.stage.root / "specs/t.csv").unlink()
    declare_rows(lake, lake.put(TABLE, "s3://lake/t.csv"))
    assert creates(lake.run("apply")) == 0
    assert lake.opened == []


@pytest.mark.parametrize("how", ["entries", "named", "manifest"])
def test_a_query_reads_tables_in_a_store(lake: Lake, how: str) -> None:
    pytest.importorskip("duckdb")
    table = lake.put(TABLE, "s3://lake/t.csv")
    lake.stage.write("specs/t.json", json.dumps(table))
    sql = "select * from t where id <> '2'" if how == "named" else "select * from files where id <> '2'"
    files = {"entries": [table], "named": {"t": table}, "manifest": [{"manifest": "t.json"}]}[how]
    declare_rows(lake, {"sql": sql, "files": files})
    assert lake.run("plan").code == 0
    applied = lake.run("apply")
    assert applied.code == 0, applied.err
    assert asked(lake.stage) == [["1", "3"]]
    rendered = lake.run("render").out
    lake.stage.write("specs/night.yaml", rendered)
    assert "1 running" in lake.run("plan", "--detailed-exitcode").out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"id,text\n1,one\n1,two\n", "s3://lake/t.csv:3: "),
        (b"id\n1\n", "s3://lake/t.csv"),
        (b"", "s3://lake/t.csv"),
    ],
)
def test_a_table_with_mistakes_is_named_by_its_uri(lake: Lake, data: bytes, words: str) -> None:
    declare_rows(lake, lake.put(data, "s3://lake/t.csv"))
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert words in refused.err + refused.out
    assert "fetched" not in refused.err.replace("input.fetched", "")


def test_a_table_with_another_content_is_refused_with_both_digests(lake: Lake) -> None:
    entry = lake.put(TABLE, "s3://lake/t.csv")
    lake.put(TABLE + b"4,four\n", "s3://lake/t.csv")
    declare_rows(lake, entry)
    refused = lake.run("apply")
    assert (refused.code, refused.writes) == (1, [])
    assert sha256(TABLE) in refused.err + refused.out
    assert sha256(TABLE + b"4,four\n") in refused.err + refused.out


def test_files_at_uris_are_no_rows(lake: Lake) -> None:
    declare_rows(lake, {"files": [lake.put(b"x", "s3://lake/a.pdf")]})
    refused = lake.run("validate")
    assert refused.code == 1
    assert "rows.files: a file at a URI is no row" in refused.err


def test_try_sends_requests_of_a_content_in_a_store(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    tried = lake.run("try", "night", "-n", "1")
    assert (tried.code, len(lake.opened)) == (0, 1), tried.err
    lake.declare(lake.put(ABC) | {"sha256": "0" * 64})
    refused = lake.run("try", "night", "-n", "1")
    assert refused.code == 1
    assert "it has another content than is declared" in refused.err


def manifest(lake: Lake, value: object, path: str = "specs/data/night.json") -> None:
    """Write a manifest and a spec that names it."""
    lake.stage.write(path, json.dumps(value))
    lake.stage.spec("night", input_files=[{"manifest": path.removeprefix("specs/")}])
    (lake.stage.root / "specs/data/night.jsonl").unlink()


def test_a_manifest_names_contents_and_the_plan_counts_them(lake: Lake) -> None:
    parts = [
        lake.put(lines(it), f"s3://lake/{it}.jsonl") | {"requests": 1, "bytes": len(lines(it))} for it in "ab"
    ]
    manifest(lake, parts)
    assert "1 spec valid, 2 requests\n" in lake.run("validate").out
    planned = lake.run("plan")
    assert "2 requests" in planned.out
    assert lake.opened == []
    assert creates(lake.run("apply")) == 1
    assert sorted(row for job in asked(lake.stage) for row in job) == ["a", "b"]
    lake.declare(*({"uri": it["uri"], "sha256": it["sha256"]} for it in parts))
    assert creates(lake.run("apply")) == 0


def test_a_change_of_a_manifest_is_not_committed_until_it_is(lake: Lake) -> None:
    manifest(lake, lake.put(ABC))
    lake.stage.commit("one")
    assert "uncommitted" not in lake.run("plan").out
    manifest(lake, lake.put(lines("a", "b")))
    assert "specs/data/night.json" in lake.run("plan").out


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", "not a manifest"),
        ("[]", "the manifest names no input"),
        ('{"uri": "s3://lake/a"}', "the `sha256` of s3://lake/a is missing"),
        ('{"sha256": "' + "0" * 64 + '"}', "not a manifest: exactly one of uri, manifest"),
        ('{"manifest": "b.json"}', "a manifest cannot name another one"),
        ('{"uri": "file:///etc/passwd", "sha256": "' + "0" * 64 + '"}', "not a manifest: Expected `str` of"),
        ('{"uri": "s3://other/a", "sha256": "' + "0" * 64 + '"}', "s3://other/a is not below `input_uris`"),
        (
            '{"uri": "s3://lake/a", "sha256": "' + "0" * 64 + '", "headers": {}}',
            "not a manifest: Object contains unknown field",
        ),
        ("[" * 100_000, "not a manifest"),
        ("\ud800", "not a manifest"),
    ],
)
def test_a_manifest_with_a_mistake_is_named(lake: Lake, value: str, words: str) -> None:
    manifest(lake, {})
    (lake.stage.root / "specs/data/night.json").write_bytes(value.encode(errors="surrogatepass"))
    for command in ("validate", "apply"):
        refused = lake.run(command)
        assert refused.code == 1
        assert f"specs/data/night.json: {words}" in refused.err
        assert lake.opened == []


def test_a_manifest_is_a_file_of_the_project(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.json"
    outside.write_text(json.dumps(lake.put(ABC)))
    manifest(lake, {})
    (lake.stage.root / "specs/data/night.json").unlink()
    (lake.stage.root / "specs/data/night.json").symlink_to(outside)
    for path in ("data/night.json", "../../secret.json", str(outside), "~/secret.json", "s3://lake/m.json"):
        lake.declare({"manifest": path}, name="other")
        refused = lake.run("validate")
        assert refused.code == 1, path
        assert str(outside) not in refused.err.replace(f"`{outside}`", "").replace(f'"{outside}"', "")


@pytest.mark.parametrize("rows", [True, False])
def test_a_waiting_apply_reads_a_content_once_for_all_parts(lake: Lake, *, rows: bool) -> None:
    lake.stage.write("reconciler.yaml", SETTINGS + "limits: {requests_per_job: 2, late_seconds: 0}\n")
    if rows:
        declare_rows(lake, lake.put(TABLE, "s3://lake/t.csv"))
    else:
        lake.declare(lake.put(ABC), canary={"requests": 1})
    done = lake.run("apply", "--wait")
    assert (done.code, len(lake.opened)) == (0, 1), done.err
    assert sum(map(len, asked(lake.stage))) == 3


def test_a_waiting_apply_reports_a_content_once_and_goes_on_with_others(lake: Lake) -> None:
    lake.stage.write("reconciler.yaml", SETTINGS + "limits: {requests_per_job: 2, late_seconds: 0}\n")
    lake.declare(lake.put(ABC) | {"sha256": "0" * 64})
    lake.declare(lake.put(ABC, "s3://lake/b.jsonl"), name="other", canary={"requests": 1})
    done = lake.run("apply", "--wait")
    assert (done.code, done.err.count('"event": "input.not_fetched"')) == (5, 1)
    assert done.out.count("! create failed night") == 1
    assert sum(map(len, asked(lake.stage))) == 3


def test_a_saved_plan_does_what_needs_no_other_content(lake: Lake) -> None:
    lake.stage.spec("other")
    lake.declare(lake.put(ABC) | {"sha256": "0" * 64}, suspend=True)
    assert lake.run("plan", "-o", "plan.json").code == 0
    assert creates(lake.run("apply", "plan.json")) == 1


def test_a_budget_says_what_to_declare(lake: Lake) -> None:
    lake.stage.write("reconciler.yaml", SETTINGS + "guards: {max_new_requests: 3}\n")
    lake.declare(lake.put(ABC))
    assert "declare `requests` beside each `uri`" in lake.run("plan").out
    lake.declare(lake.put(ABC) | {"requests": 3})
    assert "1 to create" in lake.run("plan").out


@pytest.mark.needs_ledger("it says that the counts were wrong")
@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize("rows", [True, False])
def test_what_a_wrong_count_hid_is_submitted_once_results_show_it(
    lake: Lake, *, rows: bool, elsewhere: bool
) -> None:
    lake.stage.write("reconciler.yaml", SETTINGS + "limits: {late_seconds: 0}\n")
    data, path = (TABLE, "t.csv") if rows else (ABC, "t.jsonl")
    lake.stage.write(f"specs/{path}", data.decode())
    entry = lake.put(data, f"s3://lake/{path}") if elsewhere else path
    if elsewhere:
        (lake.stage.root / "specs" / path).unlink()
    declare_rows(lake, entry) if rows else lake.declare(entry)
    lake.run("apply")
    lake.stage.advance(100_000)
    wrong = api(job=counts(3, 3), content=first(2))
    lake.stage.run("outputs", "pull", "--incomplete", env=wrong)
    assert lake.stage.run("apply", "--yes", env=wrong).code == 0
    assert [len(it) for it in asked(lake.stage)] == [3, 1]


def test_the_workspace_is_read_again_after_a_fetch_that_may_take_long(lake: Lake) -> None:
    lake.declare(lake.put(ABC))
    order: list[str] = []

    class Noting(httpx.BaseTransport):
        def __init__(self, inner: httpx.BaseTransport) -> None:
            self.inner = inner

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            order.append(f"{request.method} {request.url.path}")
            return self.inner.handle_request(request)

    def noting(env: Environment) -> Environment:
        inner = env.wrap_transport
        return replace(env, wrap_transport=lambda it: Noting(inner(it)))

    def opened() -> io.BytesIO:
        order.append("store")
        return io.BytesIO(ABC)

    lake.opens(opened)
    assert lake.stage.run("apply", "--yes", env=noting).code == 0
    after = order[order.index("store") :]
    assert after.index("GET /v1/batch/jobs") < after.index("POST /v1/batch/jobs")
    assert "POST /v1/files" not in order[: order.index("store")]
