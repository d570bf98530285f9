"""Environments of a settings file: what one sets in specs, and every mistake with its position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.model import JobSpec
from reconciler.specs.load import load
from reconciler.specs.project import environment_names, load_project
from reconciler.specs.yaml.source import QUOTE_ALL
from tests.specs.make import LINE, NOW, spec

FILES = {
    "specs/nightly-a.yaml": spec(name="nightly-a"),
    "specs/nightly-b.yaml": spec(name="nightly-b", timeout_hours="12", metadata="{team: search}"),
    "specs/files.yaml": "name: files-{stem}\nendpoint: /v1/embeddings\nfor_each: {files: [in/*.jsonl]}\n",
    "specs/_defaults.yaml": "model: mistral-embed\nretry: {max_attempts: 3}\n",
    "specs/data.jsonl": LINE,
    "specs/few.jsonl": LINE.replace("x", "few"),
    "specs/in/one.jsonl": LINE.replace("x", "one"),
}


def place(root: Path, settings: str) -> Path:
    for path, text in {**FILES, "reconciler.yaml": settings}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def declared(root: Path, sets: str, environment: str = "dev") -> dict[str, JobSpec]:
    """The specs by name, with the lines of `set` of an environment."""
    text = "environments:\n  dev:\n    project: shop-dev\n    set:\n"
    text += "".join(f"      {line}\n" for line in sets.splitlines()) + "  prod: {project: shop}\n"
    project = load_project(None, environment=environment, start=place(root, text))
    return {it.name: it for it in load(project, now=NOW).specs}


def refused(root: Path, sets: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        declared(root, sets)
    wrong = (it for it in caught.value.problems if not it.warning)
    return [f"{it.path}:{it.line}:{it.column}: {it.message} | {it.hint}" for it in wrong]


SETS: dict[str, tuple[str, Callable[[dict[str, JobSpec]], object], object]] = {
    "a field that the spec has": (
        "nightly-b: {timeout_hours: 2}",
        lambda it: [it[name].timeout_hours for name in ("nightly-a", "nightly-b", "files-one")],
        [24, 2, 24],
    ),
    "a field that the spec does not have": (
        '"nightly-*": {suspend: true}',
        lambda it: [it[name].suspend for name in ("nightly-a", "nightly-b", "files-one")],
        [True, True, False],
    ),
    "a field that the defaults have": (
        '"*": {model: mistral-embed-2312}',
        lambda it: {spec.model for spec in it.values()},
        {"mistral-embed-2312"},
    ),
    "the name of a family as it is written": (
        '"files-{*}": {timeout_hours: 3}',
        lambda it: it["files-one"].timeout_hours,
        3,
    ),
    "several globs with other fields": (
        '"*": {timeout_hours: 5}\n"nightly-?": {checks: {failed: 0.5}}',
        lambda it: [(it[name].timeout_hours, it[name].checks.failed) for name in ("nightly-a", "files-one")],
        [(5, 0.5), (5, 0.0)],
    ),
    "a mapping is replaced as a whole": (
        "nightly-b: {metadata: {stage: dev}, retry: {on: [FAILED]}}",
        lambda it: (dict(it["nightly-b"].metadata), it["nightly-b"].retry.max_attempts),
        ({"stage": "dev"}, 2),
    ),
    "paths are relative to the spec": (
        '"nightly-*": {input_files: [few.jsonl]}',
        lambda it: [part.path for part in it["nightly-a"].inputs if hasattr(part, "path")],
        ["specs/few.jsonl"],
    ),
    "nothing": ("{}", sorted, ["files-one", "nightly-a", "nightly-b"]),
}


@pytest.mark.parametrize(("sets", "read", "wanted"), SETS.values(), ids=SETS.keys())
def test_an_environment_sets(
    tmp_path: Path, sets: str, read: Callable[[dict[str, JobSpec]], object], wanted: object
) -> None:
    assert read(declared(tmp_path, sets)) == wanted


def test_what_one_environment_sets_changes_no_other(tmp_path: Path) -> None:
    plain = declared(tmp_path, '"*": {model: mistral-embed-2312, timeout_hours: 2}', "prod")
    assert {it.model for it in plain.values()} == {"mistral-embed"}
    assert plain["nightly-b"].timeout_hours == 12


def test_the_work_of_an_environment_with_another_model_is_other_work(tmp_path: Path) -> None:
    sets = "nightly-a: {model: mistral-embed-2312}"
    dev, prod = declared(tmp_path, sets), declared(tmp_path, sets, "prod")
    assert dev["nightly-a"].run_key != prod["nightly-a"].run_key
    assert dev["nightly-b"].run_key == prod["nightly-b"].run_key
    changed = dev["nightly-a"].defaults["model"]
    assert str(changed) == "reconciler.yaml:5"


REFUSED = {
    "a glob that matches no spec": (
        '"nigthly-a": {suspend: true}',
        ["reconciler.yaml:5:7: nigthly-a: matches no spec | did you mean `nightly-a`?"],
    ),
    "two globs that set one field": (
        '"nightly-*": {suspend: true}\n"*-a": {suspend: true}',
        ["reconciler.yaml:6:15: suspend: `nightly-*` sets it too, and both match `nightly-a` | let one"],
    ),
    "a name": ('"*": {name: other}', ["reconciler.yaml:5:13: environments.dev.set.*.name: unknown field"]),
    "an unknown field": (
        '"*": {modle: a}',
        ["reconciler.yaml:5:13: environments.dev.set.*.modle: unknown field | did you mean `model`?"],
    ),
    "a wrong value": (
        '"*": {timeout_hours: 200}',
        ["reconciler.yaml:5:28: environments.dev.set.*.timeout_hours: must be 1 to 168"],
    ),
    "a value for a glob": (
        '"*": mistral-embed',
        ["reconciler.yaml:5:12: environments.dev.set.*: must be a mapping, not text"],
    ),
    "what the spec has in another form": (
        "nightly-a: {requests: [{custom_id: a, body: {input: x}}]}",
        ["reconciler.yaml:5:19: requests: cannot be combined with `input_files`"],
    ),
    "a file that is not there": (
        "nightly-a: {input_files: [gone.jsonl]}",
        ["reconciler.yaml:5:33: `gone.jsonl`: no such file"],
    ),
}


@pytest.mark.parametrize(("sets", "wanted"), REFUSED.values(), ids=REFUSED.keys())
def test_an_environment_that_sets_something_wrong_is_refused(
    tmp_path: Path, sets: str, wanted: list[str]
) -> None:
    found = refused(tmp_path, sets)
    assert len(found) == len(wanted), found
    for said, start in zip(found, wanted, strict=True):
        assert said.startswith(start), said


def test_a_prompt_in_the_settings_file_is_not_shown(tmp_path: Path) -> None:
    for fields in ("requests: [{custom_id: 7, body: {input: secret}}]", "requests: secret"):
        with pytest.raises(SpecError) as caught:
            declared(tmp_path, f'"*": {{{fields}}}')
        assert caught.value.problems
        assert "secret" not in repr(caught.value.problems)


TWO = "environments:\n  dev: {project: shop-dev}\n  prod: {project: shop}\n"

CHOICES = {
    "none chosen": (TWO, "", ["reconciler.yaml:1:1", "none of dev, prod is chosen", "--env NAME"]),
    "unknown": (TWO, "prd", ["reconciler.yaml:1:1", "no environment prd", "did you mean `prod`?"]),
    "a file without any": ("project: shop\n", "dev", ["reconciler.yaml:1:1", "the file has no environments"]),
    "a project and environments": (
        f"project: shop\n{TWO}",
        "dev",
        ["reconciler.yaml:2:1", "cannot be combined with `project`"],
    ),
    "neither": ("specs: specs\n", "", ["reconciler.yaml:1:1", "`project` or `environments` is missing"]),
    "one project twice": (
        TWO.replace("shop-dev", "shop"),
        "dev",
        ["reconciler.yaml:3:19", "the environment dev has the same one"],
    ),
    "no project": ("environments:\n  dev: {}\n", "dev", ["reconciler.yaml:2:8", "`project` is missing"]),
    "no environment": ("environments: {}\n", "dev", ["reconciler.yaml:1:15", "environments: empty"]),
    "a bad name": (TWO.replace("dev:", "Dev:"), "prod", ["reconciler.yaml:2:3", "not a name of an environ"]),
}


@pytest.mark.parametrize(("settings", "environment", "wanted"), CHOICES.values(), ids=CHOICES.keys())
def test_a_choice_that_is_not_clear_is_refused(
    tmp_path: Path, settings: str, environment: str, wanted: list[str]
) -> None:
    with pytest.raises(SpecError) as caught:
        load_project(None, environment=environment, start=place(tmp_path, settings))
    (problem,) = caught.value.problems
    said = f"{problem.path}:{problem.line}:{problem.column}: {problem.message} | {problem.hint}"
    assert said.startswith(f"{wanted[0]}: ")
    assert all(part in said for part in wanted), said


def test_guards_and_apply_of_an_environment_are_merged_with_those_of_the_file(
    tmp_path: Path,
) -> None:
    text = (
        "guards: {max_new_requests: 100, max_cancels: 3}\nenvironments:\n"
        "  dev: {project: a, guards: {max_new_requests: null, max_lost_answers: 10}, apply: {only_from: []}}\n"
        "  prod: {project: b}\napply: {only_from: [main], clean: true}\n"
    )
    root = place(tmp_path, text)
    dev = load_project(None, environment="dev", start=root).settings
    prod = load_project(None, environment="prod", start=root).settings
    assert (dev.project, prod.project) == ("a", "b")
    assert (dev.guards.max_new_requests, dev.guards.max_cancels, dev.guards.max_lost_answers) == (None, 3, 10)
    assert (prod.guards.max_new_requests, prod.guards.max_cancels) == (100, 3)
    assert (dev.apply.only_from, dev.apply.clean, dev.apply.pushed) == ((), True, False)
    assert (prod.apply.only_from, prod.apply.clean) == (("main",), True)
    assert environment_names(None, start=root, quoting=lambda _: QUOTE_ALL) == ["dev", "prod"]
