"""The inputs of a job: local files, uploads, requests in the spec itself, and the rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from reconciler.model import digests
from reconciler.model.money import Workload


class UploadedFile(Struct, frozen=True, kw_only=True, gc=False, tag="uploaded"):
    """A file that is already in the workspace, given by its id."""

    id: str

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"file:{self.id}"


class InlineRequests(Struct, frozen=True, kw_only=True, gc=False, tag="inline"):
    """Requests in the spec itself."""

    body: bytes
    """The list of requests as canonical JSON."""
    written: bytes = b""
    """The same with its keys in the order of the spec: models answer in the order of a schema's properties."""
    count: int

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return f"requests:{digests.sha256(self.body)}"

    @property
    def lines(self) -> bytes:
        """The requests as the content of an input file."""
        requests = msgspec.json.decode(self.written or self.body, type=list[msgspec.Raw])
        return b"".join(b"%b\n" % line for line in requests)


RowsKind: TypeAlias = Literal["csv", "jsonl", "parquet", "files", "sql"]


class TableRows(Struct, frozen=True, kw_only=True, dict=True, tag="rows"):
    """The rows of a table with a template: one request for each row, rendered if there is something to submit."""

    kind: RowsKind
    files: tuple[InputFile, ...]
    """Sorted by path."""
    sql: str = ""
    """The query, if the rows are its result."""
    views: Mapping[str, tuple[str, ...]] = {}
    """The tables of the query: the paths of each."""
    columns: Mapping[str, str] = {}
    """The types of CSV columns that are not text."""
    includes: tuple[str, ...] = ()
    """The paths of the files that the template includes. For readers: their contents are in `body`."""
    custom_id: str
    body: bytes
    """The template of the body as JSON, with the contents of included files.

    Its keys are in the order of the spec: models answer in the order of a schema's properties.
    """

    @property
    def absent(self) -> str | None:
        """The first of its files whose content is not here."""
        return next((file.path for file in self.files if file.pointer), None)

    @cached_property
    def identity(self) -> str:
        """What the work digest sees of it: what is read, and what is made of it, but nothing that is rendered."""
        sha256 = {file.path: file.sha256 for file in self.files}
        read: dict[str, Any] = {"files": sorted(sha256.values())}
        if self.kind == "files":
            read = {"files": sorted([path, digest] for path, digest in sha256.items())}
        if self.kind == "sql":
            read = {
                "sql": self.sql,
                "tables": {
                    name: sorted(map(sha256.__getitem__, paths)) for name, paths in self.views.items()
                },
            }
        read |= {"kind": self.kind, "columns": self.columns, "custom_id": self.custom_id}
        body = digests.sha256(digests.canonical(msgspec.json.decode(self.body)))
        return f"rows:{digests.sha256(digests.canonical(read | {'body': body}))}"


class InputFile(Struct, frozen=True, kw_only=True, gc=False, tag="file"):
    """A JSONL file that was read and checked, or a file of a table."""

    path: str
    """Relative to the project root, with forward slashes; for readers, never part of the identity."""
    sha256: str
    size: int
    """Bytes; 0 if they are not known, before the content at `uri` is here."""
    requests: int | None = None
    """None if this clone has only a pointer to the content, and of a table."""
    pointer: bool = False
    """True if the content is not here: the file is a Git LFS pointer to it, or it is at `uri`."""
    uri: str = ""
    """The URI of a content that is not in the checkout; then `path` is its copy on this machine, or the URI too."""
    manifest: str = ""
    """The file of the checkout that names the URI; "" if the spec does."""
    content: bytes | None = None
    """The content, if it is not in a file: inline requests that are uploaded."""
    workload: Workload | None = None
    """What its requests may use; None if they were not read."""
    rows: TableRows | None = None
    """The rows and the template that it was rendered from; None for a file of the checkout."""

    @property
    def elsewhere(self) -> bool:
        """Whether the content is at a URI, and not known to be on this machine."""
        return self.pointer and bool(self.uri)

    @property
    def identity(self) -> str:
        """What the work digest sees of it."""
        return self.rows.identity if self.rows else f"sha256:{self.sha256}"

    @property
    def label(self) -> str:
        """What readers know it by: its path, or the files of its rows."""
        files = self.rows.files[:3] if self.rows else (self,)
        return ", ".join(file.uri or file.path for file in files)


Input: TypeAlias = InputFile | UploadedFile | InlineRequests | TableRows


def upload_of(part: Input, path: str) -> InputFile | None:
    """Return what a create uploads for an input: a file, or the requests in the spec at `path`.

    Those could be sent in the create itself. But the API does not show them again, so that no other host would know
    what the job was asked; and its gateway refuses a create of more than some hundred.
    """
    if isinstance(part, InlineRequests):
        content = part.lines
        sha256 = digests.sha256(content)
        return InputFile(path=path, sha256=sha256, size=len(content), requests=part.count, content=content)
    return part if isinstance(part, InputFile) else None


def request_count(part: Input) -> int | None:
    """Return how many requests an input has, None if its content was not read here, or not rendered."""
    match part:
        case InputFile():
            return part.requests
        case InlineRequests():
            return part.count
        case UploadedFile() | TableRows():
            return None


def paths_of(part: Input) -> tuple[str, ...]:
    """Return the files of the checkout that an input is made of."""
    rows = part.rows if isinstance(part, InputFile) else part
    files: tuple[InputFile, ...] = (part,) if isinstance(part, InputFile) else ()
    more: tuple[str, ...] = ()
    if isinstance(rows, TableRows):
        files, more = rows.files, rows.includes
    return (*filter(None, (it.manifest if it.uri else it.path for it in files)), *more)


def elsewhere(inputs: Iterable[Input]) -> list[InputFile]:
    """Return the files whose content is at a URI, and not known to be on this machine."""
    files = (it for part in inputs for it in (part.files if isinstance(part, TableRows) else (part,)))
    return [it for it in files if isinstance(it, InputFile) and it.elsewhere]
