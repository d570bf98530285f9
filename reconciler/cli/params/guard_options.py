"""The options that override guards: one for each, and none for all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from reconciler.settings import Guards

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """The guard options of the command line."""

    given: Mapping[str, object] = field(default_factory=dict)
    """By the names of the settings that they override."""

    def settings(self, guards: Guards) -> Guards:
        """Return the guards' settings, overridden by the command line."""
        import msgspec

        return msgspec.structs.replace(guards, **self.given)

    @property
    def flags(self) -> tuple[str, ...]:
        """The command-line flags that reproduce these overrides."""
        values = ((name.replace("_", "-"), value) for name, value in self.given.items())
        return tuple(
            f"--{name}" if value is True else f"--{name} {'none' if value is None else value}"
            for name, value in values
        )


def budget(text: str) -> int | str:
    """Read a number of requests, or `none` for no budget.

    Raises:
        BadParameter: the text is neither.
    """
    digits = text.replace(",", "").replace("_", "")
    if digits != "none" and not digits.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a number of requests nor `none`.")
    return digits if digits == "none" else int(digits)


_OPTIONS: Final = {
    "max_cancels": click.option(
        "--max-cancels", type=click.IntRange(0), metavar="N", help="Allow up to N cancels."
    ),
    "max_cancel_share": click.option(
        "--max-cancel-share",
        type=click.FloatRange(0, 1),
        metavar="X",
        help="Allow cancelling up to this share (0 to 1) of the active jobs.",
    ),
    "max_new_requests": click.option(
        "--max-new-requests", type=budget, metavar="N|none", help="Allow submitting up to N requests."
    ),
    "max_requests_per_day": click.option(
        "--max-requests-per-day",
        type=budget,
        metavar="N|none",
        help="Allow up to N requests submitted within 24 hours.",
    ),
    "max_lost_answers": click.option(
        "--max-lost-answers",
        type=click.IntRange(0),
        metavar="N",
        help="Allow cancelling jobs with up to N answered requests in total.",
    ),
    "allow_empty": click.option(
        "--allow-empty", is_flag=True, help="Allow cancelling everything when nothing is declared."
    ),
    "allow_other_workspace": click.option(
        "--allow-other-workspace",
        is_flag=True,
        help="Allow a workspace that has none of the jobs in the ledger.",
    ),
    "allow_created_elsewhere": click.option(
        "--allow-created-elsewhere",
        is_flag=True,
        help="Allow submitting work that another project of the workspace has submitted.",
    ),
}


def guard_options(command: _F) -> _F:
    """Add the guards' options; the command gets them as one value, `overrides`."""

    @functools.wraps(command)
    def collected(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever the command takes and returns
        values = {name: kwargs.pop(name) for name in _OPTIONS}
        given = {
            name: None if value == "none" else value
            for name, value in values.items()
            if value is not None and value is not False
        }
        return command(*args, overrides=GuardOptions(given), **kwargs)

    for option in reversed(_OPTIONS.values()):
        collected = option(collected)
    return collected  # type: ignore[return-value]  # click keeps the function's type to itself
