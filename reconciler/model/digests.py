"""Identity: what makes two declarations the same work.

A digest decides whether money is spent, so its form is fixed: canonical JSON (RFC 8785), SHA-256, and the version as a
prefix (`v1:…`). The function of a version is never changed or removed. A new form is a new version, and a spec is
compared with a job under the job's version. Test vectors check all of this.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2)."""


def canonical(value: Json) -> bytes:
    """Return `value` as canonical JSON (RFC 8785): each value has exactly one form.

    Raises `ValueError` if a number that RFC 8785 cannot represent (NaN, an infinity, an integer beyond 2**53 - 1) or
    text that is not Unicode (a lone surrogate).
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode()


def _write(value: Json, out: Callable[[str], None]) -> None:
    if isinstance(value, str):
        out(encode_basestring(value))
    elif value is None or isinstance(value, bool):
        out({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"the integer {value} is too large to be kept exactly")
        out(str(value))
    elif isinstance(value, float):
        out(_number(value))
    elif isinstance(value, Mapping):
        for at, key in enumerate(sorted(value, key=_utf16)):
            out("," if at else "{")
            out(encode_basestring(key))
            out(":")
            _write(value[key], out)
        out("}" if value else "{}")
    else:
        for at, item in enumerate(value):
            out("," if at else "[")
            _write(item, out)
        out("]" if value else "[]")


def _utf16(text: str) -> bytes:
    """RFC 8785 section 3.2.3 sorts keys by their UTF-16 code units."""
    return text.encode("utf-16-be")


_PLAIN_BELOW: Final = 21
_PLAIN_ABOVE: Final = -7


def _number(value: float) -> str:
    """Format a float as ECMAScript does (ECMA-262, Number::toString), as RFC 8785 requires."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)  # the position of the decimal point in `digits`
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= _PLAIN_BELOW:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _PLAIN_BELOW:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _PLAIN_ABOVE < point - 1 < 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"e{point - 1:+d}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}{power}"


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


# The functions below write the canonical form directly: `canonical` gives the same result in ten times the time, and a
# plan digests every spec.


def _v1(text: str) -> str:
    return f"v1:{sha256(text.encode())}"


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def inputs_v1(inputs: Iterable[str]) -> str:
    """Digest the inputs of a job. Their order and names do not matter.

    An input is `sha256:<hex>` for a file's bytes, `file:<id>` for an uploaded file, `requests:<hex>` for inline ones.
    """
    return _v1(f"[{','.join(map(encode_basestring, sorted(inputs)))}]")


def work_v1(*, endpoint: str, model: str | None, agent_id: str | None, inputs: Iterable[str]) -> str:
    """Digest the work: the inputs, and the model or agent. Equal digests are the same work."""
    return _v1(
        f'{{"agent_id":{_text(agent_id)},"endpoint":{_text(endpoint)},'
        f'"inputs":{_text(inputs_v1(inputs))},"model":{_text(model)}}}'
    )


def recipe_v1(*, endpoint: str, model: str | None, agent_id: str | None) -> str:
    """Digest what answers requests. It is short: it only tells apart the jobs of one name."""
    text = f'{{"agent_id":{_text(agent_id)},"endpoint":{_text(endpoint)},"model":{_text(model)}}}'
    return sha256(text.encode())[:8]


def settings_v1(*, timeout_hours: int, metadata: Mapping[str, str], on_remove: str) -> str:
    """Digest the settings that accompany the work. A change of them submits nothing."""
    keys = sorted(metadata) if "".join(metadata).isascii() else sorted(metadata, key=_utf16)
    pairs = ",".join([f"{encode_basestring(key)}:{encode_basestring(metadata[key])}" for key in keys])
    return _v1(
        f'{{"metadata":{{{pairs}}},"on_remove":{_text(on_remove)},"timeout_hours":{int(timeout_hours)}}}'
    )


WORK_DIGESTS: Final = {"v1": work_v1}
"""Every version of the work digest that a job may have; new jobs get the last."""


def version_of(digest: str) -> str:
    """Return the version prefix of a digest: `v1` of `v1:ab12…`."""
    return digest.partition(":")[0]
