"""`pytest --without-ledger`: every scenario of the command line with the ledger deleted after each command.

The ledger is an aid, never the truth. What needs it is marked `needs_ledger`, with what happens without it.
"""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest
from hypothesis import settings

from tests.cli.stage import Stage

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # a busy machine is no failure


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--without-ledger", action="store_true", help="delete the ledger after every command")


def pytest_configure(config: pytest.Config) -> None:
    """Tell every stage."""
    Stage.forgetful = config.getoption("--without-ledger")
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # as in a shell's background: processes would inherit that
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the ledger, where there is none."""
    if not config.getoption("--without-ledger"):
        return
    for item in items:
        needs = item.get_closest_marker("needs_ledger")
        if needs is not None:
            item.add_marker(pytest.mark.skip(reason=f"without a ledger {needs.args[0]}"))
