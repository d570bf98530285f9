from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest

from reconciler.errors import ExitCode, ReconcilerError
from reconciler.planning.actions import Reason
from reconciler.telemetry.logs import EVENTS, Field, LogSink
from tests.helpers.event_check import check_event
from tests.helpers.events import Recorder, check_line, check_lines

BOUND = {"run_id": "9c1185a5c5e9", "project": "search-batch", "commit": "a41c9e2"}
NOON = 1_763_726_400.0
ESCAPE = "\x1b[31mred\x1b[0m\n\u202etxet"


class Open(Protocol):
    def __call__(self, **options: object) -> LogSink: ...


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def open_it(stream: io.StringIO) -> Iterator[Open]:
    """Open strict logs, by default JSON of every level onto `stream`."""
    opened: list[LogSink] = []

    def make(**options: object) -> LogSink:
        defaults: dict[str, Any] = {
            "style": "json",
            "level": "debug",
            "file": None,
            "now": lambda: NOON,
            "bound": BOUND,
        }
        defaults |= {"stream": stream, "check": check_event}
        opened.append(LogSink(**(defaults | options)))
        return opened[-1]

    yield make
    for log in opened:
        log.close()


def facts_of(event: str, *, optional: bool = True) -> dict[str, object]:
    example: dict[str, Callable[[Field], object]] = {
        "string": lambda _: "text",
        "integer": lambda _: 7,
        "strings": lambda _: ["one", "two"],
    }
    fields = EVENTS[event].fields.items()
    return {key: example[field.type](field) for key, field in fields if optional or not field.optional}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("optional", [True, False])
def test_every_event_of_the_catalogue_is_a_valid_line(
    event: str, *, optional: bool, open_it: Open, stream: io.StringIO
) -> None:
    open_it()(event, **facts_of(event, optional=optional))
    (line,) = check_lines(stream.getvalue())
    assert line["level"] == EVENTS[event].level


def test_a_line_holds_its_time_level_event_facts_and_run_in_this_order(
    open_it: Open, stream: io.StringIO
) -> None:
    open_it()("job.cancel_failed", error="gone", job_id="4fb29d1c", name="nightly")
    assert stream.getvalue() == (
        '{"at": "2025-11-21T12:00:00.000Z", "level": "error", "event": "job.cancel_failed", "name": "nightly", '
        '"job_id": "4fb29d1c", "error": "gone", "run_id": "9c1185a5c5e9", "project": "search-batch", '
        '"commit": "a41c9e2"}\n'
    )


def test_time_is_written_to_the_millisecond(open_it: Open, stream: io.StringIO) -> None:
    open_it(now=lambda: NOON + 0.0456)("apply.started", decisions=1)
    assert check_line(stream.getvalue())["at"] == "2025-11-21T12:00:00.045Z"


def test_what_is_not_known_is_left_out(open_it: Open, stream: io.StringIO) -> None:
    open_it()("request.failed", **{**facts_of("request.failed"), "status": None})
    assert "status" not in check_line(stream.getvalue())


def test_reasons_and_exit_codes_are_plain_values(open_it: Open, stream: io.StringIO) -> None:
    log = open_it()
    log("job.cancelled", **{**facts_of("job.cancelled"), "reason": Reason.REMOVED})
    log("apply.finished", **{**facts_of("apply.finished"), "exit_code": ExitCode.PARTIAL})
    cancelled, finished = check_lines(stream.getvalue())
    assert cancelled["reason"] == "removed"
    assert finished["exit_code"] == 5


def test_an_event_below_the_level_is_not_reported(open_it: Open, stream: io.StringIO) -> None:
    log = open_it(level="warning")
    log("apply.started", decisions=1)
    log("run.interrupted", signal="SIGINT")
    assert [line["event"] for line in check_lines(stream.getvalue())] == ["run.interrupted"]


