"""Mutations of texts, JSON values and bytes, and a writer of YAML in every style. All take a seeded `random.Random`."""

from __future__ import annotations

import codecs
import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

SECRET: Final = "Sk-Fuzzed-Distinctive-0123456789-Key"  # noqa: S105 - made up; no output may show it
VICTIM: Final = "../outside/victim"
"""A file outside of every project, as its root names it."""

_WORDS: Final = """
    a one é 日本 😀 ../x /etc/passwd C:\\x ~/x a/../../b . .. // con nul.txt - --help {stem} {dir}-{path} { {{x}}
    << &a *a !!str * ** **/* data/* [ [!a] []-a]* data/[0-9]? null ~ true no 0 -1 007 0x1F 0o17 1e999 .inf NaN 1_000
    UTC A/B Europe/Paris 2026-02-30 2026-11-23 9999-12-31 0000-01-01 daily %s %(x)s ${HOME} $(id) `id` ::error::x
    ##[command] <b>| /v1/ocr /v1/ mistral-small-latest reconciler.x http://127.0.0.1:9/x SUCCESS RUNNING CANCELLED
    FAILED QUEUED TIMEOUT_EXCEEDED LATER 4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f
"""
_UNSEEN: Final = (
    "\ud800|\udc00\ud800|\ufeff|\x00|\x1b[31m|\x9b2J|\u202eg|a\u2028b|a\rb|a\nb|a\tb|\x85|\x7f|\u200b|e\u0301"
)
TEXTS: Final = (
    *("", " ", "A" * 101, "x" * 5000, "v1:" + "0" * 64, "v9:" + "f" * 64, "sha256:" + "0" * 64, "9" * 400),
    *("v=1 attempt=2 op=x rerun=", "0 0 * * *", VICTIM, SECRET, *_WORDS.split(), *_UNSEEN.split("|")),
)
NUMBERS: Final = (
    *(0, 1, -1, 2, 3, 7, 100, 101, 255, 10_000, 1_000_001, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 1e-320, 1e18, 1e308, float("inf"), float("-inf"), float("nan"), 10**40, 10**400),
    *(253_402_300_799, 253_402_300_800, 1_790_000_000, -62_135_596_801, 86_400_000_000_000),
)  # fmt: skip
_PIECES: Final = rb"""
    \x00 \xff \xc3 \xed\xa0\x80 \xef\xbb\xbf \xff\xfe \r\n \r \n\n \t \x1b[2J \x1f\x8b PK\x03\x04 " ' \\ { } [ ] , @ `
    :\x20 ,\x20 -\x20 #\x20 ---\n ...\n <<:\x20 ?\x20 |\n >-\n %YAML\x201.1\n %TAG\x20!\x20x\n &a\x20 *a !x\x20
    version\x20https://git-lfs.github.com/spec/v1\n "v":2 "custom_id" NaN 1e999 \\u \\ud83d
"""
_BYTES: Final = (SECRET.encode(), *(codecs.escape_decode(it)[0] for it in _PIECES.split()))


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


