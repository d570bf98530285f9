"""The versions that are known to work: each dependency has one, and pyproject.toml allows it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / ".ci/constraints.txt"


def dependencies() -> Iterator[Requirement]:
    """Yield what is needed to build, to run and to develop."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    extras = project["optional-dependencies"]
    lines = [*document["build-system"]["requires"], *project["dependencies"], *extras["dev"]]
    for requirement in map(Requirement, lines):
        if requirement.name == project["name"]:
            yield from (Requirement(line) for extra in requirement.extras for line in extras[extra])
        else:
            yield requirement


def constraints() -> list[Requirement]:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    texts = (line.partition("#")[0].strip() for line in lines)
    return [Requirement(text) for text in texts if text]


def version(name: str) -> str:
    """Return the one version that the constraints allow."""
    (found,) = (it for it in constraints() if canonicalize_name(it.name) == canonicalize_name(name))
    (specifier,) = found.specifier
    assert specifier.operator == "=="
    assert "*" not in specifier.version
    return specifier.version


@pytest.mark.parametrize("dependency", sorted(dependencies(), key=str), ids=str)
def test_each_dependency_has_one_known_version_and_it_is_allowed(dependency: Requirement) -> None:
    assert dependency.specifier.contains(version(dependency.name), prereleases=True)


@pytest.mark.parametrize("name", [it.name for it in constraints()])
def test_each_constraint_names_one_version(name: str) -> None:
    assert version(name)