def test_the_file_gets_every_level_and_is_appended_to(
    open_it: Open, stream: io.StringIO, tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    for _ in range(2):
        log = open_it(level="error", file=file, style="console")
        log("jobs.listed", jobs=3, pages=1, elapsed_ms=12)
        log.close()
    assert [line["event"] for line in check_lines(file.read_text(encoding="utf-8"))] == ["jobs.listed"] * 2
    assert stream.getvalue() == ""


def test_a_file_that_cannot_be_opened_is_said_before_anything_is_done(open_it: Open, tmp_path: Path) -> None:
    with pytest.raises(ReconcilerError, match=r"the log file .* cannot be written") as caught:
        open_it(file=tmp_path / "nowhere" / "run.jsonl")
    assert "--log-file" in caught.value.hint


def test_threads_share_the_run_and_never_a_line(open_it: Open, stream: io.StringIO, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    log = open_it(file=file, now=itertools.count(NOON).__next__)

    def tell(number: int) -> None:
        log("job.create_failed", name=f"job-{number}", error="x" * 5000)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(tell, range(400)))
    for text in (stream.getvalue(), file.read_text(encoding="utf-8")):
        lines = check_lines(text)
        assert {line["name"] for line in lines} == {f"job-{number}" for number in range(400)}
        assert all({key: line[key] for key in BOUND} == BOUND for line in lines)
        assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_the_style_follows_the_stream(open_it: Open, stream: io.StringIO) -> None:
    terminal = Terminal()
    for where in (stream, terminal):
        open_it(style="auto", stream=where)("apply.started", decisions=3)
    check_lines(stream.getvalue())
    assert (
        terminal.getvalue()
        == "2025-11-21T12:00:00.000Z [info     ] apply.started                  decisions=3\n"
    )


def test_the_pretty_style_has_colours_only_if_asked_for(open_it: Open, stream: io.StringIO) -> None:
    open_it(style="console", colour=False)("apply.started", decisions=3)
    assert "\x1b" not in stream.getvalue()
    open_it(style="console", colour=True)("apply.started", decisions=3)
    assert "\x1b[36mdecisions\x1b[0m=" in stream.getvalue()


@pytest.mark.parametrize("style", ["console", "json"])
def test_text_from_outside_cannot_act_on_a_terminal(style: str, open_it: Open, stream: io.StringIO) -> None:
    log = open_it(style=style)
    log("job.create_failed", name="nightly", error=ESCAPE)
    log("jobs.not_listed_yet", job_ids=[ESCAPE, "\x9b2J"])
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert not set(text) & set("\x1b\x9b\u202e")


def test_a_json_line_loses_nothing(open_it: Open, stream: io.StringIO) -> None:
    open_it()("job.create_failed", name="nightly", error=ESCAPE)
    assert check_line(stream.getvalue())["error"] == ESCAPE


def test_values_with_spaces_are_quoted_for_people(open_it: Open, stream: io.StringIO) -> None:
    open_it(style="console")("job.create_failed", name="", error='no "key" here')
    assert stream.getvalue().endswith("name= error='no \"key\" here'\n")


def test_a_strict_log_refuses_what_the_catalogue_does_not_know(open_it: Open) -> None:
    log = open_it()
    with pytest.raises(AssertionError, match=r"job\.exploded is not in the catalogue"):
        log("job.exploded")
    with pytest.raises(AssertionError, match="no error; colour is not in the catalogue"):
        log("job.create_failed", name="nightly", colour="red")
    with pytest.raises(AssertionError, match="decisions is not of type integer: 'three'"):
        log("apply.started", decisions="three")


def test_in_production_a_wrong_event_is_written_as_it_is(open_it: Open, stream: io.StringIO) -> None:
    log = open_it(check=lambda *_: None)
    log("job.exploded", pieces={"many"})
    log("apply.started", decisions="three", at="noon", extra=1)
    exploded, started = (json.loads(line) for line in stream.getvalue().splitlines())
    assert exploded["level"] == "warning"
    assert started["decisions"] == "three"
    assert started["at"] == "2025-11-21T12:00:00.000Z"


class Broken(io.StringIO):
    def write(self, _: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing_and_reports_the_others(
    open_it: Open, tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    log = open_it(stream=Broken(), file=file)
    log("apply.started", decisions=1)
    log("apply.started", decisions=2)
    degraded, *rest = check_lines(file.read_text(encoding="utf-8"))
    assert (degraded["event"], degraded["output"]) == ("log.degraded", "stderr")
    assert [line["decisions"] for line in rest] == [1, 2]


def test_a_log_with_no_output_left_stops_nothing(open_it: Open) -> None:
    log = open_it(stream=Broken(), file=None)
    log("apply.started", decisions=1)
    log("apply.started", decisions=2)


def test_a_process_without_a_stderr_has_a_log_all_the_same(
    open_it: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    log = open_it(stream=None, style="auto", file=tmp_path / "run.jsonl")
    log("apply.started", decisions=1)
    check_line((tmp_path / "run.jsonl").read_text(encoding="utf-8"))


def test_a_closed_log_takes_no_more_and_stops_nothing(open_it: Open, stream: io.StringIO) -> None:
    log = open_it()
    log.close()
    log("apply.started", decisions=1)
    log.close()
    assert stream.getvalue() == ""


def test_a_run_that_says_nothing_imports_no_structlog() -> None:
    script = (
        "import sys, time, pathlib\n"
        "from reconciler.telemetry.logs import LogSink\n"
        "log = LogSink(style='json', level='warning', file=None, now=time.time, bound={})\n"
        "log('apply.started', decisions=1)\n"
        "assert 'structlog' not in sys.modules\n"
        "log('run.interrupted', signal='SIGINT')\n"
        "assert 'structlog' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert '"event": "run.interrupted"' in done.stderr


def test_a_recorder_is_as_strict_as_the_log() -> None:
    log = Recorder()
    log("apply.started", decisions=1)
    assert log.names == ["apply.started"]
    assert log.of("apply.started") == [{"decisions": 1}]
    with pytest.raises(AssertionError, match="not in the catalogue"):
        log("job.exploded")
