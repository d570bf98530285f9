"""Why a line of an input file was refused.

The fast decoder says only that a line is bad. Here the line is read again, slowly, with the standard library's
lenient one, to say why.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from reconciler.specs.findings import Finding, Kind

_LONGEST: Final = 1_000_000
"""Bytes of a line that is read again: decoded, a line takes many times its size."""


class _NotANumberError(ValueError):
    pass


def why(number: int, line: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a line that was refused.

    Args:
        number: the line's, 1-based.
        line: its bytes, without the line feed.
    """
    if number == 1 and line.startswith(BOM_UTF8):
        yield Finding(Kind.BOM)
        line = line.removeprefix(BOM_UTF8)
    if not line.strip():
        yield Finding(Kind.EMPTY_LINE, number)
    elif len(line) > _LONGEST:
        yield Finding(Kind.REFUSED, number)
    else:
        yield from _of_text(number, line)


def _of_text(number: int, line: bytes) -> Iterator[Finding]:
    try:
        value = json.loads(line.decode(), parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        yield Finding(Kind.NOT_UTF8, number, len(line[: error.start].decode()) + 1)
    except UnicodeEncodeError:
        yield Finding(Kind.HALF_CHARACTER, number)
    except _NotANumberError:
        yield Finding(Kind.NOT_A_NUMBER, number)
    except json.JSONDecodeError as error:
        kind = Kind.TWO_VALUES if error.msg == "Extra data" else Kind.NOT_JSON
        yield Finding(kind, number, error.colno)
    except RecursionError:
        yield Finding(Kind.TOO_DEEP, number)
    except ValueError:
        yield Finding(Kind.REFUSED, number)
    else:
        yield from _of_value(number, value)


def _refuse(_: str) -> NoReturn:
    raise _NotANumberError


def _of_value(number: int, value: Any) -> Iterator[Finding]:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        yield Finding(Kind.NOT_AN_OBJECT, number)
        return
    if "body" not in value:
        yield Finding(Kind.NO_BODY, number)
    elif not isinstance(value["body"], dict):
        yield Finding(Kind.BAD_BODY, number)
    if "custom_id" not in value:
        yield Finding(Kind.NO_ID, number)
    elif not isinstance(value["custom_id"], str):
        yield Finding(Kind.BAD_ID, number)
    elif not value["custom_id"]:
        yield Finding(Kind.EMPTY_ID, number)
