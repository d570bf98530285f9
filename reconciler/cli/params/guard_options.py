"""The options that override guards: one for each, and none for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import click

from reconciler.cli.params.options import F, collect


def budget(text: str) -> int | str:
    """Read a number of requests, or `none` for no budget. Raises `BadParameter` if the text is neither."""
    digits = text.replace(",", "").replace("_", "")
    if digits != "none" and not digits.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a number of requests nor `none`.")
    return digits if digits == "none" else int(digits)


def amount(text: str) -> float | str:
    """Read an amount of money, or `none` for no budget. Raises `BadParameter` if the text is neither."""
    if text == "none":
        return text
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise click.BadParameter(f"{text!r} is neither an amount such as 5.00 nor `none`.")
    return float(text)


def _limit(option: str, kind: object, metavar: str, text: str) -> Callable[[F], F]:
    return click.option(option, type=kind, metavar=metavar, help=text)


def _allowed(option: str, text: str) -> Callable[[F], F]:
    return click.option(option, is_flag=True, default=None, help=text)


_NUMBER: Final = click.IntRange(0)
_OPTIONS: Final = (
    _limit("--max-cancels", _NUMBER, "N", "Allow up to N cancels."),
    _limit(
        "--max-cancel-share",
        click.FloatRange(0, 1),
        "X",
        "Allow cancelling up to this share (0 to 1) of the active jobs.",
    ),
    _limit("--max-new-requests", budget, "N|none", "Allow submitting up to N requests."),
    _limit("--max-requests-per-day", budget, "N|none", "Allow up to N requests submitted within 24 hours."),
    _limit("--max-cost", amount, "X|none", "Allow a plan that costs up to X, in the currency of the prices."),
    _limit("--max-cost-per-day", amount, "X|none", "Allow jobs that cost up to X within 24 hours."),
    _limit("--max-cost-per-month", amount, "X|none", "Allow jobs that cost up to X in a calendar month."),
    _limit(
        "--max-lost-answers", _NUMBER, "N", "Allow cancelling jobs with up to N answered requests in total."
    ),
    _allowed("--allow-empty", "Allow cancelling everything when nothing is declared."),
    _allowed("--allow-other-workspace", "Allow a workspace that has none of the jobs in the ledger."),
    _allowed(
        "--allow-created-elsewhere",
        "Allow submitting work that another project of the workspace has submitted.",
    ),
    _allowed("--allow-other-branch", "Allow creating jobs from a branch outside of `apply.only_from`."),
    _allowed("--allow-dirty", "Allow creating jobs from files with uncommitted changes."),
    _allowed("--allow-unpushed", "Allow creating jobs from a commit that was not pushed."),
)


def _given(**values: object) -> Mapping[str, object]:
    return {name: None if value == "none" else value for name, value in values.items() if value is not None}


guard_options: Final = collect("overrides", _given, *_OPTIONS)
"""Adds the guards' options; the command gets the given ones as `overrides`, by the names of the settings."""


def guard_flags(overrides: Mapping[str, object]) -> tuple[str, ...]:
    """Return the command-line flags that reproduce the overrides."""
    flags = {f"--{name.replace('_', '-')}": value for name, value in overrides.items()}
    return tuple(
        flag if value is True else f"{flag} {'none' if value is None else value}"
        for flag, value in flags.items()
    )
