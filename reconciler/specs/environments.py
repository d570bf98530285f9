"""Environments of one settings file: each is a project of its own, and sets fields of the specs that its globs name.

Pure: `choose` makes the settings of one environment of what was read; `Overlay` changes a spec that was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace

from reconciler.errors import Problem
from reconciler.settings import ApplyFrom, Guards, Settings
from reconciler.specs.schema.project_files import SettingsFile
from reconciler.specs.yaml.tree import Document, Fields, Path
from reconciler.text.suggest import did_you_mean, some

_MERGED: Final[dict[str, type[Struct]]] = {"guards": Guards, "apply": ApplyFrom}
"""The groups of settings of which an environment may set single fields."""


class Overlay(Struct, frozen=True):
    """What the chosen environment of a settings file sets in specs."""

    document: Document
    environment: str
    """"" if the file has no environments."""

    @property
    def _set(self) -> Path:
        return ("environments", self.environment, "set")

    @property
    def _globs(self) -> list[str]:
        return list(self.document.at(self._set) or ())

    def apply(self, spec: Document) -> tuple[Document, list[Problem]]:
        """Return a spec with the fields that the environment sets, and a problem for each that two globs set."""
        globs = self._globs if self.environment else ()
        matching = [glob for glob in globs if fnmatchcase(name_of(spec), glob)]
        found = [(glob, self.document.find((*self._set, glob))) for glob in matching]
        if not found or not isinstance(spec.node, Fields):
            return spec, []
        value, parts, sources = {**spec.value}, {**spec.node.parts}, {**spec.sources}
        set_by: dict[str, str] = {}
        problems = []
        for glob, fields in found:
            for name, part in fields.parts.items() if isinstance(fields, Fields) else ():
                if name in set_by:
                    message = f"{name}: `{set_by[name]}` sets it too, and both match `{name_of(spec)}`"
                    where, hint = (*self._set, glob, name), "let one glob set it for each spec"
                    problems.append(self.document.problem(where, message, hint, at_key=True))
                set_by[name] = glob
                value[name], parts[name] = self.document.at((*self._set, glob, name)), part
                sources = {path: source for path, source in sources.items() if path[0] != name}
                sources[name,] = self.document.source
        node = Fields(spec.node.event, value, parts)
        return replace(spec, node=node, value=value, sources=sources), problems

    def unused(self, names: Collection[str]) -> Iterator[Problem]:
        """Yield a problem for each glob that matches none of the names that the specs have."""
        for glob in self._globs:
            if not any(fnmatchcase(name, glob) for name in names):
                hint = did_you_mean(glob, sorted(names), "a glob matches names as the specs write them")
                yield self.document.problem((*self._set, glob), f"{glob}: matches no spec", hint, at_key=True)


def name_of(spec: Document) -> str:
    """Return the name in a spec as written, "" if there is none."""
    name = spec.value.get("name") if isinstance(spec.value, dict) else None
    return name if isinstance(name, str) else ""


def choose(file: SettingsFile, document: Document, name: str) -> tuple[Settings, Overlay]:
    """Return the settings of the environment `name`, "" if none was chosen, and what it sets in specs.

    Raises `SpecError` if the file does not have the environment, has environments and none was chosen, or has two with
    the same project.
    """
    settings, overlay = asdict(file), Overlay(document, name)
    environments = settings.pop("environments")
    if environments is UNSET:
        if name:
            hint = "write `environments` in place of `project`, or remove --env and unset RECONCILER_ENV"
            raise document.error((), f"no environment {name}: the file has no environments", hint)
        return Settings(**settings), overlay
    taken: dict[str, str] = {}
    for other, its in environments.items():
        if its.project in taken:
            message = f"project: the environment {taken[its.project]} has the same one"
            hint = "give each environment its own project"
            raise document.error(("environments", other, "project"), message, hint)
        taken[its.project] = other
    if name not in environments:
        known = some(list(environments))
        message = f"no environment {name} here: there are {known}" if name else f"none of {known} is chosen"
        hint = did_you_mean(name, list(environments), "pass --env NAME, or set RECONCILER_ENV")
        raise document.error(("environments",), f"environments: {message}", hint, at_key=True)
    settings["project"] = environments[name].project
    for group, model in _MERGED.items():
        written = (document.at((group,)), document.at(("environments", name, group)))
        merged = {field: value for part in written for field, value in (part or {}).items()}
        settings[group] = msgspec.convert(merged, model)
    return Settings(**settings), overlay
