"""Mutations of texts, JSON values and bytes, and a writer of YAML in every style. All take a seeded `random.Random`."""

from __future__ import annotations

import codecs
import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

SECRET: Final = "Sk-Fuzzed-Distinctive-0123456789-Key"  # noqa: S105 - made up; no output may show it
VICTIM: Final = "../outside/victim"
"""A file outside of every project, as its root names it."""

TEXTS: Final = (
    *("", " ", "a", "one", "A" * 101, "x" * 5000, "é", "e\u0301", "日本", "😀", "\ud800", "\udc00\ud800", "\ufeff"),
    *("\x00", "\x1b[31mred", "\x9b2J", "\u202egnp", "a\u2028b", "a\rb", "a\nb", "a\tb", "\x85", "\x7f", "\u200b"),
    *("../x", VICTIM, "/etc/passwd", "C:\\x", "~/x", "a/../../b", ".", "..", "//", "con", "nul.txt", "-", "--help"),
    *("*", "**", "**/*", "data/*", "[", "[!a]", "[]-a]*", "data/[0-9]?", "{stem}", "{dir}-{path}", "{", "{{x}}"),
    *("null", "~", "true", "no", "0", "-1", "007", "0x1F", "0o17", "1e999", ".inf", "NaN", "1_000", "9" * 400),
    *("2026-02-30", "2026-11-23", "9999-12-31", "0000-01-01", "daily", "0 0 * * *", "UTC", "Europe/Paris", "A/B"),
    *("<<", "&a", "*a", "!!str", "%s", "%(x)s", "${HOME}", "$(id)", "`id`", "::error::x", "##[command]", "<b>|"),
    *("/v1/ocr", "/v1/", "mistral-small-latest", "v1:" + "0" * 64, "v9:" + "f" * 64, "sha256:" + "0" * 64, "reconciler.x"),
    *("00000001-0000-4000-8000-000000000000", "4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f", "http://127.0.0.1:9/x", SECRET),
    *("SUCCESS", "RUNNING", "CANCELLED", "FAILED", "QUEUED", "TIMEOUT_EXCEEDED", "LATER", "v=1 attempt=2 op=x rerun="),
)  # fmt: skip
NUMBERS: Final = (
    *(0, 1, -1, 2, 3, 7, 100, 101, 255, 10_000, 1_000_001, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 1e-320, 1e18, 1e308, float("inf"), float("-inf"), float("nan"), 10**40, 10**400),
    *(253_402_300_799, 253_402_300_800, 1_790_000_000, -62_135_596_801, 86_400_000_000_000),
)  # fmt: skip
_BYTES: Final = (
    *(b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\r", b"\n\n", b"\t", b"\x1b[2J"),
    *(b'"', b"'", b"\\", b"\\u", b"\\ud83d", b"{", b"}", b"[", b"]", b":", b": ", b",", b"- ", b"# ", b"---\n", b"...\n"),
    *(b"&a ", b"*a", b"!x ", b"<<: ", b"? ", b"|\n", b">-\n", b"%YAML 1.1\n", b"%TAG ! x\n", b"@", b"`", b"NaN", b"1e999"),
    *(b"version https://git-lfs.github.com/spec/v1\n", SECRET.encode(), b'"v":2', b'"custom_id"', b"\x1f\x8b", b"PK\x03\x04"),
)  # fmt: skip


def text(rng: random.Random) -> str:
    """Return an odd text, or two."""
    one = rng.choice(TEXTS)
    return one if rng.random() < 0.8 else one + rng.choice(TEXTS)


def value(rng: random.Random, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return an odd JSON value."""
    pick = rng.random()
    if pick < 0.4:
        return text(rng)
    if pick < 0.65:
        return rng.choice(NUMBERS)
    if pick < 0.8 or depth > 3:
        return rng.choice((None, True, False, [], {}, [None], {"": None}, [[]], [{}]))
    if pick < 0.82:
        return nested(rng.choice((20, 70, 300)), rng.choice(("list", "dict")))
    if pick < 0.92:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {text(rng): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def nested(levels: int, kind: str) -> Any:  # noqa: ANN401 - JSON
    """Return lists or objects in each other."""
    found: Any = None
    for _ in range(levels):
        found = [found] if kind == "list" else {"a": found}
    return found


def _slots(tree: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Yield every container of a tree with each of its keys."""
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        for key in keys:
            yield here, key
            waiting.append(here[key])


def tree(rng: random.Random, whole: Any, *, times: int, fields: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401, C901, PLR0912
    """Return a changed copy of a JSON tree.

    Args:
        rng: the source of randomness.
        whole: the tree.
        times: how many changes.
        fields: the properties of a JSON Schema, to add or to change fields of the outermost object.
    """
    box = {"": copy.deepcopy(whole)}
    for _ in range(times):
        slots = list(_slots(box))
        here, key = rng.choice(slots)
        old = here[key]
        pick = rng.random()
        if fields and pick < 0.35 and isinstance(box[""], dict):
            name = rng.choice(list(fields))
            box[""][name] = from_schema(rng, fields[name], fields)
        elif pick < 0.5:
            here[key] = value(rng)
        elif pick < 0.58:
            if isinstance(here, list) or here is not box:
                del here[key]
        elif pick < 0.66:
            other, at = rng.choice(slots)
            here[key] = copy.deepcopy(other[at])
        elif pick < 0.72 and isinstance(old, str):
            at = rng.randrange(len(old) + 1)
            here[key] = old[:at] + text(rng) + old[at + rng.randrange(3) :]
        elif pick < 0.78 and isinstance(old, int | float):
            here[key] = rng.choice((old + 1, old - 1, -old, str(old), float(min(old, 10**300))))
        elif pick < 0.84 and isinstance(old, dict):
            old[text(rng)] = value(rng)
        elif pick < 0.9 and isinstance(old, list) and old:
            here[key] = old * rng.choice((2, 3, 50)) if len(old) < 20 else old[::-1]
        elif pick < 0.95 and isinstance(here, dict) and here is not box:
            here[rng.choice((key.upper(), f"{key}s", text(rng), "name"))] = here.pop(key)
        else:
            here[key] = rng.choice(([old], {"a": old}, str(old), [old, old]))
    return box[""]


def from_schema(rng: random.Random, schema: Mapping[str, Any], fields: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return a value that fits a JSON Schema, or almost: one beside each of its bounds, patterns and lists."""
    if rng.random() < 0.1:
        return value(rng)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return from_schema(rng, rng.choice(schema[several]), fields)
    for given in ("enum", "examples"):
        if given in schema and rng.random() < 0.8:
            return copy.deepcopy(rng.choice(schema[given]))
    match schema.get("type"):
        case "object":
            inner = schema.get("properties") or {}
            kept = [name for name in inner if name in schema.get("required", ()) or rng.random() < 0.4]
            found = {name: from_schema(rng, inner[name], fields) for name in kept}
            more = schema.get("additionalProperties")
            if isinstance(more, dict):
                found |= {text(rng): from_schema(rng, more, fields) for _ in range(rng.randrange(4))}
            return found
        case "array":
            item = schema.get("items") or {}
            return [from_schema(rng, item, fields) for _ in range(rng.choice((0, 1, 1, 2, 3, 12)))]
        case "integer" | "number":
            ends = [
                schema[name] for name in ("minimum", "maximum", "default") if schema.get(name) is not None
            ]
            return rng.choice([*ends, *(end + step for end in ends for step in (-1, 1)), *NUMBERS[:8]])
        case "boolean":
            return rng.choice((True, False))
        case "null":
            return None
        case _:
            return text(rng)


def to_json(rng: random.Random, whole: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return JSON text, sometimes with a duplicate key, or written in another way."""
    found = json.dumps(
        whole, ensure_ascii=rng.random() < 0.9, separators=rng.choice(((",", ":"), (", ", ": ")))
    )
    if rng.random() < 0.05 and '":' in found:
        at = rng.choice([at for at in range(len(found)) if found.startswith('":', at)][:200])
        start = found.rfind('"', 0, at)
        found = f"{found[:start]}{found[start : at + 1]}:1,{found[start:]}"
    return found.encode("utf-8", "surrogatepass")


def data(rng: random.Random, whole: bytes, *, times: int) -> bytes:  # noqa: C901, PLR0912 - a table of changes
    """Return changed bytes."""
    for _ in range(times):
        at, length = rng.randrange(len(whole) + 1), rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(14):
            case 0 | 1:
                whole = whole[:at] + rng.choice(_BYTES) + whole[at:]
            case 2:
                whole = whole[:at] + rng.choice(_BYTES) + whole[at + length :]
            case 3:
                whole = whole[:at] + whole[at + length :]
            case 4:
                whole = whole[:at] + whole[at : at + length] * rng.choice((2, 3, 30)) + whole[at + length :]
            case 5 if whole:
                at = rng.randrange(len(whole))
                whole = whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :]
            case 6:
                whole = whole[:at] if rng.random() < 0.7 else whole[at:]
            case 7:
                many = rng.choice((100, 3000, 60_000)) if rng.random() < 0.3 else 20
                whole = (
                    whole[:at]
                    + rng.choice((b"[", b"{", b'{"a":', b"- ", b" ", b"9", b"a", b"\n", b"\\")) * many
                    + whole[at:]
                )
            case 8 | 9 | 10:
                whole = _lines(rng, whole)
            case 11:
                whole = whole[:at] + text(rng).encode("utf-8", "surrogatepass") + whole[at:]
            case 12 if rng.random() < 0.3:
                whole = rng.choice((_utf16, gzip.compress, _crlf, _bom, _cr))(whole)
            case _:
                whole += rng.choice(_BYTES)
    return whole


def _lines(rng: random.Random, whole: bytes) -> bytes:
    """Repeat, drop, swap, indent or tear lines."""
    lines = whole.splitlines(keepends=True) or [b""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            lines[one:one] = [lines[other]] * rng.choice((1, 1, 3, 200))
        case 1:
            del lines[one]
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case 3:
            lines[one] = b" " * rng.randrange(1, 5) + lines[one]
        case 4:
            lines[one] = lines[one][: rng.randrange(len(lines[one]) + 1)]
        case _:
            rng.shuffle(lines)
    return b"".join(lines)


def _utf16(whole: bytes) -> bytes:
    return codecs.BOM_UTF16_LE + whole.decode("utf-8", "replace").encode("utf-16-le", "replace")


def _crlf(whole: bytes) -> bytes:
    return whole.replace(b"\n", b"\r\n")


def _cr(whole: bytes) -> bytes:
    return whole.replace(b"\n", b"\r")


def _bom(whole: bytes) -> bytes:
    return codecs.BOM_UTF8 + whole


class Yaml:
    """Writes values as YAML, each in a random style, with a few anchors, aliases, tags, merge and duplicate keys.

    Args:
        rng: the source of randomness.
        odd: how probable something is that a spec may not have.
    """

    def __init__(self, rng: random.Random, odd: float) -> None:
        self._rng = rng
        self._odd = odd
        self._anchors = 0

    def document(self, value: Any) -> str:  # noqa: ANN401 - JSON
        """Return one document."""
        return (
            self._rare("%YAML 1.1\n---\n", "# yaml-language-server: $schema=x\n")
            + self._block(value, 0).lstrip("\n")
            + "\n"
        )

    def _rare(self, *words: str) -> str:
        return self._rng.choice(words) if self._rng.random() < self._odd else ""

    def _prefix(self) -> str:
        found = self._rare("!!str ", "!x ", "!!binary ", "! ", "!<tag:x> ")
        if self._rng.random() < self._odd:
            self._anchors += 1
            found += f"&a{self._anchors} "
        return found

    def _alias(self) -> str:
        return f"*a{self._rng.randint(1, self._anchors + 1)}" if self._rng.random() < self._odd else ""

    def _block(self, value: Any, level: int) -> str:  # noqa: ANN401 - JSON
        rng, pad = self._rng, "  " * level
        if not value or not isinstance(value, dict | list) or rng.random() < 0.15 or level > 40:
            return self._flow(value)
        if alias := self._alias():
            return alias
        if isinstance(value, list):
            rows = [f"{pad}- {self._block(item, level + 1).lstrip()}" for item in value]
        else:
            rows = [
                f"{pad}{self._key(key)}: {self._prefix()}{self._block(item, level + 1)}"
                for key, item in value.items()
            ]
            if rng.random() < self._odd:
                rows.append(
                    rng.choice((f"{pad}<<: *a1", f"{pad}? [a, b]\n{pad}: c", rows[0], f"{pad}# note"))
                )
        return "\n" + "\n".join(rows)

    def _flow(self, value: Any) -> str:  # noqa: ANN401 - JSON
        if alias := self._alias():
            return alias
        if isinstance(value, list):
            return "[" + ", ".join(map(self._flow, value)) + "]"
        if isinstance(value, dict):
            return (
                "{" + ", ".join(f"{self._key(key)}: {self._flow(item)}" for key, item in value.items()) + "}"
            )
        return self._prefix() + self._scalar(value)

    def _key(self, key: str) -> str:
        return self._scalar(key) if self._rng.random() < 0.2 or not key.isidentifier() else key

    def _scalar(self, value: Any) -> str:  # noqa: ANN401 - JSON
        if not isinstance(value, str):
            return json.dumps(value)
        styles: list[Callable[[str], str]] = [json.dumps, lambda it: json.dumps(it, ensure_ascii=False)]
        styles.append(lambda it: "'" + it.replace("'", "''") + "'")
        if value.replace("-", "a").replace("/", "a").replace(".", "a").isalnum():
            styles += [str] * 6
        return self._rng.choice(styles)(value)
