"""One interface for PyYAML's two parsers: libyaml's, and the pure one if PyYAML was built without libyaml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

BEYOND_UNICODE: Final = "found invalid Unicode character escape code"
"""The message of libyaml."""


class EventParser(Protocol):
    """The common interface."""

    def get_event(self) -> Any:  # noqa: ANN401 - PyYAML's events share no useful class
        """Return the next event, None after the last."""


class PureParser(Reader, Scanner, Parser):
    """The pure parser: the same events, 15 times slower."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def get_event(self) -> Any:  # noqa: ANN401 - see above
        """Return the next event, None after the last.

        Raises:
            ScannerError: also for an escape beyond Unicode, for which PyYAML raises the exceptions of `chr`.
        """
        try:
            return super().get_event()  # type: ignore[no-untyped-call]
        except (OverflowError, ValueError) as error:
            raise ScannerError(None, None, BEYOND_UNICODE, self.get_mark()) from error


def _fastest() -> Callable[[str], EventParser]:
    try:
        from yaml._yaml import CParser  # noqa: PLC0415 - PyYAML may be built without libyaml
    except ImportError:  # pragma: no cover - depends on how PyYAML was built
        return PureParser
    return CParser


FASTEST: Final = _fastest()
