"""Find out why a line of an input file was refused.

The fast decoder reports only that a line is invalid. This module decodes the line again with the slower, lenient
decoder of the standard library, to find the reason.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NoReturn

import msgspec

from reconciler.specs.inputs.blocks import Text
from reconciler.specs.inputs.findings import Finding, FindingKind
from reconciler.specs.inputs.formats import of_keys

MAX_LENGTH: Final = 500_000
"""Bytes up to which a line is decoded as a whole: a decoded line takes many times its size in memory."""
_KEYS: Final = frozenset({"custom_id", "body"})
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
"""A key that may be shown: others may be confidential text."""
_MAX_NAMED_KEYS: Final = 3
_BYTE: Final = re.compile(r"\(byte (\d+)\)")


class _NumberError(ValueError):
    def __init__(self, kind: FindingKind) -> None:
        super().__init__(kind)
        self.kind = kind


def diagnose_line(number: int, line: Text) -> Iterator[Finding]:
    """Yield the findings for a line, without its line feed, that was refused or that may repeat a key."""
    if number == 1 and line.startswith(BOM_UTF8):
        yield Finding(FindingKind.BOM)
        line = line.removeprefix(BOM_UTF8)
    if len(line) > MAX_LENGTH:
        yield from _of_long(number, line)
    elif not line.strip():
        yield Finding(FindingKind.EMPTY_LINE, number)
    elif b"\x00" in line:
        yield Finding(FindingKind.NUL, number, line.index(b"\x00") + 1)
    else:
        yield from _of_text(number, line)


def _of_long(number: int, line: Text) -> Iterator[Finding]:
    """Use the message of the fast decoder: other ways take too much memory for a long line."""
    try:
        top = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        check_utf8(line)
    except msgspec.ValidationError:
        yield Finding(FindingKind.NOT_AN_OBJECT, number)
    except msgspec.DecodeError as error:
        at = _BYTE.search(str(error))
        yield Finding(FindingKind.NOT_JSON, number, int(at[1]) + 1 if at else len(line))
    except RecursionError:
        yield Finding(FindingKind.TOO_DEEP, number)
    except UnicodeDecodeError:
        yield Finding(FindingKind.NOT_UTF8, number)
    else:
        if repeats_a_key(line):
            yield Finding(FindingKind.SAME_KEY, number)
        yield from _of_value(number, {key: _outline(key, raw) for key, raw in top.items()})


def _outline(key: str, raw: msgspec.Raw) -> Any:  # noqa: ANN401 - JSON
    """Return as much of a value as its checks need."""
    if key == "custom_id":
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(raw)
    return {} if bytes(memoryview(raw)[:1]) == b"{" else None


_TOKEN: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}\[\]]', re.DOTALL)


def repeats_a_key(line: Text) -> bool:
    """Return whether a line, one valid JSON object, has two equal keys at its top level. Decodes no value."""
    depth, keys = 0, set()
    for found in _TOKEN.finditer(line):
        text, is_key = found.groups()
        if text is None:
            depth += 1 if found[0] in b"{[" else -1
        elif is_key and depth == 1:
            key = json.loads(text)
            if key in keys:
                return True
            keys.add(key)
    return False


def check_utf8(line: Text) -> None:
    """Raise UnicodeDecodeError if a long line is not UTF-8. Decodes a piece at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    whole = memoryview(line)
    for at in range(0, len(line), MAX_LENGTH):
        decoder.decode(whole[at : at + MAX_LENGTH])
    decoder.decode(b"", final=True)


def _of_text(number: int, line: Text) -> Iterator[Finding]:
    repeated = False

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        value = dict(pairs)
        repeated = repeated or len(value) < len(pairs)
        return value

    try:
        value = json.loads(
            line.decode(),
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_kept,
            object_pairs_hook=unique,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        yield Finding(FindingKind.NOT_UTF8, number, len(line[: error.start].decode()) + 1)
    except UnicodeEncodeError:
        yield Finding(FindingKind.HALF_CHARACTER, number)
    except _NumberError as error:
        yield Finding(error.kind, number)
    except json.JSONDecodeError as error:
        kind = FindingKind.TWO_VALUES if error.msg == "Extra data" else FindingKind.NOT_JSON
        yield Finding(kind, number, error.colno)
    except RecursionError:
        yield Finding(FindingKind.TOO_DEEP, number)
    except ValueError:
        yield Finding(FindingKind.REFUSED, number)
    else:
        if repeated:
            yield Finding(FindingKind.SAME_KEY, number)
        yield from _of_value(number, value)


def _refuse(_: str) -> NoReturn:
    raise _NumberError(FindingKind.NOT_A_NUMBER)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NumberError(FindingKind.HUGE_NUMBER)
    return number


def _kept(text: str) -> int:
    try:
        float(number := int(text))
    except (ValueError, OverflowError):  # more digits than Python converts, or than a double reaches
        raise _NumberError(FindingKind.HUGE_NUMBER) from None
    return number


def _of_value(number: int, value: Any) -> Iterator[Finding]:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        yield Finding(FindingKind.NOT_AN_OBJECT, number)
        return
    foreign = of_keys(number, value.keys())
    if foreign:
        yield foreign
        return
    if "body" not in value:
        yield Finding(FindingKind.NO_BODY, number)
    elif not isinstance(value["body"], dict):
        yield Finding(FindingKind.BAD_BODY, number)
    if "custom_id" not in value:
        yield Finding(FindingKind.NO_ID, number)
    elif not isinstance(value["custom_id"], str):
        yield Finding(FindingKind.BAD_ID, number)
    elif not value["custom_id"]:
        yield Finding(FindingKind.EMPTY_ID, number)
    others = sorted(filter(_KEY.fullmatch, value.keys() - _KEYS))
    if value.keys() - _KEYS:
        named = ", ".join(f"`{key}`" for key in others[:_MAX_NAMED_KEYS])
        yield Finding(FindingKind.UNKNOWN_KEY, number, more=named and f": {named}")
