"""What files of specs said that have not changed since: a cache beside the ledger, and never the truth.

A file's content, and that of the `_defaults.yaml` around it, decide what it declares; so that is what a spec is
remembered under, with the tool's own version and the limits it was checked against. Only what the content alone
decides is remembered: one plain job, in which nothing was worth a word. Families, periods and adopted jobs are read
each time, and so is whatever input files hold. Whatever is wrong with the cache, it is no cache; deleting it costs a
reading.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import yaml
from msgspec import structs

import reconciler
from reconciler import digests, model
from reconciler.model import InputFile, JobSpec, Position
from reconciler.settings import Limits
from reconciler.specs.project import make_own
from reconciler.specs.source import Source
from reconciler.specs.yaml_tree import Document, Fields

VERSION: Final = 1
NAME: Final = "specs.cache"
WORTH: Final = 50
"""So many specs are read as quickly as they are looked up."""
_VARYING: Final = frozenset({"for_each", "matrix", "adopt"})
"""Fields by which more than the content decides what a document declares."""


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A plain job, as its file declares it."""

    spec: JobSpec
    """Without what stands in local files."""
    files: tuple[str, ...]
    """`input_files` as written, where any of them is a path."""
    name_line: int

    def at(self, path: str) -> JobSpec:
        """Return the spec as the file at `path` declares it."""
        if self.spec.declared_at.path == path:
            return self.spec
        return structs.replace(self.spec, declared_at=Position(path=path, line=self.spec.declared_at.line))

    def document(self, path: str) -> Document:
        """Return as much of the document as says which files it names and what it asks of them."""
        value = {"input_files": list(self.files), "endpoint": self.spec.endpoint, "model": self.spec.model}
        value |= {"agent_id": self.spec.agent_id} if self.spec.agent_id else {}
        return Document(Source(path, ""), _NOWHERE, value, (), incomplete=False)


_NOWHERE: Final = Fields(yaml.DocumentStartEvent())


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    ground: bytes
    entries: dict[bytes, Remembered]


_DECODER: Final = msgspec.msgpack.Decoder(_Stored)


class SpecCache:
    """Remembers specs between runs.

    Args:
        folder: where it lies; None for no cache.
        limits: what the specs are checked against.
    """

    def __init__(self, folder: Path | None, limits: Limits) -> None:
        self._path = folder / NAME if folder else None
        self._ground = _ground(limits)
        self._known = _load(self._path, self._ground) if self._path else {}
        self._seen: dict[bytes, Remembered] = {}
        """Of this run."""
        self._new = False

    def key(self, data: bytes, around: bytes) -> bytes:
        """Return what a file is remembered under: its content, and whatever defaults lie around it."""
        if self._path is None:
            return b""
        found = hashlib.sha256(data)
        if around:  # a spec is text, and so never what follows here
            found.update(b"\xff" + around)
        return found.digest()

    def get(self, key: bytes) -> Remembered | None:
        """Return what a content declares, None where it has to be read."""
        found = self._known.get(key)
        if found is not None:
            self._seen[key] = found
        return found

    def put(self, key: bytes, document: Document, specs: Sequence[JobSpec], *, name_line: int) -> None:
        """Remember the only document of a file, in which nothing was worth a word, where it is plain."""
        value = document.value
        if not key or len(specs) != 1 or not _VARYING.isdisjoint(value) or type(value.get("rerun")) is dict:
            return
        spec, files = specs[0], ()
        if InputFile in map(type, spec.inputs):
            spec, files = structs.replace(spec, inputs=()), tuple(value["input_files"])
        self._seen[key] = Remembered(spec, files, name_line)
        self._new = True

    def save(self) -> None:
        """Write what this run has seen, where something is new. That it cannot be written is nobody's concern."""
        if self._path is None or not self._new or len(self._seen) < WORTH:
            return
        data = msgspec.msgpack.encode(_Stored(self._ground, self._seen))
        own = self._path.with_name(f".{NAME}.{os.getpid()}")
        with suppress(OSError):
            make_own(self._path.parent)
            own.write_bytes(hashlib.sha256(data).digest() + data)
            own.replace(self._path)
        with suppress(OSError):
            own.unlink(missing_ok=True)


def _ground(limits: Limits) -> bytes:
    """Digest what decides beside a content: the limits, and the tool as it is installed, edited or not."""
    words = [str(VERSION), reconciler.__version__, repr(limits)]
    folders = {os.path.dirname(file) for file in (__file__, model.__file__, digests.__file__)}  # noqa: PTH120 - as above
    with suppress(OSError):  # in an archive the version says enough: nobody edits it there
        for folder in sorted(folders):
            found = ((it.name, it.stat()) for it in os.scandir(folder) if it.name.endswith(".py"))
            words += sorted(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in found)
    return hashlib.sha256("\n".join(words).encode()).digest()


def _load(path: Path, ground: bytes) -> dict[bytes, Remembered]:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            return {}
        stored = _DECODER.decode(data[32:])
    except (OSError, msgspec.MsgspecError, ValueError):
        return {}
    return stored.entries if stored.ground == ground else {}