def tree(rng: random.Random, whole: Any, *, times: int, fields: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return a changed copy of a JSON tree.

    Args:
        rng: the source of randomness.
        whole: the tree.
        times: how many changes.
        fields: the properties of a JSON Schema, to add or to change fields of the outermost object.
    """
    box = {"": copy.deepcopy(whole)}
    for _ in range(times):
        if fields and isinstance(box[""], dict) and rng.random() < 0.35:
            name = rng.choice(list(fields))
            box[""][name] = from_schema(rng, fields[name])
            continue
        slots = list(_slots(box))
        here, key = rng.choice(slots)
        change = rng.choice(_CHANGES)
        if here is not box or change is not _delete:
            change(rng, here, key, slots)
    return box.get("")


_Slots: TypeAlias = list[tuple[Any, Any]]


def _replace(rng: random.Random, here: Any, key: Any, _: _Slots) -> None:  # noqa: ANN401 - JSON, here and below
    here[key] = value(rng)


def _delete(_rng: random.Random, here: Any, key: Any, _: _Slots) -> None:  # noqa: ANN401
    del here[key]


def _copy(rng: random.Random, here: Any, key: Any, slots: _Slots) -> None:  # noqa: ANN401
    other, at = rng.choice(slots)
    here[key] = copy.deepcopy(other[at])


def _wrap(rng: random.Random, here: Any, key: Any, _: _Slots) -> None:  # noqa: ANN401
    old = here[key]
    here[key] = rng.choice(([old], {"a": old}, str(old), [old, old]))


def _rename(rng: random.Random, here: Any, key: Any, slots: _Slots) -> None:  # noqa: ANN401
    if isinstance(here, dict) and key:
        here[rng.choice((key.upper(), f"{key}s", text(rng), "name"))] = here.pop(key)
    else:
        _copy(rng, here, key, slots)


def _adjust(rng: random.Random, here: Any, key: Any, _: _Slots) -> None:  # noqa: ANN401
    """Change a text, a number, an object or a list a little."""
    match here[key]:
        case str(old):
            at = rng.randrange(len(old) + 1)
            here[key] = old[:at] + text(rng) + old[at + rng.randrange(3) :]
        case int(old) | float(old):
            here[key] = rng.choice((old + 1, old - 1, -old, str(old)))
        case dict(old):
            old[text(rng)] = value(rng)
        case list(old):
            here[key] = old * rng.choice((2, 3, 50)) if len(old) < 20 else old[::-1]
        case _:
            here[key] = rng.choice((0, "", [], {}))


_CHANGES: Final = (
    _replace,
    _replace,
    _replace,
    _delete,
    _delete,
    _copy,
    _wrap,
    _rename,
    _adjust,
    _adjust,
    _adjust,
    _adjust,
)


def from_schema(rng: random.Random, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - JSON
    """Return a value that fits a JSON Schema, or almost: one beside each of its bounds, patterns and lists."""
    several = schema.get("anyOf") or schema.get("oneOf")
    given = schema.get("enum") or schema.get("examples")
    if rng.random() < 0.1:
        return value(rng)
    if several:
        return from_schema(rng, rng.choice(several))
    if given and rng.random() < 0.8:
        return copy.deepcopy(rng.choice(given))
    match schema.get("type"):
        case "object":
            inner, more = schema.get("properties") or {}, schema.get("additionalProperties")
            kept = [name for name in inner if name in schema.get("required", ()) or rng.random() < 0.4]
            others = range(rng.randrange(4)) if isinstance(more, dict) else ()
            found = {name: from_schema(rng, inner[name]) for name in kept}
            return found | {text(rng): from_schema(rng, more or {}) for _ in others}
        case "array":
            item = schema.get("items") or {}
            return [from_schema(rng, item) for _ in range(rng.choice((0, 1, 1, 2, 3, 12)))]
        case "integer" | "number":
            ends = [
                schema[name] for name in ("minimum", "maximum", "default") if schema.get(name) is not None
            ]
            return rng.choice([*ends, *(end + step for end in ends for step in (-1, 1)), *NUMBERS[:8]])
        case "boolean" | "null" as kind:
            return rng.choice((True, False)) if kind == "boolean" else None
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


def data(rng: random.Random, whole: bytes, *, times: int) -> bytes:
    """Return changed bytes."""
    for _ in range(times):
        at, length = rng.randrange(len(whole) + 1), rng.choice((1, 1, 2, 8, 40))
        head, middle, tail = whole[:at], whole[at : at + length], whole[at + length :]
        whole = rng.choice(_EDITS)(rng, head, middle, tail)
    return whole


def _run(rng: random.Random) -> bytes:
    many = rng.choice((100, 3000, 60_000)) if rng.random() < 0.3 else 20
    return rng.choice((b"[", b"{", b'{"a":', b"- ", b" ", b"9", b"a", b"\n", b"\\")) * many


_EDITS: Final[tuple[Callable[[random.Random, bytes, bytes, bytes], bytes], ...]] = (
    lambda rng, head, middle, tail: head + rng.choice(_BYTES) + middle + tail,
    lambda rng, head, middle, tail: head + rng.choice(_BYTES) + middle + tail,
    lambda rng, head, _, tail: head + rng.choice(_BYTES) + tail,
    lambda _rng, head, _, tail: head + tail,
    lambda rng, head, middle, tail: head + middle * rng.choice((2, 3, 30)) + tail,
    lambda rng, head, middle, tail: head + bytes(it ^ 1 << rng.randrange(8) for it in middle) + tail,
    lambda rng, head, middle, tail: head if rng.random() < 0.7 else middle + tail,
    lambda rng, head, middle, tail: head + _run(rng) + middle + tail,
    lambda rng, head, middle, tail: _lines(rng, head + middle + tail),
    lambda rng, head, middle, tail: _lines(rng, head + middle + tail),
    lambda rng, head, middle, tail: _lines(rng, head + middle + tail),
    lambda rng, head, middle, tail: head + text(rng).encode("utf-8", "surrogatepass") + middle + tail,
    lambda rng, head, middle, tail: head + middle + tail + rng.choice(_BYTES),
    lambda rng, head, middle, tail: (
        rng.choice(_ENCODINGS)(head + middle + tail) if rng.random() < 0.3 else head + tail
    ),
)
_ENCODINGS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda it: codecs.BOM_UTF16_LE + it.decode("utf-8", "replace").encode("utf-16-le", "replace"),
    lambda it: gzip.compress(it, mtime=0),
    lambda it: it.replace(b"\n", b"\r\n"),
    lambda it: it.replace(b"\n", b"\r"),
    lambda it: codecs.BOM_UTF8 + it,
)


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
