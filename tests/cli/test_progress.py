"""Progress of long work: bars on a terminal, events elsewhere, and no output if the work ends at once."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.cli.output.progress_bars import (
    EVENT_SECONDS,
    ProgressBars,
    ProgressCount,
    ProgressEvents,
    words,
)
from reconciler.environment import Environment
from tests.cli.stage import Stage
from tests.helpers.events import Recorder

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> list[str]:
        """Return every bar that was drawn, without its colours."""
        return [line for line in re.split(r"[\r\n]+", ESCAPES.sub("", self.getvalue())) if line.strip()]


@pytest.mark.parametrize(
    ("tally", "seconds", "expected"),
    [
        (
            ProgressCount(0, done=120_300_000, expected=495_000_000),
            3.0,
            "120.3 MB of 495.0 MB · 40.1 MB/s · 9 s left",
        ),
        (
            ProgressCount(0, done=1_000_000, expected=100_000_000),
            1.0,
            "1.0 MB of 100.0 MB · 1.0 MB/s · 1 min left",
        ),
        (ProgressCount(0, done=5, expected=5), 1.0, "5 bytes of 5 bytes · 5 bytes/s"),
        (ProgressCount(0, done=7, expected=5), 1.0, "7 bytes of 7 bytes · 7 bytes/s"),
        (ProgressCount(0, done=0, expected=5), 0.0, "0 bytes of 5 bytes · 0 bytes/s"),
    ],
)
def test_a_bar_says_how_much_how_fast_and_how_long(
    tally: ProgressCount, seconds: float, expected: str
) -> None:
    assert words("checking", tally, seconds) == expected


def test_writes_are_counted_and_not_measured() -> None:
    assert (
        words("writing", ProgressCount(0, done=12, expected=100), 6.0)
        == "12 of 100 writes · 2.0/s · 44 s left"
    )


def test_what_is_over_at_once_draws_nothing_and_imports_nothing() -> None:
    script = (
        "import sys, io; from reconciler.cli.output.progress_bars import ProgressBars\n"
        "bars = ProgressBars(io.StringIO(), lambda: 1.0)\n"
        "bars.expect('checking', 5); bars.advance('checking', 5); bars.end()\n"
        "assert 'rich' not in sys.modules and bars._stream.getvalue() == ''"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_bars_are_drawn_with_rate_and_time_left_and_wiped_off() -> None:
    clock, screen = Clock(), Screen()
    bars = ProgressBars(screen, clock)
    bars.expect("uploading", 4_000_000)
    bars.expect("writing", 3)
    for _ in range(4):
        clock.now += 1
        bars.advance("uploading", 1_000_000)
    first, *_ = screen.shown()
    assert re.fullmatch(r"Uploading\s+\S+\s+1\.0 MB of 4\.0 MB · 1\.0 MB/s · 3 s left\s*", first)
    assert any(line.startswith("Writing") for line in screen.shown())
    bars.end()
    assert screen.getvalue().endswith("\x1b[2K"), "the last line is erased"
    assert "\x1b[?25l" not in screen.getvalue(), "the cursor is never hidden, so nothing has to bring it back"


def test_bars_are_drawn_ten_times_a_second_at_most() -> None:
    clock, screen = Clock(), Screen()
    bars = ProgressBars(screen, clock)
    bars.expect("checking", 1000)
    clock.now += 1
    for _ in range(1000):
        clock.now += 0.001
        bars.advance("checking", 1)
    assert len(screen.shown()) <= 11


def test_an_event_wipes_the_bars_off_before_it_is_written() -> None:
    clock, screen = Clock(), Screen()
    bars = ProgressBars(screen, clock)
    diary = bars.stream()
    bars.expect("checking", 9)
    clock.now += 1
    bars.advance("checking", 1)
    diary.write("something happened\n")
    assert diary.isatty()
    before, _, reported = screen.getvalue().rpartition("\x1b[2K")
    assert "Checking" in before
    assert reported == "something happened\n"
    clock.now += 1
    bars.advance("checking", 1)
    assert screen.shown()[-1].startswith("Checking")


def test_elsewhere_an_event_is_reported_now_and_then() -> None:
    clock, log = Clock(), Recorder()
    beats = ProgressEvents(log, clock)
    beats.expect("checking", 100)
    beats.advance("checking", 1)
    assert log.of("progress.reported") == []
    for _ in range(30):
        clock.now += 1
        beats.advance("checking", 1)
    found = log.of("progress.reported")
    assert [(it["done"], it["total"]) for it in found] == [(11, 100), (21, 100), (31, 100)]
    assert found[0]["elapsed_ms"] == EVENT_SECONDS * 1000
    beats.end()
    beats.advance("checking", 1)
    assert len(log.of("progress.reported")) == 3


class Terminal(Environment):
    """A host whose stderr is a terminal."""

    def terminal(self, stream: str) -> bool:
        return stream == "stderr"


def slowly(stage: Stage) -> Callable[[Environment], Environment]:
    """Let one second pass with every reading of the clock."""

    def ticking() -> float:
        stage.clock += 1
        return stage.clock

    def world(plain: Environment) -> Environment:
        given = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
        return Terminal(**{**given, "monotonic": ticking})

    return world


def test_checking_uploading_and_writing_are_drawn_on_a_terminal(stage: Stage) -> None:
    stage.spec("one", requests=2000)
    stage.spec("two")
    result = stage.run("apply", "--yes", env=slowly(stage))
    drawn = ESCAPES.sub("", result.err)
    assert result.code == 0
    for title in ("Checking", "Uploading", "Writing"):
        assert re.search(rf"{title} .*/s", drawn), drawn
    assert "left" in drawn
    assert result.out == stage_out(result.out), "stdout is the product alone"
    assert re.search("Checking .* MB|kB", ESCAPES.sub("", stage.run("validate", env=slowly(stage)).err))


def stage_out(text: str) -> str:
    return ESCAPES.sub("", text)


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "unknown"}], ids=str)
def test_nothing_is_drawn_if_the_cursor_cannot_be_moved(stage: Stage, environ: dict[str, str]) -> None:
    stage.spec("one", requests=2000)
    stage.environ.update(environ)
    result = stage.run("apply", "--yes", env=slowly(stage))
    assert result.code == 0
    assert "Checking" not in result.err


def test_nothing_is_drawn_on_a_pipe(stage: Stage) -> None:
    stage.spec("one", requests=2000)
    result = stage.run("apply", "--yes")
    assert "Checking" not in result.err
    assert all(line.startswith("{") for line in result.err.splitlines())


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")
def test_a_real_terminal_shows_the_bar_while_a_large_file_is_checked(tmp_path: Path) -> None:
    import pty

    line = b'{"custom_id":"%d","body":{"messages":[{"role":"user","content":"' + b"x" * 20_000 + b'"}]}}\n'
    (tmp_path / "specs").mkdir()
    (tmp_path / "reconciler.yaml").write_text("project: shop\n")
    (tmp_path / "specs/a.yaml").write_text(
        "{name: a, endpoint: /v1/chat/completions, model: m, input_files: [a.jsonl]}\n"
    )
    (tmp_path / "specs/a.jsonl").write_bytes(b"".join(line % number for number in range(2500)))
    ours, theirs = pty.openpty()
    script = (
        "from reconciler.cli.output import progress_bars\n"
        "progress_bars.DELAY_SECONDS = progress_bars.FRAME_SECONDS = 0.0\n"
        "from reconciler.__main__ import main; import sys; sys.argv = ['reconciler', 'validate']; main()"
    )
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # how a terminal ends on Linux
        while piece := os.read(ours, 65536):
            drawn += piece
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"1 spec" in out
    assert re.search(r"Checking .* of 50\.\d MB · .*/s", ESCAPES.sub("", drawn.decode()))
