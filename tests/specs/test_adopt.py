from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.specs import to_yaml
from reconciler.specs.load import Loaded, load
from reconciler.specs.project import load_project

NOW = 1_790_000_000.0
JOB = "4fb29d1c-0000-4000-8000-000000000000"
WORK = "v1:" + "a" * 64
BODY = "endpoint: /v1/chat/completions\nmodel: mistral-small-2603\n"
PLAIN = f"name: a\n{BODY}requests: [{{custom_id: x, body: {{messages: [{{role: user, content: Hi}}]}}}}]\n"
OTHER = PLAIN.replace("name: a", "name: b").replace("custom_id: x", "custom_id: y")


def loaded(root: Path, *texts: str, **others: str) -> Loaded:
    (root / "reconciler.yaml").write_text("project: shop\n")
    (root / "specs").mkdir()
    for name, text in {**{f"s{at}": text for at, text in enumerate(texts)}, **others}.items():
        (root / f"specs/{name}.yaml").write_text(text)
    return load(load_project(None, start=root), now=NOW)


def refused(root: Path, *texts: str, **others: str) -> tuple[str, str]:
    with pytest.raises(SpecError) as error:
        loaded(root, *texts, **others)
    (problem,) = error.value.problems
    return f"{problem.where}: {problem.message}", problem.hint


def test_a_spec_adopts_a_job_for_a_work(tmp_path: Path) -> None:
    (spec,) = loaded(tmp_path, f"{PLAIN}adopt: {{job: {JOB}, work: '{WORK}'}}\n").specs
    assert spec.adopt is not None
    assert (spec.adopt.job, spec.adopt.work) == (JOB, WORK)


def test_without_a_work_the_problem_reports_the_digest_of_what_is_declared(tmp_path: Path) -> None:
    said, hint = refused(tmp_path, f"{PLAIN}adopt: {{job: {JOB}}}\n")
    assert said == "specs/s0.yaml:5:1: adopt: `work` is missing"
    (tmp_path / "specs/s0.yaml").write_text(PLAIN)
    (spec,) = load(load_project(None, start=tmp_path), now=NOW).specs
    assert hint == f"if the job did the work that this spec declares, add `work: {spec.run_key.work}`"


def test_what_is_written_back_adopts_the_same(tmp_path: Path) -> None:
    (spec,) = loaded(tmp_path, f"{PLAIN}adopt: {{job: {JOB}, work: '{WORK}'}}\n").specs
    (tmp_path / "specs/s0.yaml").write_text(to_yaml.dump_documents([spec], "specs"))
    (again,) = load(load_project(None, start=tmp_path), now=NOW).specs
    assert again.adopt == spec.adopt
    assert again.run_key == spec.run_key


def test_a_digest_of_a_newer_version_asks_for_an_upgrade(tmp_path: Path) -> None:
    said, hint = refused(tmp_path, f"{PLAIN}adopt: {{job: {JOB}, work: '{WORK.replace('v1', 'v9')}'}}\n")
    assert "a digest of a newer version" in said
    assert "upgrade" in hint


def test_a_family_adopts_nothing(tmp_path: Path) -> None:
    text = PLAIN.replace("name: a", "name: 'a-{model}'").replace(
        "model: mistral-small-2603\n", "matrix: {model: [mistral-small-2603, ministral-8b-2512]}\n"
    )
    said, _ = refused(tmp_path, f"{text}adopt: {{job: {JOB}, work: '{WORK}'}}\n")
    assert "adopt: not possible in a family of jobs" in said


def test_defaults_adopt_nothing(tmp_path: Path) -> None:
    said, hint = refused(tmp_path, PLAIN, _defaults=f"adopt: {{job: {JOB}, work: '{WORK}'}}\n")
    assert said.startswith("specs/_defaults.yaml:1:1: adopt")
    assert "write it in the spec" in hint


def test_a_job_is_adopted_by_one_spec(tmp_path: Path) -> None:
    adopt = f"adopt: {{job: {JOB}, work: '{WORK}'}}\n"
    said, _ = refused(tmp_path, PLAIN + adopt, OTHER + adopt)
    assert said == "specs/s1.yaml:5:14: adopt: `a` (specs/s0.yaml:1) already adopts this job"


@pytest.mark.parametrize(
    "adopt",
    [
        "{job: ../../files/x}",
        "{job: ''}",
        "{work: x}",
        f"{{job: {JOB}, work: v1:abc}}",
        f"{{job: {JOB}, why: x}}",
        "x",
    ],
)
def test_what_is_no_adopt_is_refused(tmp_path: Path, adopt: str) -> None:
    with pytest.raises(SpecError):
        loaded(tmp_path, f"{PLAIN}adopt: {adopt}\n")
