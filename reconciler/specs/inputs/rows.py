"""The rows and the template that one document declares, and the problems with them. Nothing is rendered here."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from reconciler import file_access
from reconciler.errors import Problem
from reconciler.model import Input, InputFile, TableRows, digests
from reconciler.model.inputs import RowsKind
from reconciler.rows.read import header_of
from reconciler.rows.row import KINDS, RowsError
from reconciler.rows.template import ID, Template, TemplateError, compiled
from reconciler.specs.inputs.job_inputs import Inputs, requirements_of
from reconciler.specs.inputs.reader import pointer_in
from reconciler.specs.yaml.tree import Document, Path, dotted
from reconciler.text.suggest import did_you_mean, either, some

INCLUDE: Final = "$file"
PROMPT: Final = "{prompt}"
"""In the path of an included file: the field `prompt`."""
MAX_INCLUDED: Final = 10_000_000
"""Bytes of an included file."""
_FIELDS: Final = ("custom_id", "body", "columns")
_BRACES: Final = "write `{{column}}`, or `{{{{` for two braces that are meant"


def rows_of(
    document: Document, inputs: Inputs, file: str | None = None, prompt: str | None = None
) -> tuple[list[Input], list[Problem]]:
    """Return the rows of a document as its input, none if it has no rows or mistakes, and the problems.

    `file` is the table of a job of `for_each`, relative to the root.
    """
    value = document.value
    if "rows" not in value and "body" not in value:
        return [], [_alone(document, name) for name in _FIELDS if name in value]
    problems = [
        document.problem((), f"`{name}` is missing", "rows need `custom_id` and `body`")
        for name in ("custom_id", "body")
        if name not in value
    ]
    if "rows" not in value and "for_each" not in value:
        problems.append(_alone(document, "body"))
    if problems or not isinstance(value["body"], dict) or not isinstance(value["custom_id"], str):
        return [], problems
    given = value.get("prompt")
    reader = _Reader(document, inputs, prompt or (given if isinstance(given, str) else ""))
    found = reader.read(file)
    return found, reader.problems


def _alone(document: Document, name: str) -> Problem:
    hint = "name a table in `rows`, or remove the field"
    return document.problem((name,), f"{name}: only a spec with `rows` has it", hint, at_key=True)


class _Reader:
    def __init__(self, document: Document, inputs: Inputs, prompt: str) -> None:
        self._prompt = prompt
        self.problems: list[Problem] = []
        self._includes: dict[Path, str] = {}
        self._elsewhere: dict[str, InputFile] = {}
        """The files of tables that are not in the checkout, by their URIs."""
        self._document = document
        self._inputs = inputs

    def read(self, file: str | None) -> list[Input]:
        """Return the rows if they have no mistakes."""
        value = self._document.value
        body = self._included(value["body"], ("body",))
        template = self._template(value["custom_id"], body)
        demands = requirements_of(self._document).violations(0, body)
        for finding in demands:
            message = f"body: {finding.kind.message}{finding.more}"
            self._problem(("body",), message, finding.kind.hint)
        views = self._views(file)
        columns = self._document.at(("columns",))
        kind, sql = self._kind(views), self._document.at(("rows", "sql"))
        if self.problems or template is None or kind is None:
            return []
        named = sorted({it for each in views.values() for it in each})
        files = tuple(self._elsewhere.get(path) or self._file(path) for path in named)
        try:
            digests.canonical(body)
        except ValueError as error:
            self._problem(("body",), f"body: {error}", "put it in quotes if it is an id")
        if self.problems:
            return []
        found = TableRows(
            kind=kind,
            files=files,
            sql=sql if kind == "sql" else "",
            views={name: tuple(paths) for name, paths in views.items()} if kind == "sql" else {},
            columns=columns if isinstance(columns, dict) else {},
            includes=tuple(sorted(set(self._includes.values()))),
            custom_id=value["custom_id"],
            body=msgspec.json.encode(body),
        )
        self._require_columns(found, template)
        return [] if self.problems else [found]

    def _problem(self, path: Path, message: str, hint: str) -> None:
        self.problems.append(self._document.problem(path, message, hint))

    def _at(self, steps: Path, message: str, hint: str) -> None:
        """Add a problem with a text of the template, and name the included file that the text is from."""
        where: Path = ("body", *steps) if steps else (ID,)
        file = next((f" in {name}" for at, name in self._includes.items() if where[: len(at)] == at), "")
        self._problem(where, f"{dotted(where)}{file}: {message}", hint)

    def _included(self, value: Any, steps: Path) -> Any:  # noqa: ANN401 - any JSON
        """Return a value with the contents of the files that it includes."""
        if isinstance(value, dict) and value.keys() == {INCLUDE}:
            return self._contents(value[INCLUDE], (*steps, INCLUDE))
        if isinstance(value, dict):
            return {key: self._included(inner, (*steps, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._included(inner, (*steps, at)) for at, inner in enumerate(value)]
        return value

    def _contents(self, name: Any, steps: Path) -> Any:  # noqa: ANN401 - any JSON
        """Return the text of an included file, or what a `.json` file holds."""
        if not isinstance(name, str):
            self._problem(steps, f"{dotted(steps)}: not a path", "write the path of a file beside this one")
            return ""
        name = name.replace(PROMPT, self._prompt)
        paths = self._named(steps, name)
        if len(paths) != 1:
            if not self.problems:
                self._problem(steps, f"`{name}`: {len(paths)} files", "name one file")
            return ""
        self._includes[steps[:-1]] = paths[0]
        try:
            content = file_access.read(self._inputs.root / paths[0], MAX_INCLUDED)
            if paths[0].endswith(".json"):
                return msgspec.json.decode(content)
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
            what = {UnicodeDecodeError: "not UTF-8", msgspec.DecodeError: "not valid JSON"}
            words = what.get(type(error)) or getattr(error, "strerror", None) or "too large"
            self._problem(steps, f"`{name}`: {words}", "correct the file, or name another")
            return ""
        return text.removesuffix("\n")

    def _named(self, where: Path, entry: str | None = None) -> list[str]:
        """Return the files that a value names, or that `entry` names in its place."""
        named, problems = dict[str, bool](), list[Problem]()
        if entry or not isinstance(self._document.at(where), dict):
            named, problems = self._inputs.paths_named(self._document, where, entry)
        elsewhere, wrong = self._inputs.elsewhere(self._document, where) if where[0] == "rows" else ([], [])
        self.problems += problems + wrong
        uploaded = next((name for name, is_id in named.items() if is_id), None)
        if uploaded:
            self._problem(where, f"`{uploaded}`: the id of an uploaded file", "name a file of this checkout")
        self._take(where, named)
        self._elsewhere |= {it.uri: it for it in elsewhere}
        return sorted([*named, *(it.uri for it in elsewhere)])

    def _take(self, where: Path, named: Collection[str]) -> None:
        """Note files of the checkout as used. Hidden ones are refused: `.git/config` and `.env` hold secrets."""
        for name in named:
            if re.search(r"(^|/)\.", name):
                message = f"`{name}`: a hidden file, which may hold secrets"
                self._problem(where, message, "requests leave this machine: name another file")
        self._inputs.named.update(named)

    def _template(self, custom_id: str, body: Mapping[str, Any]) -> Template | None:
        try:
            found = compiled(custom_id, body)
        except TemplateError as error:
            self._at(error.steps, str(error), _BRACES)
            return None
        if not compiled(custom_id, {}).columns:
            message = "custom_id: no column, so all requests would have the same id"
            self._problem((ID,), message, "write the column that identifies a row: `{{id}}`")
        return found

    def _views(self, file: str | None) -> Mapping[str, Sequence[str]]:
        """Return the files of each table of the rows, by the names that a query has for them."""
        if file is not None:
            self._take(("for_each", "files"), [file])
            return {"files": [file]}
        rows = self._document.value.get("rows")
        if not isinstance(rows, dict) or "files" not in rows:
            return {"files": self._named(("rows",))}
        if isinstance(rows.get("files"), dict):
            if "sql" not in rows:
                self._problem(
                    ("rows", "files"), "rows.files: named tables need `sql`", "write a list of files"
                )
            return {name: self._named(("rows", "files", name)) for name in rows["files"]}
        return {"files": self._named(("rows", "files"))}

    def _kind(self, views: Mapping[str, Sequence[str]]) -> RowsKind | None:
        """Return the kind of the rows, None if there is a mistake."""
        rows = self._document.value.get("rows")
        typed = bool(self._document.at(("columns",)))
        found: RowsKind | None = None
        if isinstance(rows, dict) and "files" in rows and "sql" not in rows:
            found = "files"
            if self._elsewhere:
                self._problem(
                    ("rows", "files"), "rows.files: a file at a URI is no row", "name files of this checkout"
                )
        else:
            found = "sql" if isinstance(rows, dict) and "sql" in rows else None
            for name, paths in views.items():
                kinds = {KINDS.get(f".{path.rpartition('.')[2].lower()}") for path in paths}
                where: Path = ("rows",) if "rows" in self._document.value else ("for_each", "files")
                if None in kinds or len(kinds) > 1:
                    wanted = f"each table is of one kind: {either(list(KINDS))}"
                    self._problem(
                        where, f"{dotted(where)}: `{name}` has files that are not one table", wanted
                    )
                    return None
                found = found or next(iter(kinds), None)
        if typed and found != "csv":
            self._problem(("columns",), "columns: only CSV has columns without types", "remove the field")
        return found

    def _require_columns(self, source: TableRows, template: Template) -> None:
        """Add a problem for each placeholder without a column, as far as the columns are known without a query."""
        try:
            known = tuple(header_of(source, self._inputs.root))
        except (RowsError, OSError):  # rendering reports it
            return
        for slot in template.slots if known else ():
            if slot.column not in known:
                hint = did_you_mean(slot.column, known, f"its columns: {some(known)}")
                self._at(slot.steps, f"the table has no column `{slot.column}`", hint)

    def _file(self, path: str) -> InputFile:
        try:
            with file_access.open_to_read(self._inputs.root / path, buffering=0) as stream:
                pointed = pointer_in(stream, os.fstat(stream.fileno()).st_size)
                if pointed:
                    return InputFile(path=path, sha256=pointed[0], size=pointed[1], pointer=True)
                digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # has readinto
                return InputFile(path=path, sha256=digest, size=stream.tell())
        except OSError as error:
            self.problems.append(
                Problem(
                    path=path, message=f"the file cannot be read: {error.strerror}", hint="make it readable"
                )
            )
            return InputFile(path=path, sha256="", size=0)
