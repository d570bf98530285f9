"""What a checkout can make the tool do: bounded, whatever its settings say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import reconciler.specs
from reconciler.errors import SpecError
from reconciler.settings import Limits
from reconciler.specs.budget import MAX_ERRORS, Budget, OverBudgetError, Work
from reconciler.specs.inputs.job_inputs import Inputs
from reconciler.specs.inputs.paths import NoInputError, PathResolver
from reconciler.specs.job import jobs_of_document
from reconciler.specs.load import load
from reconciler.specs.project import load_project
from reconciler.specs.schema.json_schema import schema
from reconciler.specs.yaml.source import MAX_PROBLEMS
from tests.specs.make import LINE, NOW, documents, problems, project, spec

ROOM_ONLY: frozenset[str] = frozenset({"max_workspace_pending", "max_pending"})
"""Limits that hold work back. The work of this machine does not grow with them."""


def limits_of_schema() -> dict[str, dict[str, object]]:
    properties: dict[str, dict[str, object]] = schema("reconciler")["$defs"]["Limits"]["properties"]
    return properties


def test_every_limit_has_a_ceiling() -> None:
    without = {name for name, field in limits_of_schema().items() if "maximum" not in field}
    assert without == ROOM_ONLY


@pytest.mark.parametrize("name", sorted(limits_of_schema().keys() - ROOM_ONLY))
def test_a_limit_above_its_ceiling_is_an_error_that_says_the_ceiling(tmp_path: Path, name: str) -> None:
    most = limits_of_schema()[name]["maximum"]
    assert isinstance(most, int)
    (tmp_path / "reconciler.yaml").write_text(f"project: a\nlimits:\n  {name}: {most + 1}\n")
    with pytest.raises(SpecError) as refused:
        load_project(None, start=tmp_path)
    (problem,) = refused.value.problems
    assert problem.where == f"reconciler.yaml:3:{len(name) + 5}"
    assert re.fullmatch(rf"limits\.{name}: must be .*(to|at most) {most:,}", problem.message)
    (tmp_path / "reconciler.yaml").write_text(f"project: a\nlimits:\n  {name}: {most}\n")
    assert getattr(load_project(None, start=tmp_path).settings.limits, name) == most


def test_the_number_of_jobs_is_computed_before_they_are_built(tmp_path: Path) -> None:
    """4 x 10^12 jobs: building them would take all memory."""
    many = ", ".join(f"r{at}" for at in range(5000))
    hours = ", ".join(str(at) for at in range(1, 169))
    models = ", ".join(f"m{at}" for at in range(5000))
    text = spec(name="a-{rerun}-{timeout_hours}-{model}", model=None, input_files="[data.jsonl]")
    text += f"matrix:\n  rerun: [{many}]\n  timeout_hours: [{hours}]\n  model: [{models}]\n"
    found = problems(tmp_path, {"a.yaml": text}, "limits: {jobs_per_spec: 100000}\n")[0]
    assert found.message == "makes 4,200,000,000 jobs; at most 100,000 per spec"


ERRORS: dict[str, Callable[[int], str]] = {
    "tags": lambda many: "metadata:\n" + "".join(f"  k{at}: !t x\n" for at in range(many)),
    "tags on one line": lambda many: "metadata: {" + ", ".join(f"k{at}: !t x" for at in range(many)) + "}\n",
    "unknown fields": lambda many: "".join(f"k{at}: 1\n" for at in range(many)),
    "keys twice": lambda many: "metadata: {" + "a: b, " * many + "}\n",
    "entries without a file": lambda many: "input_files:\n" + "".join(f"- f{at}\n" for at in range(many)),
}


@pytest.mark.parametrize("errors", ERRORS.values(), ids=ERRORS)
@pytest.mark.timeout(20)
def test_errors_of_a_file_are_kept_up_to_a_number_and_found_in_linear_time(
    tmp_path: Path, errors: Callable[[int], str]
) -> None:
    """Each of the 30,000 took as long as the whole file before, or had a suggestion computed for it."""
    found = problems(tmp_path, {"a.yaml": spec(input_files=None) + errors(30_000)})
    assert len(found) == 101
    assert found[-1].message == f"and {MAX_PROBLEMS - 99} more problems from here on"


def test_many_warnings_in_one_file_refuse_nothing(tmp_path: Path) -> None:
    many = range(MAX_PROBLEMS + 5)
    entries = [
        spec(name=f"a{at}", model=f"m{at}", rerun=f"r{at}", input_files=f"[{at}.jsonl]") for at in many
    ]
    files = {f"{at}.jsonl": LINE for at in many}
    loaded = load(project(tmp_path, {"a.yaml": "---\n".join(entries)} | files), now=NOW)
    assert len(loaded.specs) == MAX_PROBLEMS + 5
    assert len(loaded.warnings) > 100


def test_files_are_not_read_after_too_many_errors_in_all(tmp_path: Path) -> None:
    broken = spec(input_files=None) + ERRORS["tags"](MAX_PROBLEMS)
    found = problems(tmp_path, {f"a{at}.yaml": broken for at in range(9)})
    last = MAX_ERRORS // MAX_PROBLEMS
    assert {problem.path for problem in found} == {f"specs/a{at}.yaml" for at in range(last + 1)}
    assert (
        found[-1].message == f"not read, because the files before it have more than {MAX_ERRORS:,} problems"
    )


def test_one_mistake_in_the_defaults_of_many_specs_counts_once(tmp_path: Path) -> None:
    files = {"_defaults.yaml": "model: 7\n"} | {
        f"a{at}.yaml": spec(name=f"a{at}", model=None) for at in range(MAX_PROBLEMS + 5)
    }
    assert {problem.path for problem in problems(tmp_path, files)} == {"specs/_defaults.yaml"}


def test_a_folder_that_links_lead_to_again_and_again_is_looked_at_once(tmp_path: Path) -> None:
    """18 steps through two links to the folder itself: 2^18 ways."""
    for name in "ab":
        (tmp_path / name).symlink_to(".")
    (tmp_path / "x.jsonl").touch()
    entry = "*/" * 18 + "x.jsonl"
    budget = Budget()
    budget.spend(Work.NAMES, Work.NAMES.value[0] - 18 * 20)
    assert PathResolver(str(tmp_path), budget).named(entry, folder=str(tmp_path)) == [
        str(tmp_path / "x.jsonl")
    ]


def test_globs_look_at_a_number_of_names_in_all(tmp_path: Path) -> None:
    for at in range(20):
        (tmp_path / f"d{at}").mkdir()
    budget = Budget()
    budget.spend(Work.NAMES, Work.NAMES.value[0] - 1000)
    resolver = PathResolver(str(tmp_path), budget)
    for at in range(4):  # a glob costs 10 for each of 21 folders, and 20 names
        with pytest.raises(NoInputError):
            resolver.named(f"*/{at}*.jsonl", folder=str(tmp_path))
    with pytest.raises(OverBudgetError, match="more than 5,000,000 names of files and folders"):
        resolver.named("*/4*.jsonl", folder=str(tmp_path))


@pytest.mark.parametrize("work", Work)
def test_each_kind_of_work_has_a_ceiling_in_one_load(tmp_path: Path, work: Work) -> None:
    text = spec(name="a-{timeout_hours}", input_files="['specs/*.jsonl']")
    text += "matrix:\n  timeout_hours: [1, 2, 3]\n  exclude: [{timeout_hours: 3}]\n"
    place = project(tmp_path, {"a.yaml": text})
    most, name = work.value
    inputs = Inputs(place)
    inputs.budget.spend(work, most)
    ((document,), _) = documents(text)
    with pytest.raises(OverBudgetError, match=f"more than {most:,} {re.escape(name)}"):
        jobs_of_document(document, inputs, Limits(), now=NOW)


def test_a_load_that_takes_too_long_names_the_spec_that_it_stopped_at(tmp_path: Path) -> None:
    times = iter([0, *[100] * 4, *[130] * 99])
    files = {
        f"{name}.yaml": spec(name=name, input_files=f"[{name}.jsonl]", rerun=name)
        for name in ("a", "b", "c", "d")
    }
    inputs = {f"{name}.jsonl": LINE for name in "abcd"}
    with pytest.raises(SpecError) as refused:
        load(project(tmp_path, files | inputs), now=NOW, monotonic=lambda: next(times))
    *_, last = refused.value.problems
    assert (last.where, last.message) == ("specs/c.yaml:1:1", "reading the specs takes more than 120 s")


def test_the_time_that_input_files_take_is_not_counted(tmp_path: Path) -> None:
    text = spec(input_files="[specs/a.jsonl, specs/b.jsonl]")
    place = project(tmp_path, {"a.yaml": text, "a.jsonl": LINE, "b.jsonl": LINE})
    seconds = 0.0
    inputs = Inputs(place, budget=Budget(lambda: seconds))
    reader, used = inputs.reader, set[str]()

    class Slow:
        def __getattr__(self, name: str) -> object:
            nonlocal seconds
            seconds += 200
            used.add(name)
            return getattr(reader, name)

    inputs.reader = Slow()  # type: ignore[assignment]
    ((document,), _) = documents(text)
    inputs.files(document)
    inputs.budget.check_time()
    assert used == {"read", "problems", "plain_mistakes"}


def test_folders_are_listed_and_problems_made_in_few_places_only() -> None:
    """Another place would have no ceiling."""
    folder = Path(reconciler.specs.__path__[0])
    text = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}

    def users(pattern: str) -> set[str]:
        return {path for path, source in text.items() if re.search(pattern, source)}

    assert users(r"\b(scandir|iterdir|listdir|walk|r?glob)\(") == {
        "files.py",
        "inputs/paths.py",
        "scaffold.py",
        "selection.py",
    }
    assert users(r"\bproduct\(") == {"families.py"}
    for caller in Path(reconciler.specs.__path__[0]).parent.joinpath("cli").rglob("*.py"):
        for call in re.findall(r"\bload\([^()]*now=env\.now\(\)[^)]*\)", caller.read_text("utf-8")):
            assert "monotonic=" in call, caller
