"""`init --kubernetes`: the manifests are valid and restricted, and their own commands do what they say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.specs.kubernetes import manifests

from .stage import Stage

PACKAGE = "git+https://github.com/acme/reconciler@0123456789abcdef0123456789abcdef01234567"
posix = pytest.mark.skipif(os.name == "nt", reason="the containers run Linux")


def written(**changed: str) -> dict[str, str]:
    """Return the text of each file, by its name."""
    given = {
        "project": "shop",
        "package": PACKAGE,
        "origin": "git@github.com:acme/shop.git",
        "branch": "main",
        "below": "",
    }
    return {it.path.partition("/")[2]: it.content.decode() for it in manifests(**given | changed)}


def resources(**changed: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(written(**changed)["cronjob.yaml"]))


def pod(**changed: str) -> dict[str, Any]:
    spec: dict[str, Any] = resources(**changed)[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def containers(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (*spec["initContainers"], *spec["containers"])


def test_init_writes_manifests_that_a_second_run_leaves_alone(stage: Stage) -> None:
    (stage.root / "reconciler.yaml").unlink()
    done = stage.run("init", "--kubernetes", "--package", PACKAGE)
    files = sorted(path.name for path in (stage.root / "kubernetes").iterdir())
    assert (done.code, files) == (0, ["Containerfile", "cronjob.yaml", "requirements.txt"])
    assert f"ARG PACKAGE={PACKAGE}" in (stage.root / "kubernetes/Containerfile").read_text(encoding="utf-8")
    assert "On Kubernetes: replace REGISTRY, DIGEST and COMMIT" in done.out
    again = stage.run("init", "--kubernetes", "--package", PACKAGE)
    assert "everything is in place already" in again.out


def test_no_run_meets_another_or_repeats_itself() -> None:
    account, cron = resources()
    job = cron["spec"]["jobTemplate"]["spec"]
    spec = job["template"]["spec"]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert (job["backoffLimit"], spec["restartPolicy"]) == (0, "Never")
    assert 900 < job["activeDeadlineSeconds"] < 3600
    assert spec["terminationGracePeriodSeconds"] >= 60 + 30
    assert account["automountServiceAccountToken"] is spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == account["metadata"]["name"]


def test_the_pod_keeps_to_the_restricted_pod_security_standard() -> None:
    spec = pod()
    assert {key for key in spec if key.startswith("host")} == set()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(set(volume) <= {"name", "emptyDir", "secret"} for volume in spec["volumes"])
    for container in containers(spec):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_secrets_are_references_and_only_the_apply_gets_them() -> None:
    checkout, apply = containers(pod())
    assert "envFrom" not in checkout
    assert all("valueFrom" not in variable for variable in checkout["env"])
    assert [it["name"] for it in apply["env"] if "valueFrom" in it] == ["MISTRAL_API_KEY"]
    assert all("secretRef" in it for it in apply["envFrom"])


@pytest.mark.parametrize("odd", ['we"ird', "a: b", "x\ny: {}", "é", "NAME", '"BRANCH"', "\\g<0>", "' #"])
def test_no_name_leaves_its_place_in_the_manifest(odd: str) -> None:
    plain = resources()
    account, cron = resources(project=odd, branch=odd, below=odd)
    checkout, apply = containers(pod(project=odd, branch=odd, below=odd))
    assert {it["name"]: it.get("value") for it in checkout["env"]}["SPECS_BRANCH"] == odd
    assert apply["workingDir"] == f"/data/checkout/{odd}"
    assert (account.keys(), cron["spec"].keys()) == (plain[0].keys(), plain[1]["spec"].keys())


@pytest.mark.parametrize("project", ["Shop_EU.2", "-", "x" * 80, "9"])
def test_names_are_those_that_kubernetes_allows(project: str) -> None:
    for resource in resources(project=project):
        name = resource["metadata"]["name"]
        assert len(name) <= 52
        assert name.replace("-", "a").isalnum()
        assert name == name.lower().strip("-")


def script(container: Mapping[str, Any], work: Path) -> list[str]:
    """Return the command of a container, with another folder in place of `/data`."""
    return [*container["command"], *(text.replace("/data", str(work)) for text in container["args"])]


def git(folder: Path, *argv: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *identity, *argv], cwd=folder, check=True, capture_output=True, encoding="utf-8"
    ).stdout.strip()


@posix
def test_the_checkout_is_of_the_named_commit_and_of_no_other_branch(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet")
    git(origin, "commit", "--quiet", "--allow-empty", "--message=one")
    first = git(origin, "rev-parse", "HEAD")
    git(origin, "tag", "v1")
    git(origin, "commit", "--quiet", "--allow-empty", "--message=two")
    git(origin, "checkout", "--quiet", "-b", "other")
    git(origin, "commit", "--quiet", "--allow-empty", "--message=three")
    elsewhere = git(origin, "rev-parse", "HEAD")
    checkout, _ = containers(pod())
    for revision, expected in (("v1", first), (first, first), (elsewhere, ""), ("0" * 40, ""), ("", "")):
        work = tmp_path / f"work-{revision}"
        work.mkdir()
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(work),
            "SPECS_REPOSITORY": str(origin),
            "SPECS_BRANCH": "main",
            "SPECS_REVISION": revision,
        }
        done = subprocess.run(script(checkout, work), env=env, capture_output=True, check=False)
        assert (done.returncode == 0) is bool(expected), (revision, done.stderr)
        if expected:
            assert git(work / "checkout", "rev-parse", "HEAD") == expected
            assert git(work / "checkout", "symbolic-ref", "--short", "HEAD") == "main"


STAND_IN = """#!/bin/sh
echo "$@" >> "$LOG"
case $1 in
  apply)
    if [ -n "$SLOW" ]; then
      trap 'echo TERM >> "$LOG"; caught=1' TERM
      caught=''; echo ready >> "$LOG"
      until [ -n "$caught" ]; do sleep 0.01; done
      sleep 0.2
      exit 143
    fi
    exit "$APPLY";;
  *) exit "$PULL";;
