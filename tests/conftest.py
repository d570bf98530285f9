"""Options: `--thorough` runs every test, `--without-ledger` deletes the ledger after each command; `--rounds`.

Without `--thorough`, tests marked `thorough` are left out and Hypothesis tries fewer examples. The tool works without
its ledger: a test that needs one is marked `needs_ledger`, with the reason.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import settings

from tests.cli.stage import Stage

# No deadline: the machine may be busy.
settings.register_profile("quick", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=200)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addoption(
        "--thorough", action="store_true", help="also run tests marked thorough, and try more examples"
    )
    parser.addoption("--rounds", type=int, help="how many rounds of kills a long test of pods plays")
    parser.addoption("--without-ledger", action="store_true", help="delete the ledger after every command")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile before test modules are imported, and set whether stages keep their ledger."""
    # Otherwise every process that a test starts would compile the tool.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    thorough = config.getoption("--thorough")
    settings.load_profile("thorough" if thorough else "quick")
    if not thorough:  # no test pulls the plug, and waiting for the disk takes a tenth of the time
        pytest.MonkeyPatch().setattr(os, "fsync", lambda _: None)
    Stage.forgetful = config.getoption("--without-ledger")
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # as in a shell's background: processes would inherit that
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without the garbage collector: nothing of them is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: it would take a quarter of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough unless it is asked for, and what needs the ledger if there is none."""
    if not config.getoption("--thorough"):
        thorough = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=thorough)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    if not config.getoption("--without-ledger"):
        return
    for item in items:
        needs = item.get_closest_marker("needs_ledger")
        if needs is not None:
            item.add_marker(pytest.mark.skip(reason=f"without a ledger {needs.args[0]}"))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket in moto's S3, which s3fs is pointed at."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    s3fs = pytest.importorskip("s3fs")
    fsspec = pytest.importorskip("fsspec")
    server.start()  # its buckets are those of the process
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    fsspec.register_implementation("s3", s3fs.S3FileSystem, clobber=True)
    fs = s3fs.S3FileSystem(skip_instance_cache=True)
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
    fs.mkdir("bucket")
    yield fs
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