esac
"""


def start(tmp_path: Path, **variables: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the apply's own command, with a stand-in for the tool; return it and its log."""
    program, log = tmp_path / "reconciler", tmp_path / "log"
    program.write_text(STAND_IN, encoding="utf-8")
    program.chmod(0o755)
    log.write_bytes(b"")
    _, apply = containers(pod())
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log), "SLOW": "", "PULL": "0", **variables}
    return subprocess.Popen(script(apply, tmp_path), env=env), log


@posix
@pytest.mark.parametrize(
    ("apply", "pull", "code"),
    [("0", "0", 0), ("3", "0", 3), ("5", "6", 5), ("0", "6", 6), ("1", "0", 1), ("0", "143", 143)],
)
def test_results_are_pulled_whatever_the_apply_did_and_its_exit_code_comes_first(
    tmp_path: Path, apply: str, pull: str, code: int
) -> None:
    run, log = start(tmp_path, APPLY=apply, PULL=pull)
    assert run.wait(20) == code
    assert log.read_text(encoding="utf-8").splitlines() == ["apply --yes", "outputs pull"]


@posix
def test_sigterm_reaches_the_apply_once_and_starts_no_pull(tmp_path: Path) -> None:
    run, log = start(tmp_path, SLOW="1")
    deadline = time.monotonic() + 20
    while "ready" not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for _ in range(3):
        run.send_signal(signal.SIGTERM)
        time.sleep(0.03)
    assert run.wait(20) == 143
    assert log.read_text(encoding="utf-8").splitlines() == ["apply --yes", "ready", "TERM"]


@posix
@pytest.mark.thorough
def test_both_containers_apply_a_repository_in_the_sandbox(stage: Stage, tmp_path: Path) -> None:
    stage.spec("one", requests=3)
    stage.write(".gitignore", ".reconciler/\n")
    stage.commit("one")
    stage.git("branch", "--move", "--force", "main")
    work = tmp_path / "pod"
    work.mkdir()
    checkout, apply = containers(pod())
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(work),
        "SPECS_REPOSITORY": str(stage.root),
        "SPECS_BRANCH": "main",
        "SPECS_REVISION": stage.git("rev-parse", "HEAD").strip(),
        "RECONCILER_SANDBOX": "1",
    }
    subprocess.run(script(checkout, work), env=env, check=True)
    for expected in ("1 created", "no changes"):
        done = subprocess.run(
            script(apply, work),
            cwd=work / "checkout",
            env=env,
            check=False,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout.lower()


@pytest.mark.long
@pytest.mark.parametrize("minor", range(29, 38))
def test_each_version_of_kubernetes_accepts_the_manifests(minor: int) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for resource in resources():
        validate.validate(resource, f"1.{minor}", strict=True)
    broken = resources()[1]
    broken["spec"]["jobTemplate"]["spec"]["backofLimit"] = 0
    with pytest.raises(validate.ValidationError):
        validate.validate(broken, f"1.{minor}", strict=True)


@pytest.mark.long
def test_hadolint_has_nothing_to_say_about_the_containerfile(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        pytest.skip("hadolint is not installed")
    file = tmp_path / "Containerfile"
    file.write_text(written()["Containerfile"], encoding="utf-8")
    done = subprocess.run([program, "--no-color", file], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (0, "")
    file.write_text("FROM python\nRUN cd /opt\n", encoding="utf-8")
    assert subprocess.run([program, file], capture_output=True, check=False).returncode == 1
